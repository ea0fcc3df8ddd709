"""Thermal derating: the share of its torque that a motor keeps while its winding or its inverter is hot.

From full at the temperature where derating starts, down to nothing where it ends, linear, the lower of the two. In between, the
car finds the torque whose heat the coolant takes away.

A temperature that nobody knows leaves the torque that the motor could give for ever: it can then not overheat, and the car still
drives home. Nothing is withheld for it at once, since the last temperatures were not extreme: the share moves at a rate, which
also smooths the coarse steps of the temperature's frame.
"""

from typing import Any

from firmware_model.kernel import kernel
from firmware_model.kernel.math import ramp, slew


@kernel
def derate(dt: float, inputs: Any, qualified: Any, axle: Any, calibration: Any) -> None:
    """Take the temperatures of one axle from its raw ``inputs`` (AxleInputs); keep ``qualified.torque_share`` (QualifiedAxle)."""
    c, plausible = calibration.thermal_derating, calibration.input_qualification
    lowest, highest = plausible.temperature_min, plausible.temperature_max
    known = (
        inputs.temperature_link.age <= c.timeout
        and lowest <= inputs.motor_temperature
        and inputs.motor_temperature <= highest
        and lowest <= inputs.inverter_temperature
        and inputs.inverter_temperature <= highest
    )
    if known:
        qualified.motor_temperature = inputs.motor_temperature
        qualified.inverter_temperature = inputs.inverter_temperature
    share = ramp(qualified.motor_temperature, axle.motor_temperature_end, axle.motor_temperature_start)
    by_inverter = ramp(qualified.inverter_temperature, axle.inverter_temperature_end, axle.inverter_temperature_start)
    if by_inverter < share:
        share = by_inverter
    if not known and c.share_unknown < share:
        share = c.share_unknown
    qualified.torque_share = slew(qualified.torque_share, share, c.rate, c.rate, dt)
