"""Workers: each part is done once, errors come through, and waiting in vain is noticed."""

import gc
import os
import signal
import threading
import time
import weakref

import pytest

from multilayer.numpy.fast import workers as module
from multilayer.numpy.fast.workers import Workers


@pytest.fixture
def workers():
    made = Workers(3)
    yield made
    made.stop()


@pytest.mark.parametrize("is_alone", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_each_part_is_done_once(workers, n, is_alone, monkeypatch):
    monkeypatch.setattr(Workers, "is_alone", is_alone)
    done = []

    def work(part):
        done.append(part)
        return 10 * part

    for _ in range(50):
        assert workers.map(work, range(n)) == [10 * part for part in range(n)]
    assert sorted(done) == sorted(list(range(n)) * 50)


def test_there_are_no_more_parts_than_workers(workers):
    with pytest.raises(ValueError, match="longer"):
        workers.map(abs, range(4))


def test_parts_are_done_by_threads_of_their_own(workers):
    names = {}
    barrier = threading.Barrier(3, timeout=20)

    def work(part):
        names[part] = threading.current_thread().name
        barrier.wait()

    workers.map(work, range(3))
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
        workers.map(work, range(3))
    assert sorted(ended) == sorted({0, 1, 2} - {failing})
    workers.map(ended.append, range(3))  # and they go on
    assert len(ended) == 5


def test_waiting_is_noticed_and_tried_again(workers, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.time, "perf_counter", lambda: now[0])
    workers._judge(9.0, 9.0)  # the first run compiles
    workers._judge(0.03, 0.06)  # 0.03 s for 0.06 s of work: two processors' worth
    assert not workers.is_alone
    workers._judge(0.03, 0.031)
    assert not workers.is_alone  # it may have been a moment
    workers._judge(0.03, 0.06)
    workers._judge(0.03, 0.031)
    assert not workers.is_alone
    workers._judge(0.03, 0.031)
    assert workers.is_alone
    ran_in = []
    workers.map(lambda part: ran_in.append(threading.current_thread()), range(3))
    assert set(ran_in) == {threading.current_thread()}
    now[0] += module.PAUSE
    assert not workers.is_alone
    workers._judge(0.03, 0.03)  # one trial is enough after a pause, which is now twice as long
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

    for _ in range(3):  # the first run is not judged
        workers.map(work, range(2))
    assert workers.is_alone


def test_the_time_until_helpers_begin_is_not_work(workers, monkeypatch):
    judged = []
    monkeypatch.setattr(workers, "_judge", lambda elapsed, worked: judged.append((elapsed, worked)))
    monkeypatch.setattr(workers._standby, "call", lambda n: sum(range(3_000_000)))  # some 50 ms
    workers.map(abs, range(3))
    ((elapsed, worked),) = judged
    assert worked < elapsed / 2


def test_an_interrupt_while_a_call_begins_is_made_up_for(workers, monkeypatch):
    helper = workers._helpers[0]
    want = helper.standby.want

    def interrupted(number, call):
        want(number, call)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(helper.standby, "want", interrupted)
        with pytest.raises(KeyboardInterrupt):
            workers.map(abs, range(3))
    for _ in range(3):
        assert workers.map(abs, [-1, -2, -3]) == [1, 2, 3]
    assert len(set(helper.standby._numbers[0, :, 0].tolist())) == 1


def test_a_call_that_is_interrupted_waits_for_the_others(workers):
    ended = []

    def work(part):
        if part == 0:
            raise KeyboardInterrupt
        time.sleep(0.05)
        ended.append(part)

    with pytest.raises(KeyboardInterrupt):
        workers.map(work, range(3))
    assert sorted(ended) == [1, 2]


def test_threads_that_wait_keep_nothing_alive(workers):
    class Work:
        def __call__(self, part):
            pass

    work = Work()
    gone = weakref.ref(work)
    workers.map(work, range(3))
    del work
    gc.collect()
    assert gone() is None


def test_a_child_has_helpers_of_its_own(workers, fork, monkeypatch):
    def names_of_threads():
        barrier, names = threading.Barrier(3, timeout=20), {}

        def work(part):  # by one thread alone it would not end
            names[part] = threading.current_thread().name
            barrier.wait()

        for _ in range(3):
            workers.map(work, range(3))
        workers.stop()
        return len(set(names.values())), threading.active_count()

    monkeypatch.setattr(module, "TRIAL", float("inf"))  # nobody judges whether they pay
    workers.map(lambda part: None, range(3))
    assert fork(names_of_threads, seconds=40).result() == (3, 1)


@pytest.mark.parametrize("ending", [None, SystemExit])
def test_a_child_that_is_forked_by_a_step_does_not_wait_for_the_others(fork, ending):
    def parent():
        parents, end = os.getpid(), threading.Event()
        made = Workers(3)

        def work(part):
            if part:
                end.wait(20)
            elif os.fork() == 0:
                signal.alarm(20)
                if ending is not None:
                    raise ending
            else:
                statuses.append(os.waitstatus_to_exitcode(os.wait()[1]))
                end.set()

        statuses = []
        try:
            made.map(work, range(3))
        except RuntimeError as error:
            is_told = str(error) == "a process forked during a step cannot finish that step"
            os._exit(3 if is_told and os.getpid() != parents else 4)
        except SystemExit:
            os._exit(5)
        made.stop()
        return statuses

    assert fork(parent).result() == [3 if ending is None else 5]
