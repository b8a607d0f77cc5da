"""Threads that look before they sleep: what they wait for is said by locks alone."""

import threading

import pytest

from multilayer import compiled
from multilayer.numpy.fast import standby
from multilayer.numpy.fast.standby import ASKED, BEGUN, DONE, Standby
from multilayer.numpy.fast.workers import Workers

needs_numba = pytest.mark.skipif(compiled.numba() is None, reason="without numba nobody looks")


def counts(made):
    return made._counts[:, :, 0].tolist()


@needs_numba
def test_a_call_is_handed_over_to_those_who_are_wanted():
    made = Standby(3)
    made.want(0)
    made.want(1)
    made.call(2)
    made.want(0)
    made.call(1)
    assert counts(made) == [[2, 2, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]


@needs_numba
def test_who_looks_sees_what_another_thread_counts(monkeypatch):
    made = Standby(1)
    monkeypatch.setattr(made._loops, "turns", 10**12)  # it would look for hours
    looking = threading.Thread(target=made.look, args=(0, DONE, 2), daemon=True)
    looking.start()
    made.count(0, DONE, 1)
    looking.join(0.02)
    assert looking.is_alive()
    made.count(0, DONE, 2)
    looking.join(20)
    assert not looking.is_alive()


def test_nobody_looks_for_ever():
    made = Standby(1)
    made.look(0, ASKED, 1)
    made.want(0)
    made.call(1)  # and nobody begins


def test_a_count_that_is_there_is_seen_at_once():
    made = Standby(1)
    made.count(0, BEGUN, 1)
    made.look(0, BEGUN, 1)


def test_without_numba_workers_do_the_same(monkeypatch):
    monkeypatch.setattr(standby, "_loops", lambda: None)
    workers = Workers(3)
    try:
        for _ in range(20):
            assert workers.map(abs, [-1, 2, -3]) == [1, 2, 3]
    finally:
        workers.stop()
