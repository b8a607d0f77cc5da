"""Workers: each part is done once, errors come through, and waiting in vain is noticed."""

import threading
import time

import pytest
from threadpoolctl import threadpool_limits

from multilayer.numpy.fast import workers as module
from multilayer.numpy.fast.workers import Workers, n_threads, single_threaded_blas


@pytest.fixture
def workers():
    made = Workers(3)
    yield made
    made.stop()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_each_part_is_done_once(workers, n):
    done = []
    for _ in range(50):
        workers.run(done.append, n)
    assert sorted(done) == sorted(list(range(n)) * 50)


def test_parts_are_done_by_threads_of_their_own(workers):
    names = {}
    barrier = threading.Barrier(3, timeout=20)

    def work(part):
        names[part] = threading.current_thread().name
        barrier.wait()

    workers.run(work, 3)
    assert len(set(names.values())) == 3


@pytest.mark.parametrize("failing", [0, 2])
def test_an_error_is_raised_after_all_have_ended(workers, failing):
    ended = []

    def work(part):
        if part == failing:
            raise ZeroDivisionError(part)
        time.sleep(0.02)
        ended.append(part)

    with pytest.raises(ZeroDivisionError):
        workers.run(work, 3)
    assert sorted(ended) == sorted({0, 1, 2} - {failing})
    workers.run(ended.append, 3)  # and they go on
    assert len(ended) == 5


def test_waiting_is_noticed_and_tried_again(workers, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    workers._judge(9.0, 9.0)  # the first run compiles
    workers._judge(0.03, 0.06)  # 0.03 s for 0.06 s of work: two processors' worth
    assert not workers.is_alone
    workers._judge(0.03, 0.031)
    assert workers.is_alone
    ran_in = []
    workers.run(lambda part: ran_in.append(threading.current_thread()), 3)
    assert set(ran_in) == {threading.current_thread()}
    now[0] += module.PAUSE
    assert not workers.is_alone
    workers._judge(0.03, 0.03)  # a second time in a row: twice as long
    now[0] += module.PAUSE
    assert workers.is_alone
    now[0] += module.PAUSE
    assert not workers.is_alone
    for _ in range(20):
        workers._judge(0.03, 0.03)
    assert workers._alone_until - now[0] == module.LONGEST_PAUSE
    now[0] += module.LONGEST_PAUSE
    workers._judge(0.03, 0.06)
    assert workers._pause == module.PAUSE


def test_short_runs_are_judged_together(workers):
    for _ in range(4):
        workers._judge(0.005, 0.005)
    assert not workers.is_alone


def test_a_thread_that_sleeps_is_one_that_waits(workers):
    def work(part):
        if part:
            time.sleep(module.TRIAL)

    for _ in range(2):  # the first run is not judged
        workers.run(work, 2)
    assert workers.is_alone


def blas_threads():
    return [library["num_threads"] for library in module._blas().info()]


def test_blas_is_limited_inside_and_restored_whatever_the_order():
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        first, second = single_threaded_blas(), single_threaded_blas()
        first.__enter__()
        assert set(blas_threads()) == {1}
        second.__enter__()
        assert n_threads() == max(before)  # what BLAS may use, not what it is held to now
        first.__exit__(None, None, None)
        assert set(blas_threads()) == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == before


def test_blas_is_restored_after_an_error():
    before = blas_threads()
    with pytest.raises(ZeroDivisionError), single_threaded_blas():
        raise ZeroDivisionError
    assert blas_threads() == before


def test_the_number_of_threads_is_what_blas_may_use():
    with threadpool_limits(1, user_api="blas"):
        assert n_threads() == 1
