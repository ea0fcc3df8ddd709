"""The smallest closed loop: one bus, a torque request, a status, a question; a controller that ramps and a car that follows."""

from pathlib import Path

from firmware_model.kernel import kernel, real, record
from hil.node import NodeSpec

DBC = """VERSION ""
NS_ :
BS_:
BU_: VCM INV
BO_ 468 Torque: 8 VCM
 SG_ Upper : 7|8@0+ (2.5,0) [0|637.5] "Nm" INV
 SG_ Request : 23|12@0- (0.25,0) [-512|511.75] "Nm" INV
 SG_ Question : 40|8@1+ (1,0) [0|255] "" INV
 SG_ Count : 38|2@1+ (1,0) [0|3] "" INV
 SG_ Crc : 56|8@1+ (1,0) [0|255] "" INV
BO_ 474 Status: 8 INV
 SG_ Speed : 39|15@0- (1,0) [-16384|16382] "rpm" VCM
 SG_ Delivered : 18|11@0- (0.5,0) [-512|511.5] "Nm" VCM
 SG_ Answer : 0|8@1+ (1,0) [0|255] "" VCM
 SG_ Count : 48|2@1+ (1,0) [0|3] "" VCM
 SG_ Crc : 56|8@1+ (1,0) [0|255] "" VCM
BA_DEF_ BO_ "GenMsgCycleTime" INT 0 10000;
BA_DEF_DEF_ "GenMsgCycleTime" 0;
BA_ "GenMsgCycleTime" BO_ 468 10;
BA_ "GenMsgCycleTime" BO_ 474 10;
VAL_ 474 Speed 16383 "invalid" ;
"""

TOML = """title = "small"

[bus.front]
dbc = ["small.dbc"]
roles = { VCM = "controller", INV = "front_inverter" }
links = { Status = "front.link", Torque = "front.link" }

[bus.front.signals]
Torque = { Request = "front.motor_torque", Upper = "front.torque_limit_upper" }
Status = { Speed = "front.motor_speed", Delivered = "front.motor_torque" }

[message.Torque]
crc = { signal = "Crc", polynomial = 0x85 }
counter = { signal = "Count", modulo = 4 }
sequences = { Question = { values = [0x5D, 0xB2], hold = 4 } }

[message.Status]
crc = { signal = "Crc", polynomial = 0x85 }
counter = { signal = "Count", modulo = 4 }

[[question]]
bus = "front"
question = "Torque.Question"
answer = "Status.Answer"
answers = [[0x5D, 0x55], [0xB2, 0xAA]]
"""


@record
class Memory:
    """What the small nodes remember."""

    time = real("s", "time since the start")


@kernel
def control(dt, inputs, outputs, state, measurements, parameters):
    """Ask for 10 Nm a second."""
    state.time += dt
    outputs.front.motor_torque = 10.0 * state.time
    measurements.time = state.time


@kernel
def follow(dt, inputs, outputs, state, measurements, parameters):
    """Deliver what is asked for, at 100 rad/s."""
    state.time += dt
    inputs.front.motor_torque = outputs.front.motor_torque
    inputs.front.motor_speed = 100.0
    measurements.time = state.time


def write_small_network(folder: Path) -> Path:
    """Write the network's files; returns the TOML."""
    (folder / "small.dbc").write_text(DBC)
    (folder / "small.toml").write_text(TOML)
    return folder / "small.toml"


CONTROLLER = NodeSpec("controller", "small_network.control", True, Memory, Memory, Memory, sampled=("inputs", "measurements"))
CAR = NodeSpec("car", "small_network.follow", False, Memory, Memory, Memory)
