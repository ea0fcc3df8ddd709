"""Lanes, cones and the verdict of the double lane change."""

import math

import numpy as np
import pytest

from bench.comparison import lane_change
from bench.comparison.contenders import THIS
from bench.comparison.lane_change import Outline
from bench.comparison.track import Trace, Trial
from bench.vehicles import load_vehicle

WIDTH = 1.79
OUTLINE = Outline(front=2.2, rear=2.28, half_width=0.5 * WIDTH)
LANES = lane_change.lanes_for(WIDTH)


def drive_along(way: np.ndarray, speed: float = 20.0) -> Trace:
    """A car that follows a way without sideslip."""
    x = np.arange(0.0, way[-1, 0], 0.02)
    y = np.interp(x, way[:, 0], way[:, 1])
    signals = {"time": x / speed, "x": x, "y": y, "yaw": np.arctan(np.gradient(y, x)), "speed": np.full_like(x, speed)}
    return Trace(Trial(THIS, lane_change.lane_change(72.0, way)), signals)


def test_lanes_are_those_of_the_standard() -> None:
    first, third, fifth = LANES
    assert [lane.left - lane.right for lane in LANES] == pytest.approx([1.1 * WIDTH + 0.25, WIDTH + 1.0, 3.0])
    assert [lane.end - lane.begin for lane in LANES] == pytest.approx([12.0, 11.0, 12.0])
    assert (third.begin - first.end, fifth.begin - third.end) == pytest.approx((13.5, 12.5))
    assert fifth.end - first.begin == pytest.approx(61.0)
    assert third.right - first.left == pytest.approx(1.0)
    assert fifth.right == first.right
    wide = lane_change.lanes_for(2.3)[2]
    assert wide.left - wide.right == pytest.approx(1.3 * 2.3 + 0.25)


def test_cones_stand_on_both_edges_and_at_both_ends() -> None:
    cones = lane_change.cones_of(LANES)
    for lane in LANES:
        for corner in ((lane.begin, lane.left), (lane.end, lane.left), (lane.begin, lane.right), (lane.end, lane.right)):
            assert np.any(np.all(np.isclose(cones, corner), axis=1))


@pytest.mark.parametrize("earlier", lane_change.EARLIER)
@pytest.mark.parametrize("room", lane_change.ROOMS)
def test_the_wanted_way_is_clean_for_a_car_that_follows_it(earlier: float, room: float) -> None:
    way = lane_change.way_through(LANES, OUTLINE, earlier, room)
    assert way[0, 1] == pytest.approx(0.0, abs=1e-3)
    assert lane_change.is_clean(drive_along(way), LANES, OUTLINE)


def test_the_wanted_way_keeps_its_room_and_bends_less_with_less_of_it() -> None:
    bends = []
    for room in (0.1, 0.6):
        way = lane_change.way_through(LANES, OUTLINE, 0.0, room)
        bends.append(float(np.sum(np.diff(way[:, 1], 2) ** 2)))
        trace = drive_along(way)
        for corner in lane_change.corner_ways(trace, OUTLINE):
            inside = (corner[:, 0] > LANES[1].begin) & (corner[:, 0] < LANES[1].end)
            least = room * (0.5 * (LANES[1].left - LANES[1].right) - OUTLINE.half_width)
            assert np.min(LANES[1].left - corner[inside, 1]) > least - 0.03
            assert np.min(corner[inside, 1] - LANES[1].right) > least - 0.03
    assert bends[0] < bends[1]


def test_straight_on_is_not_clean() -> None:
    straight = np.array([[0.0, 0.0], [110.0, 0.0]])
    assert not lane_change.is_clean(drive_along(straight), LANES, OUTLINE)
    assert lane_change.is_clean(drive_along(straight), LANES[:1], OUTLINE)


def test_a_corner_over_the_edge_is_not_clean_even_between_two_cones() -> None:
    x = np.linspace(0.0, 110.0, 1000)
    room = 0.5 * (LANES[0].left - LANES[0].right) - OUTLINE.half_width
    for aside, clean in ((0.9 * room, True), (1.1 * room, False)):
        bump = aside * np.exp(-(((x - LANES[0].begin - 4.5) / 0.7) ** 2))
        trace = drive_along(np.column_stack([x, bump]))
        trace.signals["yaw"][:] = 0.0
        assert lane_change.is_clean(trace, LANES[:1], OUTLINE) is clean


def test_a_cone_between_the_corners_of_a_turned_car_is_hit() -> None:
    trace = drive_along(np.array([[0.0, 0.0], [20.0, 0.0]]))
    trace.signals["yaw"][:] = 0.5 * math.pi  # sideways: the corners straddle y = 0
    assert lane_change.runs_over(trace, 10.0, 2.0, OUTLINE)
    assert lane_change.runs_over(trace, 10.0, -2.2, OUTLINE)
    assert not lane_change.runs_over(trace, 10.0, 2.3, OUTLINE)


def test_a_car_that_does_not_come_out_is_not_clean() -> None:
    way = lane_change.way_through(LANES, OUTLINE, 0.0, 0.5)
    trace = drive_along(way)
    assert not lane_change.is_clean(trace.before(2.0), LANES, OUTLINE)


def test_the_outline_is_the_vehicles() -> None:
    outline = lane_change.outline_of(load_vehicle("leaf_twin_motor"))
    assert outline.front + outline.rear == pytest.approx(4.48)
    assert outline.half_width == pytest.approx(0.895)
