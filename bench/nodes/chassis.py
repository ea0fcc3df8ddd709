"""Sensors, pedals, brake actuator and operator panel: everything on the chassis bus but the controller."""

from math import sqrt

from firmware_model.kernel import integer, kernel, real, record

HISTORY = 64  # steps that a sensor's reading may be old
READINGS = 9  # yaw rate, two accelerations, four wheels, angle and rate of the steering wheel
# The minimal standard generator of Park and Miller (1988), with the factor of 1993: its products stay within 47 bits.
FACTOR, MODULUS = 48271, 2147483647


@record
class ChassisParameters:
    """The brake actuator's own rules, and what is not perfect about the sensors."""

    request_timeout = real("s", "silence of the brake request after which the pedal acts by itself", default=0.1, minimum=0.02)
    pedal_torque_front = real(
        "Nm", "brake torque of one front wheel at full pedal, without the controller", default=2000.0, minimum=0.0
    )
    pedal_torque_rear = real(
        "Nm", "brake torque of one rear wheel at full pedal, without the controller", default=1000.0, minimum=0.0
    )
    # Off unless asked for, so that a drive tells of the controller and not of chance.
    noise = real("1", "noise of the sensors, as a multiple of the next four values", default=0.0, minimum=0.0, maximum=100.0)
    # Assumptions: a few steps of their fields on the bus, as ESC sensors have.
    yaw_rate_noise = real("rad/s", "standard deviation of the yaw rate", default=0.003, minimum=0.0, maximum=1.0)
    acceleration_noise = real("m/s2", "standard deviation of both accelerations", default=0.06, minimum=0.0, maximum=10.0)
    wheel_speed_noise = real("m/s", "standard deviation of a wheel's speed", default=0.03, minimum=0.0, maximum=10.0)
    steering_noise = real("rad", "standard deviation of the steering-wheel angle", default=0.003, minimum=0.0, maximum=1.0)
    noise_seed = integer("where the noise begins", default=1, minimum=1, maximum=MODULUS - 1)
    delay = real("s", "age of all these readings, at most 63 steps of the bench", default=0.0, minimum=0.0, maximum=0.063)


@record
class ChassisState:
    """What the sensors remember."""

    random = integer("state of the generator of noise; 0 before the first number", maximum=MODULUS - 1)
    readings = real("1", "readings of the last steps, in SI", shape=(HISTORY, READINGS))
    newest = integer("row of the newest one", maximum=HISTORY - 1)


@kernel
def sense(plant, sensors):
    """Fill the motion, wheel, steering and brake sensors from the plant's measurements."""
    body, front, rear = plant.body, plant.front, plant.rear
    sensors.motion.yaw_rate = body.yaw_rate
    sensors.motion.longitudinal_acceleration = body.longitudinal_specific_force
    sensors.motion.lateral_acceleration = body.lateral_acceleration
    # The LEAF's wheel-speed frames carry no sign.
    sensors.wheels.front_left = abs(front.left.circumferential_speed)
    sensors.wheels.front_right = abs(front.right.circumferential_speed)
    sensors.wheels.rear_left = abs(rear.left.circumferential_speed)
    sensors.wheels.rear_right = abs(rear.right.circumferential_speed)
    sensors.steering.wheel_angle = body.steering_wheel_angle
    sensors.steering.wheel_rate = body.steering_wheel_rate
    sensors.brakes.front_left = front.left.brake_pressure
    sensors.brakes.front_right = front.right.brake_pressure
    sensors.brakes.rear_left = rear.left.brake_pressure
    sensors.brakes.rear_right = rear.right.brake_pressure


@kernel
def disturb(dt, sensors, state, parameters):
    """Let the readings that :func:`sense` has filled in grow old and noisy, as ``parameters`` (ChassisParameters) say."""
    if parameters.delay > 0.0:
        grow_old(min(int(parameters.delay / dt + 0.5), HISTORY - 1), sensors, state)
    if parameters.noise > 0.0:
        add_noise(sensors, state, parameters)


@kernel
def grow_old(steps, sensors, state):
    """Replace the readings by those of some ``steps`` ago; before the first step the car stood still."""
    motion, wheels = sensors.motion, sensors.wheels
    state.newest = (state.newest + 1) % HISTORY
    row = state.readings[state.newest]
    row[0], row[1], row[2] = motion.yaw_rate, motion.longitudinal_acceleration, motion.lateral_acceleration
    row[3], row[4] = wheels.front_left, wheels.front_right
    row[5], row[6] = wheels.rear_left, wheels.rear_right
    row[7], row[8] = sensors.steering.wheel_angle, sensors.steering.wheel_rate
    old = state.readings[(state.newest + HISTORY - steps) % HISTORY]
    motion.yaw_rate, motion.longitudinal_acceleration, motion.lateral_acceleration = old[0], old[1], old[2]
    wheels.front_left, wheels.front_right = old[3], old[4]
    wheels.rear_left, wheels.rear_right = old[5], old[6]
    sensors.steering.wheel_angle, sensors.steering.wheel_rate = old[7], old[8]


@kernel
def add_noise(sensors, state, parameters):
    """White noise, a new value in each step."""
    motion, wheels = sensors.motion, sensors.wheels
    if state.random == 0:
        state.random = parameters.noise_seed
    share = parameters.noise
    motion.yaw_rate += share * parameters.yaw_rate_noise * next_normal(state)
    motion.longitudinal_acceleration += share * parameters.acceleration_noise * next_normal(state)
    motion.lateral_acceleration += share * parameters.acceleration_noise * next_normal(state)
    wheel = share * parameters.wheel_speed_noise
    wheels.front_left = abs(wheels.front_left + wheel * next_normal(state))
    wheels.front_right = abs(wheels.front_right + wheel * next_normal(state))
    wheels.rear_left = abs(wheels.rear_left + wheel * next_normal(state))
    wheels.rear_right = abs(wheels.rear_right + wheel * next_normal(state))
    sensors.steering.wheel_angle += share * parameters.steering_noise * next_normal(state)


@kernel
def next_normal(state):
    """A number of mean 0 and variance 1, the sum of four uniform ones: nearly normal, and never beyond 3.5."""
    total = 0.0
    for _ in range(4):
        state.random = state.random * FACTOR % MODULUS
        total += state.random / MODULUS
    return (total - 2.0) * sqrt(3.0)


@kernel
def actuate_brakes(request, pedal, front, rear, parameters):
    """Brake torques as requested on the bus; without a fresh request the pedal's hydraulics act alone.

    ``front`` and ``rear`` are the plant's AxleDemands, ``pedal`` is 0 .. 1.
    """
    if request.link.age <= parameters.request_timeout:
        front.left_brake_torque = request.front_left
        front.right_brake_torque = request.front_right
        rear.left_brake_torque = request.rear_left
        rear.right_brake_torque = request.rear_right
        return
    front.left_brake_torque = pedal * parameters.pedal_torque_front
    front.right_brake_torque = pedal * parameters.pedal_torque_front
    rear.left_brake_torque = pedal * parameters.pedal_torque_rear
    rear.right_brake_torque = pedal * parameters.pedal_torque_rear
