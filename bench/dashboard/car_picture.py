"""The car from above, in numbers: what ``car.svg`` shows of one sample.

Friction use is the controller's estimate, not the car's own truth: the force of a tyre along and across over what it can carry,

    u = sqrt(F_x^2 + F_y^2) / (mu F_z)

F_y and F_z as its tyre-load estimate has them, mu as its friction estimate (left, right), and F_x from the delivered torque of
the motor, half of it to each wheel, less the brake torque that it asks for. Beyond 1 more is asked of a tyre than it can carry.
"""

import math
from typing import Any

from bench.nodes.car import Phase
from firmware_model.measurements import Constraint, SupervisorState
from firmware_model.signals import DriveMode, Gear

WHEELS = ("front_left", "front_right", "rear_left", "rear_right")
STANDS = 0.3  # [m/s] below it a brake holds the car, and carries no more than that takes
DEGREES = 180.0 / math.pi
KMH = 3.6
KILO = 1e-3
GEARS = {Gear.PARK: "P", Gear.REVERSE: "R", Gear.NEUTRAL: "N", Gear.DRIVE: "D", Gear.BRAKE: "B"}


def picture(sample: Any, load: Any, calibration: Any) -> dict[str, Any]:
    """What there is to show of a ``sample``; ``load`` (TyreLoadState) and ``calibration`` are elements of records.

    Speeds in km/h, angles in °, power in kW, torques in Nm at the wheel. A value that is not known is None.
    """
    inputs, outputs, measured = (sample[f"controller_{name}"] for name in ("inputs", "outputs", "measurements"))
    limiter, power = measured["discharge_limiter"], measured["power_budget"]
    shown = {
        "time": float(sample["time"]),
        "speed": KMH * float(measured["vehicle_speed"]["speed"]),
        "acceleration": float(measured["vehicle_speed"]["acceleration"]),
        "lateral": float(inputs["motion"]["lateral_acceleration"]),
        "yaw_rate": DEGREES * float(inputs["motion"]["yaw_rate"]),
        "yaw_rate_reference": DEGREES * float(measured["yaw_control"]["yaw_rate_reference"]),
        "steering": DEGREES * float(inputs["steering"]["wheel_angle"]),
        "wheel_angle": DEGREES * float(inputs["steering"]["wheel_angle"]) / float(calibration["vehicle"]["steering_ratio"]),
        "accelerator": float(inputs["pedals"]["accelerator"]),
        "brake": float(inputs["pedals"]["brake"]),
        "power": KILO * float(power["measured_power"]),
        "discharge_limit": KILO * float(limiter["discharge_limit"]),
        "charge_limit": KILO * float(limiter["charge_limit"]),
        "charge": float(inputs["battery"]["state_of_charge"]),
        "motor": [round(torque, 1) for torque in motor_torques(inputs, calibration)],
        "braking": [float(outputs["brakes"][wheel]) for wheel in WHEELS],
        "friction_use": friction_use(sample, load, calibration),
    }
    return {name: _known(value) for name, value in shown.items()} | {
        "gear": GEARS.get(Gear(int(outputs["power"]["gear"])), "–"),
        "state": _words(SupervisorState, measured["supervisor"]["state"]),
        "ready": int(measured["supervisor"]["state"]) == SupervisorState.READY,
        "mode": _words(DriveMode, inputs["pedals"]["drive_mode"]).lower(),
        "e_pedal": bool(inputs["pedals"]["e_pedal"]),
        "yaw_control": bool(measured["yaw_control"]["active"]),
        "slip": [bool(measured[axle]["slip_active"]) for axle in ("front", "front", "rear", "rear")],
        "discharge_by": _words(Constraint, limiter["discharge_constraint"]).lower(),
        "charge_by": _words(Constraint, limiter["charge_constraint"]).lower(),
        **_drive_time(sample),
    }


def motor_torques(inputs: Any, calibration: Any) -> list[float]:
    """Delivered motor torque [Nm] at each wheel: an open differential gives half of the axle's to each."""
    return [
        0.5 * float(inputs[axle]["motor_torque"] * calibration[axle]["gear_ratio"]) for axle in ("front", "front", "rear", "rear")
    ]


def friction_use(sample: Any, load: Any, calibration: Any) -> list[float]:
    """How much of its friction each tyre uses, along and across together: 0 to 1, beyond it slides."""
    inputs, outputs, measured = (sample[f"controller_{name}"] for name in ("inputs", "outputs", "measurements"))
    speed = float(measured["vehicle_speed"]["speed"])
    state = measured["vehicle_state"]
    used = []
    for k, (wheel, motor) in enumerate(zip(WHEELS, motor_torques(inputs, calibration), strict=True)):
        radius = float(calibration["front" if k < 2 else "rear"]["wheel_radius"])
        brake = float(outputs["brakes"][wheel]) if abs(speed) > STANDS else 0.0
        along = (motor - math.copysign(brake, speed)) / radius
        friction = float(state["friction_left" if k % 2 == 0 else "friction_right"])
        carried = friction * float(load["vertical_force"][k])
        used.append(math.hypot(along, float(load["lateral_force"][k])) / carried if carried > 0.0 else math.nan)
    return used


def _drive_time(sample: Any) -> dict[str, Any]:
    if "car_measurements" not in sample.dtype.names:
        return {}
    car = sample["car_measurements"]
    return {"phase": Phase(int(car["phase"])).name.lower().replace("_", "-"), "scenario_time": float(car["scenario_time"])}


def _words(labels: Any, code: Any) -> str:
    return str(labels(int(code)).name).replace("_", " ")


def _known(value: Any) -> Any:
    if isinstance(value, list):
        return [_known(each) for each in value]
    return round(value, 4) if math.isfinite(value) else None
