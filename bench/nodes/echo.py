"""A node to measure with: it demands of the front motor the torque that the front inverter last reported."""

from firmware_model.kernel import kernel, real, record


@record
class EchoState:
    """What it tells."""

    echoed = real("Nm", "torque sent back")


@kernel
def step(dt, inputs, outputs, state, measurements, parameters):
    """One step."""
    outputs.front.motor_torque = inputs.front.motor_torque
    measurements.echoed = inputs.front.motor_torque
