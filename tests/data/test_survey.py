"""Survey: the sample is uniform, and the same however rows are cut into blocks; what is refused."""

import gc
import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from multilayer.data import Survey, Table, TableWarning, read_blocks, read_table
from multilayer.errors import InvalidArgumentError, InvalidDataError
from multilayer.randomness import hashed

FRAME = pd.DataFrame(
    {
        "number": np.arange(500.0),
        "text": [f"t{i % 7}" if i % 11 else None for i in range(500)],
        "day": pd.date_range("2024-01-01", periods=500),
    }
)


def cut(frame, sizes):
    """Return a frame in blocks, with their places."""
    ends = [0, *np.cumsum(sizes, dtype=int).clip(max=len(frame)).tolist(), len(frame)]
    return [(a, read_table(frame[a:b])) for a, b in pairwise(ends) if a < b]


def rows_of(survey):
    return np.array(survey.sample).tolist()


# The hash ----------------------------------------------------------------------------------


def test_the_hash_is_splitmix64():
    """Against whole numbers of Python, and the first output of the generator with the seed 0."""

    def mixed(z):
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return z ^ (z >> 31)

    key = int(np.random.default_rng(5).integers(2**64, dtype=np.uint64))
    numbers = np.array([0, 1, 2**62, -1])
    expected = [mixed((int(number) % 2**64) ^ key) for number in numbers]
    assert hashed(numbers, 5).tolist() == expected
    assert mixed(0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF


def test_hashes_of_different_numbers_differ():
    places = np.arange(100_000)
    assert len(np.unique(hashed(places, 0))) == len(places)
    assert (hashed(places, 0) != hashed(places, 1)).all()


# The sample --------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.lists(st.integers(1, 200)), st.integers(1, 600), st.integers(0, 3))
def test_a_sample_does_not_depend_on_blocks(sizes, most_rows, seed):
    survey = Survey.of(cut(FRAME, sizes), most_rows=most_rows, seed=seed)
    at_once = Survey.of(cut(FRAME, []), most_rows=most_rows, seed=seed)
    assert len(survey.sample) == min(most_rows, len(FRAME))
    assert rows_of(survey) == rows_of(at_once)
    assert survey.tallies == at_once.tallies
    assert survey.is_whole == (most_rows >= len(FRAME))
    # The rows are those of their places, in order.
    assert (np.diff(survey.places) > 0).all()
    assert rows_of(survey) == np.array(read_table(FRAME).take(survey.places)).tolist()
    own, all_of = survey.sample["text"], read_table(FRAME).take(survey.places)["text"]
    assert own.texts == list(dict.fromkeys(text for text in all_of.objects() if text))


def test_each_row_is_as_likely_and_each_pair():
    n_rows, n_seeds, most_rows = 40, 1000, 10
    blocks = cut(FRAME[:n_rows], [15, 15])
    is_drawn = np.zeros((n_seeds, n_rows))
    for seed in range(n_seeds):
        is_drawn[seed, Survey.of(blocks, most_rows=most_rows, seed=seed).places] = 1
    share = most_rows / n_rows
    # Counts of rows drawn without replacement: Σ(n − E)²/E, over 1 − (k − 1)/(N − 1) by their
    # covariance, has the chi-square distribution.
    counts = is_drawn.sum(axis=0)
    expected = n_seeds * share
    value = (np.square(counts - expected) / expected).sum() / (1 - (most_rows - 1) / (n_rows - 1))
    assert stats.chi2.sf(value, n_rows - 1) > 1e-4
    pairs = (is_drawn.T @ is_drawn)[np.triu_indices(n_rows, 1)] / n_seeds
    both = share * (most_rows - 1) / (n_rows - 1)
    error = np.sqrt(both * (1 - both) / n_seeds)
    assert np.abs(pairs - both).max() < 5 * error  # of 780 pairs; one in 2,000 would be further


def test_a_quantile_of_the_sample_is_off_by_what_the_docstring_says():
    values = np.random.default_rng(0).permutation(20_000).astype(float)
    blocks = cut(pd.DataFrame({"a": values}), [5000] * 4)
    ranks = [
        np.median(Survey.of(blocks, most_rows=1000, seed=seed).sample["a"].values) / len(values)
        for seed in range(100)
    ]
    assert np.std(ranks) < 1.3 * 0.5 / np.sqrt(1000)  # itself known to 7 %


def test_few_rows_are_held():
    held = []

    def blocks():
        for i in range(100):
            yield i * 50, read_table({"a": np.arange(50)})
            gc.collect()
            held.append(sum(len(each) for each in gc.get_objects() if type(each) is Table))

    survey = Survey.of(blocks(), most_rows=60, seed=0)
    assert len(survey.sample) == 60
    assert max(held) <= 2 * 60 + 2 * 50  # the block that is read, and the one before


# Merging -----------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.data(), st.integers(1, 600))
def test_surveys_merge_to_the_survey_of_all(data, most_rows):
    blocks = cut(FRAME, [100] * 5)
    parts = data.draw(st.lists(st.integers(0, 2), min_size=5, max_size=5))
    order = data.draw(st.permutations(sorted(set(parts))))
    surveys = [
        Survey.of(
            [block for block, part in zip(blocks, parts, strict=True) if part == own],
            most_rows=most_rows,
            seed=0,
        )
        for own in order
    ]
    merged, *others = [pickle.loads(pickle.dumps(survey)) for survey in surveys]
    for other in others:
        merged = merged.merge(other)
    at_once = Survey.of(blocks, most_rows=most_rows, seed=0)
    assert rows_of(merged) == rows_of(at_once)
    assert merged.tallies == at_once.tallies
    assert merged.places.tolist() == at_once.places.tolist()
    assert merged.sample["text"].texts == at_once.sample["text"].texts


def test_what_cannot_be_merged():
    one, other = (Survey.of([block], most_rows=9, seed=0) for block in cut(FRAME, [100])[:2])
    with pytest.raises(InvalidDataError) as twice:
        one.merge(one)
    assert str(twice.value) == "surveys that are merged must be of different rows"
    again = Survey.of(cut(FRAME, [])[:1], most_rows=9, seed=1)
    with pytest.raises(InvalidArgumentError) as unlike:
        other.merge(again)
    assert str(unlike.value) == (
        "surveys that are merged must have the same most_rows, seed and counted columns"
    )


# Files -------------------------------------------------------------------------------------


def of_files(*paths, most_rows=1000):
    places = ((file * 2**40, read_blocks(path, 3)) for file, path in enumerate(paths))

    def blocks():
        for place, tables in places:
            for table in tables:
                yield place, table
                place += len(table)

    return Survey.of(blocks(), most_rows=most_rows, seed=0)


@pytest.fixture
def files(tmp_path):
    for i, frame in enumerate([FRAME[:10], FRAME[10:17]]):
        frame.to_csv(tmp_path / f"{i}.csv", index=False)
    return [tmp_path / "0.csv", tmp_path / "1.csv"]


def test_rows_are_named_as_in_their_files(files):
    survey = of_files(*files)
    origin = survey.sample["number"].origin
    assert origin.table == survey.sample.name == f"{files[0]} and 1 more"
    assert survey.places.tolist() == [*range(10), *range(2**40, 2**40 + 7)]
    assert origin.row(9) == f"row 10 below its header in {files[0]}"
    assert origin.row(12) == f"row 3 below its header in {files[1]}"
    assert survey.sample.take(np.array([12]))["text"].origin.row(0) == origin.row(12)
    alone = of_files(files[1]).sample["number"].origin
    assert (alone.table, alone.row(2)) == (str(files[1]), "row 3 below its header")


def test_rows_behind_those_that_are_left_out_keep_their_names(files, tmp_path):
    path = tmp_path / "broken.csv"
    broken = {3, 25}
    lines = [f"{i},x" + ",,1" * (i in broken) for i in range(60)]
    path.write_text("\n".join(["number,text", *lines]) + "\n")
    FRAME[["number", "text"]][:5].to_csv(files[0], index=False)
    with pytest.warns(TableWarning, match="2 rows are left out"):
        first, *blocks = read_blocks([files[0], path], 10, bad_rows="skip").numbered()
    survey = Survey.of([first, *blocks], most_rows=30, seed=0)
    one, other = (Survey.of(part, most_rows=30, seed=0) for part in (blocks[:1], blocks[1:]))
    for found in (survey, one.merge(other), other):
        for i, number in enumerate(found.sample["number"].objects()):
            name = found.sample["number"].origin.row(i)
            if "0.csv" not in name:
                assert name.startswith(f"row {int(number) + 1} below its header")


def test_rows_without_numbers_in_a_row_keep_their_names(files):
    some = read_table(FRAME).take(np.array([5, 3, 9]))
    survey = Survey.of([(0, some)], most_rows=9, seed=0)
    assert [survey.sample["number"].origin.row(i) for i in range(3)] == ["row 5", "row 3", "row 9"]


def test_blocks_with_other_columns(files):
    FRAME[["number", "day"]].assign(size=1)[:5].to_csv(files[1], index=False)
    with pytest.raises(InvalidDataError) as info:
        of_files(*files)
    assert str(info.value) == (
        f"{files[1]} must have the columns of {files[0]}; missing: text; unexpected: size"
    )


def test_columns_in_another_order_are_the_same(files):
    FRAME[["day", "text", "number"]][10:17].to_csv(files[1], index=False)
    assert of_files(*files).sample.columns == ("number", "text", "day")


def test_numbers_in_one_file_and_text_in_another_are_text(files, tmp_path):
    pytest.importorskip("pyarrow")
    FRAME[:3].assign(text=[1, 2, 2.5]).to_parquet(tmp_path / "2.parquet")
    survey = of_files(files[0], tmp_path / "2.parquet")
    assert survey.sample["text"].objects().tolist()[-4:] == ["t2", "1", "2", "2.5"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"most_rows": 0}, "most_rows of Survey.of must be a positive integer; got 0"),
        ({"seed": -1}, "seed of Survey.of must be a non-negative integer; got -1"),
        ({"blocks": []}, "blocks must yield at least one table; got none"),
    ],
)
def test_what_is_refused(arguments, message):
    arguments = {"blocks": cut(FRAME, []), "most_rows": 5, "seed": 0, **arguments}
    with pytest.raises(InvalidArgumentError) as info:
        Survey.of(**arguments)
    assert str(info.value) == message
