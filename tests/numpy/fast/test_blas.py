"""BLAS is held to one thread while someone wants it so, and then has its own back."""

import threading

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from multilayer.numpy.fast import blas
from multilayer.numpy.fast.blas import limit_this_thread, n_threads, single_threaded


def now():
    return [
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    ]


def in_another_thread(call):
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


def test_it_is_limited_inside_and_restored_whatever_the_order():
    with threadpool_limits(2, user_api="blas"):
        before = now()
        first, second = single_threaded(), single_threaded()
        first.__enter__()
        assert set(now()) == {1}
        second.__enter__()
        assert n_threads() == min(before)  # what BLAS may use, not what it is held to now
        first.__exit__(None, None, None)
        assert set(now()) == {1}
        second.__exit__(None, None, None)
        assert now() == before


def test_threads_that_end_in_another_order_than_they_began_leave_it_as_it_was():
    with threadpool_limits(2, user_api="blas"):
        before = now()
        first, second = single_threaded(), single_threaded()
        in_another_thread(first.__enter__)
        second.__enter__()
        in_another_thread(lambda: first.__exit__(None, None, None))
        assert set(now()) == {1}
        second.__exit__(None, None, None)
        assert now() == before


def test_a_thread_that_limits_itself_leaves_the_others_able_to():
    with threadpool_limits(2, user_api="blas"):
        before = now()
        with single_threaded():
            in_another_thread(limit_this_thread)
            assert set(now()) == {1}
        assert now() == before
        in_another_thread(lambda: threadpool_limits(1, user_api="blas"))


def test_it_is_restored_after_an_error():
    before = now()
    with pytest.raises(ZeroDivisionError), single_threaded():
        raise ZeroDivisionError
    assert now() == before


def test_the_number_of_threads_is_what_blas_may_use():
    with threadpool_limits(1, user_api="blas"):
        assert n_threads() == 1


def test_a_child_is_not_held_by_its_parents_other_threads(fork):
    def child():
        before = now(), n_threads()
        with single_threaded():
            inside = now()
        return before, inside, now()

    with threadpool_limits(2, user_api="blas"):
        free, theirs = now(), single_threaded()
        in_another_thread(theirs.__enter__)
        ours = fork(child).result()
        # A child may also be left with a context that the other thread has entered.
        left = fork(lambda: (theirs.__exit__(None, None, None), now())[1]).result()
        assert set(now()) == {1}
        theirs.__exit__(None, None, None)
        assert now() == free
    assert ours == ((free, min(free)), [1] * len(free), free)
    assert left == free


def test_a_child_of_the_thread_that_holds_it_is_held_until_it_leaves(fork):
    def child():
        with single_threaded():
            pass
        inside = now()
        ours.__exit__(None, None, None)
        left = now()
        with single_threaded():
            again = now()
        return inside, left, again, now()

    with threadpool_limits(2, user_api="blas"):
        free, ours, theirs = now(), single_threaded(), single_threaded()
        ours.__enter__()
        in_another_thread(theirs.__enter__)
        one = [1] * len(free)
        assert fork(child).result() == (one, free, one, free)
        ours.__exit__(None, None, None)
        assert now() == one
        theirs.__exit__(None, None, None)
        assert now() == free


@pytest.mark.parametrize(
    ("architectures", "expected"),
    [
        ({}, None),
        ({"/opt/intel/libmkl_rt.so": None}, None),
        ({"/env/site-packages/numpy.libs/libopenblas.so": "Haswell"}, "Haswell"),
        ({"/numpy-course/site-packages/scipy.libs/libopenblas.so": "SkylakeX"}, None),
        (
            {
                "/env/site-packages/scipy.libs/libopenblas.so": "Haswell",
                "/env/site-packages/numpy.libs/libopenblas.so": "SkylakeX",
            },
            "SkylakeX",
        ),
        (
            {
                "/conda/site-packages/torch/lib/libblas.so": "Haswell",
                "/conda/lib/libopenblas.so": "Cooperlake",
            },
            "Cooperlake",
        ),
    ],
    ids=str,
)
def test_the_library_of_numpy_is_found_among_others(architectures, expected, monkeypatch):
    class Controller:
        def info(self):
            return [{"filepath": path, "architecture": a} for path, a in architectures.items()]

    monkeypatch.setattr(blas, "_libraries", Controller)
    assert blas.library_of_numpy().get("architecture") == expected
    is_wide = expected in ("SkylakeX", "Cooperlake")
    assert blas.has_wide_kernels.__wrapped__() == is_wide
