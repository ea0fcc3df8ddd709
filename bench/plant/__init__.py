"""The car as compiled kernels on records: tyres, axles, body, motors, brakes, battery, driver.

The whole car is ``bench.plant.car.step``. SI units, ISO 8855 axes (x forward, y left, z up; positive yaw to the left);
discharge current and power are positive. Nothing here knows the controller: car and controller meet on the bus, in frames.
"""
