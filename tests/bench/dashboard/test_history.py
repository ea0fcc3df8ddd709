import numpy as np

from bench.dashboard.history import LONGEST, History

SAMPLE = np.dtype([("time", "f8")])


def samples(first, count):
    array = np.zeros(count, dtype=SAMPLE)
    array["time"] = np.arange(first, first + count)
    return array


def times(chunks):
    return [float(time) for chunk in chunks for time in chunk["time"]]


def test_each_reader_gets_what_it_has_not_seen_yet():
    history = History()
    history.add(samples(0, 3))
    seen, chunks = history.since(0)
    assert times(chunks) == [0, 1, 2]
    history.add(samples(3, 2))
    history.add(samples(5, 2))
    assert times(history.since(seen)[1]) == [3, 4, 5, 6]
    assert times(history.since(seen + 1)[1]) == [4, 5, 6]
    assert times(history.latest(3)[1]) == [4, 5, 6]


def test_old_samples_are_let_go_and_late_readers_get_what_is_left():
    history = History()
    for first in range(0, LONGEST + 3000, 1000):
        history.add(samples(first, 1000))
    assert len(history.all()) <= LONGEST
    assert history.has_let_go
    assert times(history.since(0)[1])[-1] == LONGEST + 2999
    assert history.last["time"] == LONGEST + 2999


def test_a_new_run_begins_with_nothing():
    history = History()
    history.add(samples(0, 5))
    seen, _ = history.latest(10)
    history.begin()
    assert history.all() is None
    assert history.last is None
    history.add(samples(0, 2))
    assert times(history.since(seen)[1]) == [0, 1]
    assert history.run == 1
    assert not history.has_let_go
