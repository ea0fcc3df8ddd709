"""The plots of a drive: what the car did, what the controller wanted, and what the battery allowed.

Blue is the front axle, orange the rear, in every plot; dashed is what somebody wants, solid what happened.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from bench.drive import DriveResult
from bench.nodes.car import Phase
from bench.report.bus_plots import frame_section, load_section
from bench.report.extra import import_extra
from bench.report.html import Section
from bench.report.time_plot import (
    CAR,
    DRIVER,
    EXTRA,
    FRONT,
    LIMIT,
    OTHER,
    REAR,
    Band,
    Line,
    Shade,
    Track,
    flag_band,
    labels_of,
    time_figure,
)
from firmware_model.kernel.records import locate
from firmware_model.measurements import Constraint, Fault, SupervisorState
from firmware_model.signals import Gear

SHOWN_BEFORE = 1.0  # [s] of the run-up in the first view
SHOWN_AFTER_READY = 0.5  # [s] in the plot of the bring-up
SLIP_LEAST_SPEED = 0.5  # [m/s] below it slip means nothing: a wheel that stands beside a hub that creeps
DEGREES = 180.0 / np.pi
KMH = 3.6
KILO = 1e-3

CONTROLLER = "controller_measurements"
INPUTS = "controller_inputs"
OUTPUTS = "controller_outputs"
PLANT = "car_measurements.plant"

WHEELS = (
    ("front left", "front.left", FRONT, "solid"),
    ("front right", "front.right", FRONT, "dot"),
    ("rear left", "rear.left", REAR, "solid"),
    ("rear right", "rear.right", REAR, "dot"),
)


@dataclass(frozen=True)
class DriveSignals:
    """The sampled signals of a drive over the scenario's time [s], which is negative in bring-up and run-up."""

    result: DriveResult

    @cached_property
    def begin(self) -> float:
        """Time since power-on [s] at which the scenario begins; where it never did, the end."""
        driving = self.result.scenario_samples
        if len(driving):
            return float(driving["time"][0] - driving["car_measurements"]["scenario_time"][0])
        return float(self.result.samples["time"][-1])

    @cached_property
    def times(self) -> Any:
        """Scenario time [s] of every sample."""
        return self.result.samples["time"] - self.begin

    def values(self, path: str) -> Any:
        """The samples of a dotted path."""
        return np.asarray(locate(self.result.samples, path))

    def line(self, name: str, path: str, colour: str, *, factor: float = 1.0, dash: str = "solid") -> Line:
        """A curve of a dotted path, times ``factor``."""
        return Line(name, self.times, factor * self.values(path), colour, dash)

    def flag(self, name: str, path: str, colour: str) -> Band:
        """A strip of a flag."""
        return flag_band(name, self.times, self.values(path), colour)

    def figure(self, *tracks: Track, bands: tuple[Band, ...] = ()) -> Any:
        """A figure on the scenario's time that shows the scenario first, and sets bring-up and run-up back."""
        window = (-SHOWN_BEFORE, float(self.times[-1])) if self.times[-1] > 0.0 else None
        return time_figure(tracks, bands, window=window, grey_until=0.0)


def drive_sections(result: DriveResult) -> list[Section]:
    """All sections of a drive's report."""
    signals = DriveSignals(result)
    sections = [
        speed_section(signals),
        driver_section(signals),
        torque_section(signals),
        power_section(signals),
        battery_section(signals),
        handling_section(signals),
        wheel_section(signals),
        temperature_section(signals),
        supervisor_section(signals),
        path_section(signals),
        bring_up_section(signals),
    ]
    return [*sections, load_section(result, signals.begin), frame_section(result)]


def speed_section(signals: DriveSignals) -> Section:
    """Speed and acceleration."""
    speed = Track(
        "speed [km/h]",
        (
            signals.line("wanted", "car_measurements.wanted_speed", DRIVER, factor=KMH, dash="dash"),
            signals.line("speed", f"{PLANT}.body.longitudinal_speed", CAR, factor=KMH),
            signals.line("controller's estimate", f"{CONTROLLER}.vehicle_speed.speed", EXTRA, factor=KMH, dash="dot"),
        ),
    )
    acceleration = Track(
        "acceleration [m/s²]",
        (signals.line("forward", f"{PLANT}.body.longitudinal_acceleration", CAR),),
        height=100,
        include=(-1.0, 1.0),
    )
    return Section(
        "Speed",
        "Speed over ground, and what the controller believes it to be; wanted is the speed that the driver model keeps where the "
        "pedals are not given.",
        signals.figure(speed, acceleration),
    )


def driver_section(signals: DriveSignals) -> Section:
    """Pedals and steering wheel."""
    pedals = Track(
        "pedals [%]",
        (
            signals.line("accelerator", f"{INPUTS}.pedals.accelerator", CAR, factor=100.0),
            signals.line("brake", f"{INPUTS}.pedals.brake", LIMIT, factor=100.0),
        ),
        height=110,
        include=(0.0, 100.0),
    )
    steering = Track(
        "steering-wheel angle [°]",
        (signals.line("steering wheel", f"{INPUTS}.steering.wheel_angle", EXTRA, factor=DEGREES),),
        height=110,
        include=(-5.0, 5.0),
    )
    return Section("Driver", "Pedals and steering wheel as the controller receives them.", signals.figure(pedals, steering))


def torque_section(signals: DriveSignals) -> Section:
    """Torque of both axles and of the friction brakes."""
    front_brake = signals.values(f"{PLANT}.front.left.brake_torque") + signals.values(f"{PLANT}.front.right.brake_torque")
    rear_brake = signals.values(f"{PLANT}.rear.left.brake_torque") + signals.values(f"{PLANT}.rear.right.brake_torque")
    brakes = (
        Line("front brakes", signals.times, front_brake, FRONT),
        Line("rear brakes", signals.times, rear_brake, REAR),
    )
    return Section(
        "Torque",
        "Axle torque, which is motor torque times gear ratio: wanted by the allocation; commanded after slew, slip control and "
        "power budget; delivered by the motor. The front share is that of what both motors are allocated. The friction brakes of "
        "an axle are the sum of its two wheels.",
        signals.figure(
            axle_track(signals, "front", FRONT),
            axle_track(signals, "rear", REAR),
            Track(
                "front share [%]",
                (signals.line("front share", f"{CONTROLLER}.allocation.front_share", EXTRA, factor=100.0),),
                height=80,
                include=(0.0, 100.0),
            ),
            Track("friction brakes [Nm]", brakes, height=100, include=(0.0, 100.0)),
        ),
    )


def axle_track(signals: DriveSignals, axle: str, colour: str) -> Track:
    """Wanted, commanded and delivered torque of one axle."""
    gear_ratio = float(signals.result.vehicle.parameters[0][axle].gear_ratio)
    return Track(
        f"{axle} axle torque [Nm]",
        (
            signals.line(f"{axle}, wanted", f"{CONTROLLER}.{axle}.motor_torque_wanted", DRIVER, factor=gear_ratio, dash="dash"),
            signals.line(f"{axle}, commanded", f"{CONTROLLER}.{axle}.axle_torque", EXTRA, dash="dot"),
            signals.line(f"{axle}, delivered", f"{PLANT}.{axle}.axle_torque", colour),
        ),
        include=(0.0,),
    )


def power_section(signals: DriveSignals) -> Section:
    """DC power between the limits, and what sets them."""
    power = KILO * signals.values(f"{PLANT}.battery.power")
    discharge = KILO * signals.values(f"{CONTROLLER}.discharge_limiter.discharge_limit")
    charge = -KILO * signals.values(f"{CONTROLLER}.discharge_limiter.charge_limit")
    track = Track(
        "DC power [kW]",
        (
            Line("discharge limit", signals.times, discharge, LIMIT, "dash"),
            signals.line("LBC discharge limit", f"{INPUTS}.battery.discharge_limit", DRIVER, factor=KILO, dash="dot"),
            signals.line("predicted", f"{CONTROLLER}.power_budget.predicted_power", EXTRA, factor=KILO, dash="dot"),
            Line("power of the pack", signals.times, power, CAR),
            signals.line("LBC charge limit", f"{INPUTS}.battery.charge_limit", DRIVER, factor=-KILO, dash="dot"),
            Line("charge limit", signals.times, charge, LIMIT, "dash"),
        ),
        (
            Shade(signals.times, discharge, np.fmax(power, discharge)),
            Shade(signals.times, np.fmin(power, charge), charge),
        ),
        height=240,
    )
    share = Track(
        "share of the limit [%]",
        (signals.line("predicted, of the limit", f"{CONTROLLER}.power_budget.share_of_limit", EXTRA, factor=100.0),),
        height=80,
        include=(0.0, 100.0),
    )
    constraints = {code: (name.lower(), colour) for code, (name, colour) in labels_of(Constraint).items()}
    discharge_set = signals.values(f"{CONTROLLER}.discharge_limiter.discharge_constraint")
    charge_set = signals.values(f"{CONTROLLER}.discharge_limiter.charge_constraint")
    bands = (
        Band("discharge set by", signals.times, discharge_set, constraints),
        Band("charge set by", signals.times, charge_set, constraints),
    )
    return Section(
        "Power and its limits",
        "Power at the pack's terminals, positive in discharge, between the limits that the controller keeps; red where it is "
        "beyond one. The strips say which constraint sets each limit; it binds where the share of the limit is close to 100 %.",
        signals.figure(track, share, bands=bands),
    )


def battery_section(signals: DriveSignals) -> Section:
    """Voltage, cells, current, charge."""
    pack = f"{PLANT}.battery"
    return Section(
        "Battery",
        "The pack as it is, not as its controller reports it. Current is positive in discharge.",
        signals.figure(
            Track("pack voltage [V]", (signals.line("pack voltage", f"{pack}.voltage", CAR),), height=110),
            Track(
                "cell voltage [V]",
                (
                    signals.line("highest cell", f"{pack}.cell_voltage_highest", OTHER),
                    signals.line("lowest cell", f"{pack}.cell_voltage_lowest", LIMIT),
                ),
                height=110,
            ),
            Track("current [A]", (signals.line("current", f"{pack}.current", EXTRA),), height=110),
            Track(
                "state of charge [%]", (signals.line("state of charge", f"{pack}.state_of_charge", CAR, factor=100.0),), height=80
            ),
        ),
    )


def handling_section(signals: DriveSignals) -> Section:
    """Yaw rate, lateral acceleration, sideslip, yaw moment."""
    body, yaw_control = f"{PLANT}.body", f"{CONTROLLER}.yaw_control"
    estimate = f"{CONTROLLER}.vehicle_state.sideslip"
    wanted = signals.values(f"{yaw_control}.yaw_moment")
    allocated = wanted - signals.values(f"{CONTROLLER}.allocation.moment_missing")
    return Section(
        "Handling",
        "Yaw rate against the reference of yaw control, positive to the left. The yaw moment that it wants is allocated to the "
        "motors and the wheel brakes together.",
        signals.figure(
            Track(
                "yaw rate [°/s]",
                (
                    signals.line("reference", f"{yaw_control}.yaw_rate_reference", DRIVER, factor=DEGREES, dash="dash"),
                    signals.line("yaw rate", f"{body}.yaw_rate", CAR, factor=DEGREES),
                ),
                include=(-1.0, 1.0),
            ),
            Track(
                "yaw moment [Nm]",
                (
                    Line("wanted", signals.times, wanted, DRIVER, "dash"),
                    Line("allocated", signals.times, allocated, EXTRA),
                ),
                height=110,
                include=(-100.0, 100.0),
            ),
            Track(
                "lateral acceleration [m/s²]",
                (signals.line("lateral acceleration", f"{body}.lateral_acceleration", CAR),),
                height=110,
                include=(-1.0, 1.0),
            ),
            Track(
                "sideslip angle [°]",
                (
                    signals.line("sideslip", f"{body}.sideslip", CAR, factor=DEGREES),
                    signals.line("controller's estimate", estimate, EXTRA, factor=DEGREES, dash="dot"),
                ),
                height=110,
                include=(-0.5, 0.5),
            ),
            bands=(signals.flag("yaw control active", f"{yaw_control}.active", CAR),),
        ),
    )


def wheel_section(signals: DriveSignals) -> Section:
    """Slip and friction of the four wheels."""
    slip, friction = [], []
    for name, wheel, colour, dash in WHEELS:
        rolling = np.abs(signals.values(f"{PLANT}.{wheel}.circumferential_speed"))
        along = np.abs(signals.values(f"{PLANT}.{wheel}.hub_speed_along"))
        moving = np.maximum(rolling, along) > SLIP_LEAST_SPEED
        percent = np.where(moving, 100.0 * signals.values(f"{PLANT}.{wheel}.slip"), np.nan)
        slip.append(Line(name, signals.times, percent, colour, dash))
        friction.append(signals.line(name, f"{PLANT}.{wheel}.friction_used", colour, factor=100.0, dash=dash))
    return Section(
        "Wheels",
        "Longitudinal slip, positive when driving, and how much of the friction between tyre and road each wheel uses along and "
        "across together.",
        signals.figure(
            Track("longitudinal slip [%]", tuple(slip), include=(-2.0, 2.0)),
            Track("friction used [%]", tuple(friction), include=(0.0, 100.0)),
            bands=(
                signals.flag("slip control, front", f"{CONTROLLER}.front.slip_active", FRONT),
                signals.flag("slip control, rear", f"{CONTROLLER}.rear.slip_active", REAR),
            ),
        ),
    )


def temperature_section(signals: DriveSignals) -> Section:
    """Motors, inverters and pack."""
    motors = (
        signals.line("front winding", f"{PLANT}.front.motor.winding_temperature", FRONT),
        signals.line("front rotor", f"{PLANT}.front.motor.rotor_temperature", FRONT, dash="dash"),
        signals.line("front inverter", f"{PLANT}.front.motor.inverter_temperature", FRONT, dash="dot"),
        signals.line("rear winding", f"{PLANT}.rear.motor.winding_temperature", REAR),
        signals.line("rear rotor", f"{PLANT}.rear.motor.rotor_temperature", REAR, dash="dash"),
        signals.line("rear inverter", f"{PLANT}.rear.motor.inverter_temperature", REAR, dash="dot"),
    )
    pack = (
        signals.line("warmest cell", f"{PLANT}.battery.temperature_highest", LIMIT),
        signals.line("coldest cell", f"{PLANT}.battery.temperature_lowest", OTHER),
    )
    return Section(
        "Temperatures",
        "Winding and power stage of both motors, and the pack between its coldest and its warmest cell.",
        signals.figure(Track("motor temperature [°C]", motors, height=110), Track("pack temperature [°C]", pack, height=110)),
    )


def supervisor_section(signals: DriveSignals) -> Section:
    """States, and every fault that was active once READY had been reached."""
    states = labels_of(SupervisorState)
    phases = {
        int(phase): (phase.name.lower().replace("_", "-"), colour)
        for phase, colour in zip(Phase, (DRIVER, OTHER, CAR), strict=True)
    }
    bands = [
        Band("phase of the drive", signals.times, signals.values("car_measurements.phase"), phases),
        Band("supervisor", signals.times, signals.values(f"{CONTROLLER}.supervisor.state"), states),
        signals.flag("torque permitted", f"{CONTROLLER}.supervisor.torque_permitted", CAR),
        signals.flag("torque monitor tripped", f"{CONTROLLER}.torque_monitor.tripped", LIMIT),
    ]
    share = Track(
        "driving torque left [%]",
        (signals.line("driving torque left", f"{CONTROLLER}.supervisor.output_share", CAR, factor=100.0),),
        height=80,
        include=(0.0, 100.0),
    )
    return Section(
        "Supervisor and faults",
        "State of the controller and the faults that were active since it was READY. The curve is the share of the driving "
        "torque that the supervisor leaves: less than 100 % when it limits the car home.",
        signals.figure(share, bands=(*bands, *fault_bands(signals))),
    )


def fault_bands(signals: DriveSignals) -> list[Band]:
    """A strip for every fault that was active since READY: before, sources that have not booted are silent."""
    faults = signals.values(f"{CONTROLLER}.supervisor.faults")
    ready = np.maximum.accumulate(signals.values(f"{CONTROLLER}.supervisor.state") == SupervisorState.READY)
    return [
        flag_band(str(fault.name).replace("_", " ").lower(), signals.times, (faults & fault.value != 0) & ready, LIMIT)
        for fault in Fault
        if np.any(faults[ready] & fault.value)
    ]


def path_section(signals: DriveSignals) -> Section:
    """The way over ground, seen from above, from where the scenario begins."""
    driving = signals.times >= 0.0
    body = signals.result.samples["car_measurements"]["plant"]["body"][driving]
    figure = import_extra("plotly.graph_objects").Figure()
    wanted = signals.result.scenario.path
    if len(wanted) > 1:
        figure.add_scatter(x=wanted[:, 0], y=wanted[:, 1], name="wanted", mode="lines", line={"color": DRIVER, "dash": "dash"})
    every = slice(None, None, max(1, len(body) // 2000))
    figure.add_scatter(
        x=body["x"][every].astype(np.float32),
        y=body["y"][every].astype(np.float32),
        customdata=signals.times[driving][every].astype(np.float32),
        name="driven",
        mode="lines",
        line={"color": CAR},
        meta={"position": "time"},
        hovertemplate="x %{x:.2f} m, y %{y:.2f} m<br>%{customdata:.2f} s<extra></extra>",
    )
    figure.update_layout(
        height=path_height(body["x"], body["y"]),
        margin={"l": 76, "r": 12, "t": 34, "b": 44},
        legend={"orientation": "h", "x": 0.0, "y": 1.0, "yanchor": "bottom"},
        showlegend=True,
        xaxis={"title": {"text": "x [m]"}, "zeroline": False, "range": _padded(body["x"])},
        yaxis={"title": {"text": "y [m]"}, "scaleanchor": "x", "zeroline": False},
    )
    return Section(
        "Path",
        "Position of the centre of gravity from where the scenario begins, x forward and y to the left, equal scales. The ring "
        "is where the car is at the cursor of the other plots.",
        figure,
    )


def _padded(values: Any) -> tuple[float, float] | None:
    """The range of the values with a margin; None where they do not move."""
    if not len(values) or np.ptp(values) < 1.0:
        return None
    margin = 0.03 * float(np.ptp(values))
    return float(values.min()) - margin, float(values.max()) + margin


def path_height(x: Any, y: Any) -> int:
    """Height [px] at which a path of equal scales fills a page's width, within reason."""
    if not len(x):
        return 240
    aspect = float(np.ptp(y)) / max(float(np.ptp(x)), 1.0)
    return int(np.clip(1100.0 * aspect + 110.0, 240.0, 640.0))


def bring_up_section(signals: DriveSignals) -> Section:
    """From power-on until READY: supervisor, relay, DC link."""
    times = np.asarray(signals.result.samples["time"])
    states = signals.values(f"{CONTROLLER}.supervisor.state")
    ready = np.flatnonzero(states == SupervisorState.READY)
    end = float(times[ready[0]]) + SHOWN_AFTER_READY if len(ready) else float(times[-1])
    shown = times <= end
    times = times[shown]

    def line(name: str, path: str, colour: str, dash: str = "solid") -> Line:
        return Line(name, times, signals.values(path)[shown], colour, dash)

    voltages = Track(
        "voltage [V]",
        (
            line("pack, as reported", f"{INPUTS}.battery.voltage", CAR),
            line("DC link, front", f"{INPUTS}.front.dc_voltage", FRONT),
            line("DC link, rear", f"{INPUTS}.rear.dc_voltage", REAR, "dash"),
        ),
        height=170,
    )
    gears = labels_of(Gear)
    bands = (
        Band("supervisor", times, states[shown], labels_of(SupervisorState)),
        flag_band("relay wanted closed", times, signals.values(f"{OUTPUTS}.power.relay_output")[shown], CAR),
        flag_band("relay reported closed", times, signals.values(f"{INPUTS}.battery.relay_closed")[shown], CAR),
        Band("gear", times, signals.values(f"{OUTPUTS}.power.gear")[shown], gears),
    )
    return Section(
        "Bring-up",
        "From power-on until READY, on a time axis of its own: precharge of the DC link, the main relay, and the states of the "
        "supervisor.",
        time_figure([voltages], bands, group="bring-up"),
    )
