"""Frames of a ZE0, written bit by bit as the facts about the car have them: nothing of the product takes part."""


def crc8(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = ((crc << 1) ^ 0x85 if crc & 0x80 else crc << 1) & 0xFF
    return crc


def sealed(data):
    return bytes([*data, crc8(data)])


def torque_request(count, torque=0.0, *, upper=340.0, lower=-340.0):
    raw = round(torque / 0.25) & 0xFFF
    limits = [round(upper / 2.5), round(-lower / 2.5)]
    return 0x1D4, sealed([*limits, raw >> 4, (raw & 0xF) << 4, (count % 4) << 6 | 7, 0x44, 0x80])


def inverter_state(count, torque=0.0, rpm=0, voltage=380.0):
    raw = round(torque / 0.5) & 0x7FF
    speed = rpm & 0x7FFF
    return 0x1DA, sealed([round(voltage / 2), 0x64, 0x18 | raw >> 8, raw & 0xFF, speed >> 7, (speed & 0x7F) << 1 | 1, count % 4])


def battery_state(count, current=0.0, voltage=380.0):
    raw, volts = round(-current / 0.5) & 0x7FF, round(voltage / 0.5)
    return 0x1DB, sealed([raw >> 3, (raw & 7) << 5, volts >> 2, (volts & 3) << 6 | 0x2A, 0, 0, count % 4])


def battery_limits(count, discharge=110e3, charge=20e3):
    out, into = round(discharge / 250.0), round(charge / 250.0)
    return 0x1DC, sealed([out >> 2, (out & 3) << 6 | into >> 4, (into & 0xF) << 4 | 0xF, 0xFD, 1, 8, 0xD0 | count % 4])


def battery_charge(count, share=0.8):
    raw = round(share * 1000.0)
    return 0x55B, sealed([raw >> 2, (raw & 3) << 6, 0xAA, 0, 0xE3, 0x40, 0x10 | count % 4])


def battery_temperature(selector, temperature=20.0):
    return 0x5C0, bytes([selector << 6, 0, round(temperature + 40.0) << 1, 0, 0, 0, 0, 0])


def drive(duration, *, request=0.0, rpm=0, discharge=110e3, charge=20e3, channel="can0"):
    """Lines of a candump log with all that the controller follows; ``request`` [Nm] may be a function of the time [s]."""
    lines = []
    for tick in range(round(duration / 0.01)):
        time = tick * 0.01
        torque = request(time) if callable(request) else request
        frames = [
            inverter_state(tick, torque, rpm),
            battery_state(tick),
            battery_limits(tick, discharge, charge),
            torque_request(tick, torque),
        ]
        if tick % 10 == 0:
            frames.append(battery_charge(tick // 10))
            frames += [battery_temperature(selector) for selector in (1, 2, 3)]
        lines += [line(time + index * 0.0005, *frame, channel=channel) for index, frame in enumerate(frames)]
    return lines


def line(time, identifier, data, channel="can0"):
    return f"({time:.6f}) {channel} {identifier:03X}#{data.hex().upper()}"
