import numpy as np
import pytest
from interpreter import needs_compiler

from bench.nodes import operator_panel, rest_bus
from bench.nodes.operator_panel import ARMED, FRONT, HEARTBEAT, REAR, STOP, WORDS
from firmware_model.signals import Gear, Inputs, Outputs
from hil.node import Nothing
from hil.ring import store_word


def test_the_rest_bus_says_what_a_well_car_at_rest_would():
    sensors, commands = Inputs.new()[0], Outputs.new()[0]
    nothing, parameters = Nothing.new()[0], rest_bus.RestBusParameters.new()[0]
    parameters.voltage = 320.0
    rest_bus.step(1e-3, sensors, commands, nothing, nothing, parameters)
    assert sensors.battery.voltage == 320.0
    assert sensors.battery.relay_closed == sensors.battery.interlock == 1
    assert sensors.battery_wide.link.silent == 1  # the wide frame would take the place of the LEAF's
    assert sensors.battery.remaining_energy == 0.6 * 2e8
    assert sensors.pedals.power_switch == 1
    assert sensors.pedals.gear == Gear.DRIVE
    assert sensors.pedals.accelerator == sensors.pedals.brake == 0.0
    assert sensors.wheels.front_left == sensors.motion.yaw_rate == 0.0


class Panel:
    """The panel's node and the words of an operator."""

    def __init__(self):
        self.words = np.zeros(WORDS, dtype=np.int64)
        self.sensors, self.commands = Inputs.new()[0], Outputs.new()[0]
        self.state, self.told, self.parameters = (
            record.new()[0] for record in (operator_panel.PanelState, Nothing, operator_panel.PanelParameters)
        )

    def step(self, dt=1e-3):
        operator_panel.step(dt, self.sensors, self.commands, self.state, self.told, self.parameters, self.words)
        return self.sensors.panel


@needs_compiler
def test_the_panel_says_what_its_operator_wants():
    panel = Panel()
    for place, value in ((ARMED, 1), (STOP, 0), (FRONT, 12_500), (REAR, -3_000), (HEARTBEAT, 1)):
        store_word(panel.words, place, value)
    said = panel.step()
    assert (said.armed, said.emergency_stop, said.front_torque, said.rear_torque) == (1, 0, 12.5, -3.0)
    store_word(panel.words, STOP, 1)
    assert panel.step().emergency_stop == 1


@needs_compiler
def test_a_panel_whose_operator_is_gone_falls_silent_and_speaks_again_when_somebody_is_back():
    panel = Panel()
    assert panel.step().link.silent == 1  # nobody has been there yet
    store_word(panel.words, HEARTBEAT, 1)
    assert panel.step().link.silent == 0
    for _ in range(299):
        panel.step()
    assert panel.sensors.panel.link.silent == 0
    assert panel.state.age == pytest.approx(0.299)
    for _ in range(2):
        panel.step()
    assert panel.sensors.panel.link.silent == 1
    store_word(panel.words, HEARTBEAT, 2)
    assert panel.step().link.silent == 0
