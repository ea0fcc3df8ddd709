"""The operator's panel: arming, emergency stop and torque by hand, from whoever sits at the bench into a frame.

The operator's program writes words, one release store each; this node reads them in every step. It must go on writing its
heartbeat: a panel whose operator is gone falls silent, and a controller that misses it lets the torque go.
"""

from firmware_model.kernel import integer, kernel, real, record
from hil.ring import load_word

# Places in the words (int64), each on its own.
ARMED, STOP, FRONT, REAR, HEARTBEAT = range(5)
WORDS = 8
PER_NEWTON_METRE = 1000.0  # the words of the torques are in thousandths


@record
class PanelParameters:
    """The panel's own rule."""

    heartbeat_timeout = real("s", "age of the operator's heartbeat at which the panel falls silent", default=0.3, minimum=0.05)


@record
class PanelState:
    """What the panel remembers of its operator."""

    heartbeat = integer("the heartbeat's last number", maximum=2**62)
    age = real("s", "time since it changed", default=1e6)


@kernel
def step(dt, sensors, commands, state, measurements, parameters, words):
    """Fill ``sensors.panel`` from the operator's ``words``."""
    heartbeat = load_word(words, HEARTBEAT)
    state.age = state.age + dt if heartbeat == state.heartbeat else 0.0
    state.heartbeat = heartbeat
    panel = sensors.panel
    panel.link.silent = 1 if state.age > parameters.heartbeat_timeout else 0
    panel.armed = 1 if load_word(words, ARMED) else 0
    panel.emergency_stop = 1 if load_word(words, STOP) else 0
    panel.front_torque = load_word(words, FRONT) / PER_NEWTON_METRE
    panel.rear_torque = load_word(words, REAR) / PER_NEWTON_METRE
