"""Friction brakes: torque that follows its request."""

from typing import Any

from bench.plant.numeric import parameter
from firmware_model.kernel import kernel, record
from firmware_model.kernel.math import clamp, lag


@record
class BrakeParameters:
    """The two brakes of one axle."""

    lag_time = parameter("s", "time constant of the hydraulics", 1e-3, 1.0)
    maximum_torque = parameter("Nm", "highest brake torque at one wheel", 0.0, 20e3)
    characteristic = parameter("Nm/Pa", "brake torque over pressure", 1e-6, 1e-2)


@kernel
def build_up(dt: float, request: float, brake: Any, wheel: Any, measured: Any) -> None:
    """Follow the ``request`` [Nm] of one wheel with first-order lag: sets the torque that the brake can hold [Nm]."""
    target = clamp(request, 0.0, brake.maximum_torque)
    wheel.brake_torque = lag(wheel.brake_torque, target, brake.lag_time, dt)
    measured.brake_torque = wheel.brake_torque
    measured.brake_pressure = wheel.brake_torque / brake.characteristic
