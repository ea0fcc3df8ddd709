"""A node to measure with: it demands of the front motor the torque that the front inverter last reported."""

from firmware_model.kernel import kernel


@kernel
def step(dt, inputs, outputs, state, measurements, parameters):
    """One step."""
    outputs.front.motor_torque = inputs.front.motor_torque
