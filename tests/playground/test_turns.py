import threading
import time

import pytest

from multilayer.playground.turns import Turns

PATIENCE = 60  # seconds


def wait_until(is_so):
    until = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_turns_come_in_the_order_in_which_they_were_asked_for():
    turns, order = Turns(1), []

    def work(name):
        with turns.take():
            order.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    with turns.take():
        for n, thread in enumerate(threads):
            thread.start()
            wait_until(lambda n=n: turns.n_waiting == n + 1)
        assert order == []
    for thread in threads:
        thread.join(PATIENCE)
    assert order == list(range(8))
    assert turns.n_waiting == 0


@pytest.mark.parametrize("n", [1, 3])
def test_so_many_work_at_once_and_no_more(n):
    turns, lock = Turns(n), threading.Lock()
    at_once, most = 0, 0
    together = threading.Barrier(n)

    def work():
        nonlocal at_once, most
        with turns.take():
            with lock:
                at_once += 1
                most = max(most, at_once)
            together.wait(PATIENCE)  # until n are here
            with lock:
                at_once -= 1

    threads = [threading.Thread(target=work) for _ in range(20 * n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert (at_once, most) == (0, n)


def test_a_turn_ends_with_an_error_too():
    turns = Turns(1)
    with pytest.raises(ZeroDivisionError), turns.take():
        raise ZeroDivisionError
    with turns.take():
        assert turns.n_waiting == 0
