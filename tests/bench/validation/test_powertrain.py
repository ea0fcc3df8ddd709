import numpy as np
import pytest

from bench.comparison.contenders import THIS
from bench.comparison.track import Trace, Trial
from bench.validation import powertrain
from bench.validation.powertrain import MEASURES
from bench.validation.straight import full_throttle

TIME = np.arange(0.0, 5.0, 1e-3)


def trace(**signals):
    return Trace(Trial(THIS, full_throttle(1.0, 0.9)), {"time": TIME, **signals})


def request():
    return np.clip(1430.0 * (TIME - 1.0), 0.0, 300.0) - np.clip(1620.0 * (TIME - 3.0), 0.0, 300.0)


@pytest.mark.parametrize("lag", [0.0, 0.03, 0.06])
def test_the_lag_of_the_report_is_found_in_whole_frames(lag):
    run = trace(front_commanded=request(), front_reported=np.interp(TIME - lag, TIME, request()))
    assert MEASURES["torque_lag"].of(run) == pytest.approx(1e3 * lag)


def test_slew_is_read_over_a_tenth_of_a_second():
    run = trace(front_commanded=request())
    assert MEASURES["torque_rise_rate"].of(run) == pytest.approx(1430.0, rel=0.02)
    assert MEASURES["torque_fall_rate"].of(run) == pytest.approx(1620.0, rel=0.02)


def test_regeneration_is_judged_while_it_is_steady():
    power = np.where(TIME < powertrain.BRAKE_AT + powertrain.STEADY_AFTER, 0.0, -19.0)
    run = trace(battery_power=power, charge_limit=np.full_like(TIME, 20.0))
    assert MEASURES["regeneration_share"].of(run) == pytest.approx(95.0)
