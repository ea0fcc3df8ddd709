import pytest

from bench.comparison.track import Track
from bench.validation.check import Check, Curve, Lab, Measure, MissingError, Plot
from bench.validation.finding import LEVELS, Published
from bench.validation.running import MEASURES, choose, jobs, published, validate
from bench.vehicles import list_vehicles, load_vehicle
from hil.errors import UsageError

TARGETS = published()


def test_every_row_of_the_list_is_there_and_in_order():
    rows = [target.row for target in TARGETS]
    assert rows == sorted(rows)
    assert set(rows) == set(range(1, 27))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.row} {target.vehicle} {target.measure}")
def test_every_published_figure_can_be_measured_and_says_where_it_is_from(target):
    assert target.measure in MEASURES
    assert target.vehicle in dict(list_vehicles())
    assert target.level in LEVELS
    assert target.source
    assert target.tolerance > 0.0 or target.most


def test_no_figure_stands_twice():
    keys = [(target.row, target.vehicle, target.measure, target.charge) for target in TARGETS]
    assert len(set(keys)) == len(keys)


def test_rows_are_chosen_by_number():
    assert {target.row for target in choose([17, 7])} == {7, 17}
    assert choose([]) == TARGETS
    with pytest.raises(UsageError, match="--row 27: there are rows 1 to 26"):
        choose([27])


def test_figures_of_one_drive_share_it():
    launches = [target for target in choose([17, 18]) if target.vehicle == "ariya_e4orce_us"]
    assert len(launches) == 3
    assert len(jobs(launches)) == 1


@pytest.fixture
def lab():
    return Lab(Track(load_vehicle("leaf_plus"), workers=2))


def test_a_check_that_lacks_something_is_told_and_the_others_go_on(lab, monkeypatch):
    def missing(lab, subject):
        raise MissingError("no folder")

    there = Check("there", "There", lambda lab, subject: 3.0, lambda results: [plot_of(results)])
    absent = Check("absent", "Absent", missing, lambda results: [plot_of(results)])
    monkeypatch.setitem(MEASURES, "there", Measure("figure", "s", there, lambda result: result, lambda result: f"{result:g}"))
    monkeypatch.setitem(MEASURES, "absent", Measure("other", "s", absent, lambda result: result))
    targets = [Published(2, "leaf_plus", "absent", 1.0, 0.1, "A", "x"), Published(1, "leaf_40", "there", 3.0, 0.1, "A", "x")]
    done = []
    result = validate(lab, targets, lambda: done.append(1))
    assert [(finding.row, finding.passed, finding.note) for finding in result.findings] == [
        (2, None, "not run: no folder"),
        (1, True, "3"),
    ]
    assert [plot.title for plot in result.plots] == ["leaf_40, 93 % charge"]
    assert len(done) == 2
    assert result.rows_passed == (1, 1)


def plot_of(results):
    return Plot(", ".join(subject.name for subject in results), "", "x", "y", [Curve("c", [0], [0])])
