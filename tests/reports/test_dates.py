"""Dates, moments, durations and times of day, in whatever they come."""

import datetime
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import multilayer
from multilayer import MLPRegressor
from multilayer.data import TableWarning, read_file
from multilayer.data.date_format import DateFormat
from multilayer.errors import InvalidDataError
from multilayer.model import Columns, Date

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

DAYS = pd.date_range("2023-01-05", periods=60, freq="D")
UTC = datetime.UTC


def regressor(**settings):
    given = {"columns": "auto", "solver": "lbfgs", "scale_targets": True, "random_state": 0}
    return MLPRegressor(**{"hidden_layer_sizes": 16, "max_iter": 300} | given | settings)


def assert_alike(X, expected):
    """Assert that a column is what typed dates are, read by itself and by a model of these."""
    inputs = Columns.of(expected).encode(expected)[:]
    columns = Columns.of(X)
    np.testing.assert_array_equal(columns.encode(X)[:], inputs)
    np.testing.assert_array_equal(columns.encode(expected)[:], inputs)
    if not getattr(
        columns.columns[0], "format", DateFormat()
    ).order:  # which typed dates do not show
        np.testing.assert_array_equal(Columns.of(expected).encode(X)[:], inputs)


# How people write them ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%m-%d-%y", "%d.%m.%y",
        "%Y/%m/%d", "%Y.%m.%d", "%Y-%m-%d", "%d %b %Y", "%d-%b-%y", "%d%b%Y", "%d. %B %Y",
        "%d/%b/%Y", "%b %d, %Y", "%B %d %Y", "%A, %d %B %Y", "%a %b %d %Y",
        "%a, %d %b %Y 00:00:00 GMT", "%Y-%m-%dT00:00:00Z", "%a %b %d 00:00:00 %Y",
        "%a %b %d 00:00:00 +0000 %Y", "%d/%b/%Y:00:00:00 +0000", "%m/%d/%Y 12:00:00 AM",
        "%Y-%m-%d 00:00:00.000", "%G-W%V-%u", "%Y%m%d",
    ],
)  # fmt: skip
def test_days_in_every_form(forms, form):
    """The 13th and later days say which of the two is the month."""
    is_utc = any(zone in form for zone in ("GMT", "Z", "+0000"))
    typed = pd.DataFrame({"day": DAYS.tz_localize("UTC") if is_utc else DAYS})
    for X in forms({"day": DAYS.strftime(form).tolist()}).values():
        assert_alike(X, typed)


@pytest.mark.parametrize("mark", ["/", "-"])
def test_days_of_which_nothing_shows_what_is_first(forms, written, train, mark):
    texts = [f"{d:02d}{mark}{m:02d}{mark}2023" for d in range(1, 13) for m in range(1, 13)]
    for X in forms({"day": texts, "x": [str(i) for i in range(144)]}).values():
        with pytest.warns(
            TableWarning,
            match=r"'day' \(dates in which it is unclear whether day or month comes first: "
            r"'date: day first' decides\)$",
        ):
            assert Columns.of(X).needed == ("x",)
        for order, form in (
            ("day first", f"%d{mark}%m{mark}%Y"),
            ("month first", f"%m{mark}%d{mark}%Y"),
        ):
            columns = Columns.of(X, {"day": f"date: {order}"})
            typed = pd.DataFrame(
                {"day": pd.to_datetime(pd.Series(texts), format=form), "x": range(144)}
            )
            np.testing.assert_array_equal(columns.encode(X)[:], columns.encode(typed)[:])
    path = written("x,day,y\n" + "".join(f"{i},{t},{i % 7 / 7}\n" for i, t in enumerate(texts)))
    told = train(path, "--epochs", "1").stderr
    assert "unclear whether day or month comes first: --day-first decides)" in told
    for option in ("--day-first", "--month-first"):
        assert "note" not in train(path, "--epochs", "1", option).stderr
    assert (
        Columns.of(read_file(path, date_order="month first")).columns[1].format.order
        == "month first"
    )


def test_days_in_both_orders_are_left_out_with_the_reason(forms):
    texts = [f"{d}/{1 + d % 12}/2023" for d in range(1, 29)] + [
        f"{1 + d % 12}/{d}/2023" for d in range(1, 29)
    ]
    for X in forms({"day": texts, "x": [str(i) for i in range(56)]}).values():
        with pytest.warns(TableWarning, match=r"'day' \(dates that mix day-first and m"):
            assert Columns.of(X).needed == ("x",)


def test_another_column_shows_the_order():
    X = {
        "day": ["1/2/2023", "3/4/2023", "5/6/2023"] * 20,
        "until": ["31/1/2024", "2/5/2024", "9/9/2024"] * 20,
    }
    assert [column.format.order for column in Columns.of(X).columns] == ["day first"] * 2


def test_years_of_two_digits_are_of_this_century_or_the_last(forms):
    for X in forms({"day": ["15.6.68", "15.6.69", "16.6.99", "17.6.00"] * 5}).values():
        typed = pd.DataFrame(
            {"day": pd.to_datetime(["2068-06-15", "1969-06-15", "1999-06-16", "2000-06-17"] * 5)}
        )
        with pytest.warns(
            TableWarning,
            match="two-digit years, which are read as 1969 to 2068: '15.6.68' is read as 2068",
        ):
            assert_alike(X, typed)
    with pytest.warns(TableWarning, match="'born' of X .*: '12.03.45' is read as 2045"):
        Columns.of({"born": ["12.03.45", "30.11.61", "05.07.52"]})
    near = (datetime.date.today() + datetime.timedelta(days=3000)).strftime("%d.%m.%y")
    Columns.of({"until": ["28.2.98", "31.12.24", near]})
    Columns.of({"until": ["28.02.2045", "31.12.2024", "1.3.2050"]})


# Zones -------------------------------------------------------------------------------------

SUMMER = pd.date_range("2023-03-20", periods=40, freq="7h", tz="UTC").tz_convert("Europe/Berlin")


def test_offsets_that_change_with_summer_time(forms, tmp_path):
    texts = [moment.isoformat() for moment in SUMMER]
    assert {text[-6:] for text in texts} == {"+01:00", "+02:00"}
    typed = pd.DataFrame({"at": SUMMER})
    for X in forms({"at": texts}).values():
        assert_alike(X, typed)
    for X in (
        {"at": list(SUMMER.to_pydatetime())},
        pl.DataFrame({"at": list(SUMMER.to_pydatetime())}),
        pa.table({"at": pa.array(SUMMER)}),
        {"at": SUMMER.tz_convert("Asia/Tokyo")},
        {"at": SUMMER.tz_convert("UTC").strftime("%Y-%m-%d %H:%M:%SZ").tolist()},
    ):
        assert_alike(X, typed)
    hours = SUMMER.tz_convert("UTC").hour.to_numpy()
    model = regressor().fit(typed, np.sin(2 * np.pi * hours / 24))
    assert model.score({"at": texts}, np.sin(2 * np.pi * hours / 24)) > 0.9
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(
        multilayer.load(tmp_path / "m").predict({"at": texts}), model.predict(typed)
    )


@pytest.mark.parametrize(
    "moments",
    [
        ["2023-01-01T00:00:00+01:00", "2023-01-02 00:00"],
        [datetime.datetime(2023, 1, 1, tzinfo=UTC), datetime.datetime(2023, 1, 2)],
        [datetime.datetime(2023, 1, 1, tzinfo=UTC), datetime.date(2023, 1, 2)],
    ],
)
def test_moments_with_a_zone_beside_such_without(moments):
    X = {"at": moments * 10, "x": range(20)}
    with pytest.warns(
        TableWarning, match=r"'at' \(dates with a time zone and dates without one\)$"
    ):
        model = regressor(max_iter=5).fit(X, np.arange(20))
    assert np.isfinite(model.predict(X)).all()


def test_zones_that_come_later_or_are_gone():
    with_zone, without = {"at": SUMMER}, {"at": SUMMER.tz_localize(None)}
    for X, later, wanted in (
        (with_zone, without, "with a time zone, as in training; got dates without"),
        (without, with_zone, "without a time zone, as in training; got dates with a"),
    ):
        with pytest.raises(InvalidDataError, match=f"column 'at' of X must hold dates {wanted}"):
            Columns.of(X).encode(later)
        texts = {"at": [moment.isoformat() for moment in later["at"]]}
        with pytest.raises(
            InvalidDataError, match="column 'at' of X must hold dates; got '2023-03"
        ):
            Columns.of(X).encode(texts)


# Months, quarters, weeks and periods -------------------------------------------------------

MONTHS = pd.date_range("2011-12-01", periods=40, freq="MS")
QUARTERS = pd.date_range("2011-10-01", periods=40, freq="QS")
WEEKS = pd.date_range("2011-12-05", periods=40, freq="7D")


@pytest.mark.parametrize(
    ("days", "write"),
    [
        (MONTHS, lambda d: f"{d:%b-%Y}"),
        (MONTHS, lambda d: f"{d:%b-%y}"),
        (MONTHS, lambda d: f"{d:%b %Y}"),
        (MONTHS, lambda d: f"{d:%B %Y}"),
        (MONTHS, lambda d: f"{d:%Y %b}"),
        (MONTHS, lambda d: f"{d:%Y-%m}"),
        (MONTHS, lambda d: f"{d:%YM%m}"),
        (MONTHS, lambda d: f"{d:%m/%Y}"),
        (MONTHS, lambda d: f"{d.month}/{d.year}"),
        (QUARTERS, lambda d: f"{d.year}Q{d.quarter}"),
        (QUARTERS, lambda d: f"{d.year}-Q{d.quarter}"),
        (QUARTERS, lambda d: f"Q{d.quarter} {d.year}"),
        (QUARTERS, lambda d: f"{d.quarter}Q{d.year}"),
        (WEEKS, lambda d: f"{d:%G-W%V}"),
        (WEEKS, lambda d: f"{d:%GW%V}"),
        (WEEKS, lambda d: str(d.to_period("W"))),
    ],
)
def test_months_quarters_and_weeks(forms, days, write):
    for X in forms({"when": [write(day) for day in days]}).values():
        assert_alike(X, pd.DataFrame({"when": days}))


@pytest.mark.parametrize("freq", ["M", "Q", "W", "D", "h", "min"])
def test_periods_of_pandas_and_their_texts(forms, freq):
    periods = pd.period_range("2020-01-01", periods=40, freq=freq)
    typed = pd.DataFrame({"when": periods.start_time})
    for X in (pd.DataFrame({"when": periods}), {"when": list(periods)}):
        assert_alike(X, typed)
    for X in forms({"when": periods.astype(str).tolist()}).values():
        assert_alike(X, pd.DataFrame({"when": periods}))


# Whole numbers -----------------------------------------------------------------------------

COMPACT = [int(day) for day in DAYS.strftime("%Y%m%d")]


@pytest.mark.parametrize(
    "convert",
    [
        lambda numbers: {"day": numbers},
        lambda numbers: {"day": np.array(numbers, dtype=float)},
        lambda numbers: pl.DataFrame({"day": numbers}),
        lambda numbers: pd.DataFrame({"day": pd.array(numbers, dtype="Int64")}),
        lambda numbers: pa.table({"day": numbers}),
        lambda numbers: {"day": [str(number) for number in numbers]},
    ],
)
def test_dates_as_whole_numbers(convert):
    X, typed = convert(COMPACT), pd.DataFrame({"day": DAYS})
    assert_alike(X, typed)
    assert isinstance(Columns.of(X, {"day": "numeric"}).columns[0].median, float)


@pytest.mark.parametrize("other", [0, 99999999, 20231301, -1])
@pytest.mark.parametrize("n", [1, 20])
@pytest.mark.parametrize("kind", [int, float, str])
def test_whole_numbers_some_of_which_are_no_dates(kind, n, other):
    X = {"day": [kind(number) for number in COMPACT + [other] * n]}
    with pytest.warns(TableWarning, match=f"'day' of X has .*'{other}.*' at row 60"):
        columns = Columns.of(X)
    typed = pd.DataFrame({"day": [*DAYS, *[None] * n]})
    np.testing.assert_array_equal(columns.encode(X)[:], Columns.of(typed).encode(typed)[:])
    plain = Columns.of(pd.DataFrame({"day": DAYS}))
    with pytest.warns(
        TableWarning, match=f"'day' of X has '{other}.*' at row 1, which is not a date"
    ):
        plain.encode({"day": [kind(COMPACT[0]), kind(other)]})


def test_other_whole_numbers_are_no_dates():
    X = {
        "price": [20_240_000 + 977 * i for i in range(60)],
        "year": [1990 + i % 30 for i in range(60)],
    }
    X["few"] = [20230101, 20230102] * 30
    assert [column.kind for column in Columns.of(X).columns] == ["numeric"] * 3
    assert Columns.of(X, {"few": "date"}).columns[2].kind == "date"


# The first and the last --------------------------------------------------------------------

FAR = ["9999-12-31", "0001-01-01", *(f"2023-05-{day}" for day in range(10, 30))]


@pytest.mark.parametrize("zero", ["0000-00-00", "0000-00-00 00:00:00", "00/00/0000", "00.00.0000"])
def test_the_last_day_and_the_first_and_none(forms, zero):
    dates = [datetime.date.fromisoformat(day) for day in FAR]
    typed = {"day": [*dates, None]}
    for X in forms({"day": [*FAR, zero]}).values():
        assert_alike(X, typed)


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.DataFrame, pa.table, dict])
def test_days_beyond_those_of_nanoseconds(convert, tmp_path):
    typed = {"day": [datetime.date.fromisoformat(day) for day in FAR] * 3}
    moments = {"day": [datetime.datetime.combine(day, datetime.time()) for day in typed["day"]]}
    for X in (convert(typed), convert(moments), {"day": np.array(FAR * 3, dtype="datetime64[D]")}):
        assert_alike(X, typed)
    y = np.array([50, -50, *range(20)] * 3)
    model = regressor().fit(convert(typed), y)
    assert model.score(convert(moments), y) > 0.9
    pytest.importorskip("onnxruntime")
    model.export(tmp_path / "m.onnx", sample=convert(typed))


# Durations and times of day ----------------------------------------------------------------

SPANS = [datetime.timedelta(days=i % 5, hours=i % 24, minutes=i) for i in range(50)]
CLOCKS = [datetime.time(i % 24, i % 60, i % 7) for i in range(50)]


def in_letters(span):
    return f"{span.days}d {span.seconds // 3600}h {span.seconds // 60 % 60}m"


def in_iso(span):
    return f"P{span.days}DT{span.seconds // 3600}H{span.seconds // 60 % 60}M"


@pytest.mark.parametrize(
    "write",
    [
        str,
        lambda span: str(pd.Timedelta(span)),
        in_letters,
        in_iso,
        lambda span: in_letters(span)[3:],
    ],
)
def test_durations_typed_or_as_text(forms, write):
    spans = [span - datetime.timedelta(span.days) for span in SPANS]
    spans = SPANS if write(SPANS[-1]) != write(spans[-1]) else spans  # where days are written
    seconds = {"took": [span.total_seconds() for span in spans]}
    expected = Columns.of(seconds).encode(seconds)[:]
    typed = [convert({"took": spans}) for convert in (dict, pd.DataFrame, pl.DataFrame, pa.table)]
    typed.append({"took": np.array(spans, dtype="timedelta64[s]")})
    for X in typed:
        np.testing.assert_array_equal(Columns.of(X).encode(X)[:], expected)
        for later in forms({"took": [write(span) for span in spans]}).values():
            np.testing.assert_array_equal(Columns.of(X).encode(later)[:], expected)
            np.testing.assert_array_equal(Columns.of(later).encode(X)[:], expected)


def test_negative_durations(forms):
    spans = [datetime.timedelta(hours=hours) for hours in range(-30, 30)]
    typed = {"late": spans}
    for write in (str, lambda span: str(pd.Timedelta(span))):
        for X in forms({"late": [write(span) for span in spans]}).values():
            assert_alike(X, typed)


@pytest.mark.parametrize("write", [str, "{:%H:%M:%S}".format, "{:%I:%M:%S %p}".format])
def test_times_of_day_typed_or_as_text(forms, write):
    seconds = {"at": [t.hour * 3600 + t.minute * 60 + t.second for t in CLOCKS]}
    expected = Columns.of(seconds).encode(seconds)[:]
    for X in (
        {"at": CLOCKS},
        pd.DataFrame({"at": CLOCKS}),
        pl.DataFrame({"at": CLOCKS}),
        pa.table({"at": CLOCKS}),
    ):
        np.testing.assert_array_equal(Columns.of(X).encode(X)[:], expected)
        for later in forms({"at": [write(each) for each in CLOCKS]}).values():
            np.testing.assert_array_equal(Columns.of(X).encode(later)[:], expected)
            np.testing.assert_array_equal(Columns.of(later).encode(X)[:], expected)


@pytest.mark.parametrize(
    ("texts", "seconds"),
    [
        (["9 am", "12 pm", "12 am"], [32400, 43200, 0]),
        (["9:05 a.m.", "3:30 p.m."], [32700, 55800]),
        (["14h30", "9h05"], [52200, 32700]),
        (["2h 50m", "19h", "25m"], [10200, 68400, 1500]),
        (["1 hour 30 minutes", "45 min", "2 hours"], [5400, 2700, 7200]),
        (["36:00", "1:30"], [129600, 5400]),
        (["90 min", "2 h"], [5400, 7200]),
    ],
)
def test_what_else_people_write(forms, texts, seconds):
    for X in forms({"a": texts}).values():
        expected = Columns.of({"a": seconds}).encode({"a": seconds})[:]
        np.testing.assert_array_equal(Columns.of(X).encode(X)[:], expected)


# All of it at once -------------------------------------------------------------------------


def test_a_file_of_dates_is_learned_and_another_process_predicts_it(written, mlp, train, tmp_path):
    rng = np.random.default_rng(3)
    days = pd.Timestamp("2022-01-01") + pd.to_timedelta(rng.integers(0, 700, 300), unit="D")
    frame = pd.DataFrame({
        "when": days.strftime("%d.%m.%Y"),
        "from": [f"{hour:02d}:30" for hour in rng.integers(0, 24, 300)],
        "took": [f"{minutes // 60}h {minutes % 60}m" for minutes in rng.integers(61, 900, 300)],
        "y": ((days - days.min()).days + rng.normal(0, 5, 300)).round(1),
    })  # fmt: skip
    path = written(frame.to_csv(index=False, sep=";", decimal=","))
    result = train(path, "--optimizer", "lbfgs", "--save", tmp_path / "m")
    assert "note" not in result.stderr
    assert isinstance(multilayer.load(tmp_path / "m").inputs.columns[0], Date)
    first = str(mlp("predict", tmp_path / "m", path).stdout.splitlines()[1])
    program = (
        "import datetime as d, multilayer; print(multilayer.load('m').predict([{"
        f"'when': d.date({days[0].year}, {days[0].month}, {days[0].day}), "
        f"'from': d.time({int(frame['from'][0][:2])}, 30), 'took': '{frame['took'][0]}'}}])[0])"
    )
    found = subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, check=True,
                           capture_output=True, text=True,
                           env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    assert float(found.stdout) == pytest.approx(float(first), rel=1e-5)


@pytest.mark.parametrize("day", ["2023-02-30", "soon", "32.01.2023"])
def test_one_day_that_is_none(forms, day):
    texts = [*DAYS.strftime("%Y-%m-%d"), day]
    for X in forms({"day": texts}).values():
        with pytest.warns(
            TableWarning, match=f"'day' of .* has '{day}' at row .*, which is not a date"
        ):
            columns = Columns.of(X)
        assert columns.columns[0].has_missing
        columns.encode(X)  # which it knows by now
