"""Friction brakes: hydraulics that follow the request, with a lag and no faster than the actuator builds pressure up.

Pressure falls as fast as the lag lets it: a valve opens faster than a pump delivers.
"""

from typing import Any

from bench.plant.numeric import parameter
from firmware_model.kernel import kernel, record
from firmware_model.kernel.math import clamp, lag


@record
class BrakeParameters:
    """The two brakes of one axle."""

    lag_time = parameter("s", "time constant of the hydraulics", 1e-3, 1.0)
    maximum_torque = parameter("Nm", "highest brake torque at one wheel", 0.0, 20e3)
    pressure_rise_rate = parameter("Pa/s", "fastest build-up of pressure", 1e6, 1e9)
    characteristic = parameter("Nm/Pa", "brake torque over pressure", 1e-6, 1e-2)


@kernel
def build_up(dt: float, request: float, brake: Any, wheel: Any, measured: Any) -> None:
    """Follow the ``request`` [Nm] of one wheel: sets the torque that the brake can hold [Nm]."""
    target = clamp(request, 0.0, brake.maximum_torque)
    followed = lag(wheel.brake_torque, target, brake.lag_time, dt)
    highest = wheel.brake_torque + dt * brake.pressure_rise_rate * brake.characteristic
    wheel.brake_torque = highest if followed > highest else followed
    measured.brake_torque = wheel.brake_torque
    measured.brake_pressure = wheel.brake_torque / brake.characteristic
