"""Threads that look before they sleep: what they wait for is said by locks alone."""

import threading

import pytest

from multilayer import compiled
from multilayer.numpy.fast import standby
from multilayer.numpy.fast.standby import ASKED, BEGUN, DONE, Standby
from multilayer.numpy.fast.workers import Workers

needs_numba = pytest.mark.skipif(compiled.numba() is None, reason="without numba nobody looks")


def numbers(made):
    return made._numbers[:, :, 0].tolist()


def ends(call, *arguments):
    """Call in another thread, and return whether it comes to an end."""
    thread = threading.Thread(target=call, args=arguments, daemon=True)
    thread.start()
    thread.join(20)
    return not thread.is_alive()


@pytest.fixture
def patient(monkeypatch):
    """Return a helper's numbers at which threads look for hours."""
    made = Standby(1)
    monkeypatch.setattr(made._loops, "turns", 10**12)
    return made


@needs_numba
def test_a_call_is_handed_over_to_those_who_are_to_get_it():
    made = Standby(3)
    made.want(0, 1)
    made.want(1, 1)
    made.call(2)
    made.want(0, 2)
    made.call(1)
    assert numbers(made) == [[2, 2, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]


@needs_numba
def test_who_looks_sees_what_another_thread_sets(patient):
    looking = threading.Thread(target=patient.look, args=(0, DONE, 2), daemon=True)
    looking.start()
    patient.set(0, DONE, 1)
    looking.join(0.02)
    assert looking.is_alive()
    patient.set(0, DONE, 2)
    looking.join(20)
    assert not looking.is_alive()


@needs_numba
def test_a_number_that_is_there_is_seen_at_once(patient):
    patient.set(0, BEGUN, 3)
    assert ends(patient.look, 0, BEGUN, 3)
    patient.want(0, 3)
    assert ends(patient.call, 1)


def test_nobody_looks_for_ever():
    made = Standby(2)
    assert ends(made.look, 0, ASKED, 1)
    made.want(0, 1)
    assert ends(made.call, 2)  # and nobody begins


@needs_numba
def test_a_clock_that_stands_still_is_no_error(monkeypatch):
    monkeypatch.setattr(standby.time, "perf_counter", lambda: 7.0)
    assert standby._loops.__wrapped__().turns > 0


def test_without_numba_workers_do_the_same(monkeypatch):
    monkeypatch.setattr(standby, "_loops", lambda: None)
    workers = Workers(3)
    try:
        for _ in range(20):
            assert workers.map(abs, [-1, 2, -3]) == [1, 2, 3]
    finally:
        workers.stop()
