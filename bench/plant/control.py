"""What the car's control unit is calibrated to. The plant does not obey these; controllers do."""

from bench.plant.numeric import parameter
from firmware_model.kernel import record


@record
class ControlParameters:
    """Software limits of the car."""

    top_speed = parameter("m/s", "speed at which driving force has ended", 5.0, 120.0)
    torque_rise_rate = parameter("Nm/s", "rate of motor torque away from zero", 50.0, 20e3)
