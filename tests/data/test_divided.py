"""Batches divided among ranks: every row once, the same steps for all, in proportion."""

from threading import Barrier, Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multilayer import Architecture
from multilayer.data import Batches, Stream, divided, stream, streamed
from multilayer.data.divided import Divided, StreamedInRanks
from multilayer.data.stream import Rows, StreamWriter
from multilayer.errors import InvalidArgumentError
from multilayer.numpy import Ensemble
from multilayer.randomness import Generators
from multilayer.ranks import Ranks
from multilayer.samples import Data
from multilayer.training import fit


@st.composite
def divisions(draw):
    n_ranks, n_members = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    shape = (n_ranks, n_members)
    counts = np.array(draw(st.lists(st.integers(0, 40), min_size=12, max_size=12)))
    return counts[: n_ranks * n_members].reshape(shape), draw(st.integers(1, 20))


@given(divisions(), st.booleans())
def test_each_row_is_taken_once_in_steps_that_all_ranks_share(division, has_weight):
    counts, size = division
    n_ranks, n_members = counts.shape
    rng = np.random.default_rng(0)
    parts, weights, orders, masses = [], [], [], []
    for rank, own in enumerate(counts):
        n = max(own)
        rows = [np.sort(rng.choice(n, k, replace=False)) for k in own]
        weights.append(rng.random(n) if has_weight else None)
        parts.append(Divided(rows, n, counts, Ranks(rank, n_ranks), batch_size=size, least=1))
        generators = [np.random.default_rng(k) for k in range(n_members)]
        order, mass = parts[-1].epoch(generators, weights[-1])
        orders.append(order)
        masses.append(mass)
    bounds = [[np.broadcast_arrays(*each, own)[:2] for each in p.bounds] for p in parts]
    for k, n in enumerate(counts.sum(axis=0)):
        alone = len(Batches(int(n), batch_size=size)) if n else 0
        assert {part.n_steps[k] for part in parts} == {alone}
        n_taken = np.zeros(alone)
        for rank, (part, order) in enumerate(zip(parts, orders, strict=True)):
            taken = []
            for step, (starts, stops) in enumerate(bounds[rank]):
                assert np.array_equal(bounds[rank][step], bounds[0][step])
                own = order[k, starts[k] + rank : stops[k] : n_ranks]
                assert (
                    len({len(order[k, starts[k] + r : stops[k] : n_ranks]) for r in range(n_ranks)})
                    == 1
                )
                real = own[own < part._filler]
                assert part.is_padded or len(real) == len(own)
                assert step < alone or not len(own)
                taken += real.tolist()
                if step < alone:
                    n_taken[step] += len(real)
                    w = weights[rank]
                    mass = len(real) if w is None else w[real].sum()
                    assert masses[rank][k][step] == pytest.approx(mass)
            assert sorted(taken) == part._rows[k].tolist()
        # Each rank's share of a step is within one row of what is in proportion to its rows.
        assert np.abs(n_taken - n / max(alone, 1)).max(initial=0) < n_ranks


def test_where_all_have_as_many_rows_batches_are_full():
    part = Divided([np.arange(12)], 12, np.array([[12], [12]]), Ranks(1, 2), batch_size=8, least=1)
    assert part.bounds == [(0, 8), (8, 16), (16, 24)]
    assert not part.is_padded


@pytest.fixture
def small(monkeypatch):
    """Parts of some 100 rows, in blocks of some 10."""
    monkeypatch.setattr(stream, "BLOCK_BYTES", 10 * 12)
    monkeypatch.setattr(streamed, "PART_BYTES", 100 * 12)


def in_threads(n_ranks, work):
    """Return what `work` returns in each of some threads, which exchange values as ranks do."""
    values, found, barrier = [None] * n_ranks, [None] * n_ranks, Barrier(n_ranks, timeout=60)

    def run(rank):
        def gather(value):
            values[rank] = value
            barrier.wait()
            seen = list(values)
            barrier.wait()
            return seen

        try:
            found[rank] = work(Ranks(rank, n_ranks, gather))
        except BaseException:
            barrier.abort()
            raise

    threads = [Thread(target=run, args=(rank,)) for rank in range(n_ranks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("most_rows", [None, 300])
@pytest.mark.parametrize("order_bytes", [2**28, 8 * 2 * 3 * 40])
def test_streams_of_unlike_length_have_parts_in_time(
    tmp_path, small, monkeypatch, most_rows, order_bytes
):
    monkeypatch.setattr(divided, "ORDER_BYTES", order_bytes)
    lengths = [500, 90, 7]
    trains_on = np.array([[1, 1, 0], [0, 1, 1]], bool)

    def work(ranks):
        n, first = lengths[ranks.rank], 1000 * ranks.rank
        X = np.arange(first, first + n, dtype=np.float32)[:, np.newaxis]
        slots = np.zeros(n, int) if ranks.rank == 2 else np.arange(n) % 3  # it has no other slots
        with StreamWriter(tmp_path / str(ranks.rank)) as writer:
            writer.add(Rows(X, np.zeros(n, int), None, slots))
            writer.finish()
        own = Stream(tmp_path / str(ranks.rank), most_rows, ranks)
        batches = StreamedInRanks(
            own, lambda *given: Data(*given), batch_size=32, trains_on=trains_on, n_members=2
        )
        assert batches.n_samples == sum(lengths)
        rngs = Generators(np.random.default_rng(k) for k in range(2))
        epochs = []
        for _ in range(8):
            epoch = batches.draw(rngs)
            parts = list(epoch.parts)
            assert len({id(part) for part in parts}) == batches._n_parts
            taken = [[], []]
            for part in parts:
                weight = np.ones(n) if part.data.weight is None else part.data.weight
                for start, stop in part.batches.bounds:
                    for k in range(2):
                        a, b = (np.broadcast_to(each, 2)[k] for each in (start, stop))
                        rows = part.order[k, a + ranks.rank : b : ranks.n_ranks]
                        taken[k] += part.data.X[rows[weight[rows] > 0], 0].tolist()
            epochs.append(([len(part.batches) for part in parts], epoch.n_steps, taken))
        return epochs

    found = in_threads(3, work)
    for epochs in zip(*found, strict=True):
        lengths_of_parts, n_steps, _ = zip(*epochs, strict=True)
        assert all(own == lengths_of_parts[0] for own in lengths_of_parts)
        assert all(own == n_steps[0] for own in n_steps)
    # All rows of a network's slots, and none twice in an epoch.
    for rank, n in enumerate(lengths):
        slots = np.zeros(n, int) if rank == 2 else np.arange(n) % 3
        for k in range(2):
            wanted = 1000 * rank + np.flatnonzero(trains_on[k][slots])
            each = [taken[k] for _, _, taken in found[rank]]
            assert all(len(own) == len(set(own)) for own in each)
            if most_rows is None:
                assert all(sorted(own) == wanted.tolist() for own in each)
            else:
                assert set().union(*each) <= set(wanted.tolist())
    if most_rows is not None:
        for epochs in zip(*found, strict=True):
            n_taken = sum(len(taken[0]) for _, _, taken in epochs)
            assert abs(n_taken - 300 * 2 / 3) < 40  # whole blocks of some 10 rows on each rank


def test_a_stream_in_parts_is_for_networks_with_splits(tmp_path):
    Stream.write(tmp_path, [(np.ones((9, 2)), np.ones(9))])
    net = Ensemble(Architecture(2, (3,), 1), 2, rng=np.random.default_rng(0))
    with pytest.raises(InvalidArgumentError) as caught:
        fit(net, Stream(tmp_path, None, Ranks(0, 2)), loss="squared_error")
    assert str(caught.value) == (
        "splits of fit must be given if each process has a part of the stream"
    )
