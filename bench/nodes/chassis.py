"""Sensors, pedals, brake actuator and operator panel: everything on the chassis bus but the controller."""

from firmware_model.kernel import kernel, real, record


@record
class ChassisParameters:
    """The brake actuator's own rules."""

    request_timeout = real("s", "silence of the brake request after which the pedal acts by itself", default=0.1, minimum=0.02)
    pedal_torque_front = real(
        "Nm", "brake torque of one front wheel at full pedal, without the controller", default=2000.0, minimum=0.0
    )
    pedal_torque_rear = real(
        "Nm", "brake torque of one rear wheel at full pedal, without the controller", default=1000.0, minimum=0.0
    )


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
