"""Numbers written as text: each spelling is the number that a reader takes it for."""

import datetime
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multilayer.data.notation import READ_AS, Notation, find_notation
from multilayer.data.numerals import SCALES, clock, numeral


def read(texts, **how):
    """Return what a column of these texts holds; None if it holds no numbers."""
    found = find_notation(texts, np.ones(len(texts), dtype=int), **how)
    return None if found is None else found.notation.numbers(texts)[0].tolist()


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1", "-2.5", "+3e2", ".5", "7."], [1, -2.5, 300, 0.5, 7]),
        (["1,200", "12,345,678", "850"], [1200, 12345678, 850]),
        (["1,200.50", "7"], [1200.5, 7]),
        (["1.200,50", "7"], [1200.5, 7]),
        (["3,5", "12"], [3.5, 12]),
        (["0,125", "1,250"], [0.125, 1.25]),  # no thousands begin with a zero
        (["1 234,5", "1\u202f234"], [1234.5, 1234]),
        (["1'234.50", "1’234"], [1234.5, 1234]),
        (["12,34,567", "1,00,000"], [1234567, 100000]),  # lakhs
        (["1_000", "20_000"], [1000, 20000]),
        (["$35", "$1,200", "-$5", "$-6"], [35, 1200, -5, -6]),
        (["500 €", "1.250 €"], [500, 1250]),  # money has no three decimals
        (["USD 5", "5 USD"], [5, 5]),
        (["Rs. 500", "Rs. 1,500"], [500, 1500]),
        (["45%", "7 %"], [45, 7]),
        (["72 sqm", "8.5 sqm", "9"], [72, 8.5, 9]),
        (["26 km/h", "30 km/h"], [26, 30]),
        (["5 m2", "7 m2"], [5, 7]),
        (["(12)", "(1.5)", "3"], [-12, -1.5, 3]),  # accountants' negative numbers
        (["−5", "–6", "7"], [-5, -6, 7]),
        (["0", "1", "2", "3+"], [0, 1, 2, 3]),
        (["10,000+", "500+"], [10000, 500]),
        (["1.2k", "3M", "900"], [1200, 3e6, 900]),
        (["16GB", "512MB"], [16e9, 512e6]),
        (["500 g", "1.5 kg"], [500, 1500]),
        (["2 m", "0.5 km"], [2, 500]),
        (["2 years", "3 weeks", "1 day"], [63113904, 1814400, 86400]),
        (["12:30", "1:05:30"], [45000, 3930]),
        (["1234-", "12.5-", "5"], [-1234, -12.5, 5]),
        (["1.234,-", "999,-", "12,50"], [1234, 999, 12.5]),  # no cents
        (["12.-", "CHF 5.–", "1'200.--", "-7.—"], [12, 5, 1200, -7]),
        (["5,-- €", "€ 1.018,-", "(3,-)"], [5, 1018, -3]),
        (["500/-", "1,200/-"], [500, 1200]),
        (["4.1/5", "3/5"], [4.1, 3]),
        (["~1234", "5678", "9", "8"], [1234, 5678, 9, 8]),
        (["<0.5", "1.5", "2"], [0.5, 1.5, 2]),
        (["True", "FALSE", "true"], [1, 0, 1]),
        (["٣", "٤"], [3, 4]),  # digits of other scripts
    ],
)
def test_what_is_a_number(texts, numbers):
    assert read(texts) == numbers


@pytest.mark.parametrize(
    "texts",
    [
        ["02139", "10001"],  # postcodes
        ["T1", "T2"],
        ["w0", "w1"],
        ["1st", "2nd", "3rd"],
        ["10.0.0.1", "192.168.1.17"],
        ["+1 555-0123", "+1 555-0456"],
        ["1.2.3", "1.2.4"],
        ["10-20", "20-30"],
        ["1/2", "3/4"],
        ["5'11", "6'02"],
        ["26.6 km/kg", "19.7 kmpl"],  # two units, of which nobody says what each is worth
        ["< 1 year", "3 years", "10+ years"],
        ["1234567890123456", "1234567890123457"],  # more digits than float64 has
        ["0x1F", "0xFF"],
        ["nan", "inf"],
        ["?", "-"],
        ["yes", "no"],
        ["<=50K", ">50K"],
        ["True", "False", "Unknown"],
        ["1.5", "2,5"],  # two marks for one thing
        ["($5", "6"],
        ["$5€", "$6€"],
        ["--5", "6"],
        [],
    ],
)
def test_what_is_none(texts):
    assert read(texts) is None


def test_marks_of_missing_numbers_are_missing_however_many():
    marks = ["?", "NA", "n/a", "#DIV/0!", "-", "None", "NULL", "\\N", "$ -"]
    assert np.isnan(read([*marks, "5"])[:-1]).all()


def test_a_few_strays_are_missing_among_many_numbers_and_known_from_then_on():
    texts = [str(i) for i in range(99)] + ["Total"]
    found = find_notation(texts, np.ones(100, dtype=int))
    assert found.others == ("Total",)
    notation = replace(found.notation, missing=found.others)
    assert math.isnan(notation.number("Total"))
    assert notation.number("Sum") is None
    # 3 of 100 are no slip, and beside a few numbers another text is a category.
    found = find_notation([*texts[:97], "a", "b", "c"], np.ones(100, dtype=int))
    assert found.notation is None
    says = "has numbers written in more than one way, such as 'a', and is treated as categorical"
    assert found.doubts == ((says, "numeric"),)
    assert find_notation(["1", "2", "A"], np.array([1000, 1000, 1])) is None


def test_whoever_says_that_they_are_numbers_is_believed():
    assert read(["02139", "10001"], is_asked=True) == [2139, 10001]
    found = find_notation(["1", "2", "A"], np.array([1, 1, 1]), is_asked=True)
    assert found.others == ("A",)
    assert find_notation(["A", "B"], np.array([1, 1]), is_asked=True).others == ("A", "B")


def test_what_may_be_either_is_said_and_decided_by_who_knows():
    once = np.ones(2, dtype=int)
    found = find_notation(["1,200", "9,900"], once)
    says = "writes '1,200', which is read as 1200"
    assert found.doubts == ((says, "numeric: decimal comma"),)
    assert (found.is_open, found.shows) == (True, "")
    assert found.notation.number("1,200") == 1200
    found = find_notation(["1,200", "9,900"], once, ",")
    assert (found.doubts, found.notation.number("1,200")) == ((), 1.2)
    # Points with three decimals are what programs write: no doubt, unless others have commas.
    found = find_notation(["1.234", "5.678"], once)
    assert (found.doubts, found.is_open, found.notation.number("1.234")) == ((), True, 1.234)
    assert find_notation(["1.234", "5.678"], once, ",").notation.number("1.234") == 1234
    # Unless whole numbers, which programs would write with a point, are beside them.
    beside = ["900", "3.650", "12.900", "450"]
    found = find_notation(beside, np.ones(4, dtype=int))
    says = "writes '3.650', which is read as 3.65"
    assert found.doubts == ((says, "numeric: decimal comma"),)
    assert found.is_open
    assert find_notation(beside, np.ones(4, dtype=int), ".").doubts == ()
    assert find_notation(beside, np.ones(4, dtype=int), ",").notation.number("3.650") == 3650
    in_km = find_notation(["900 km", "3.650 km"], once)
    assert in_km.doubts == (("writes '3.650 km', which is read as 3.65", "numeric: decimal comma"),)
    for texts in (
        ["500 g", "1.500 kg"],
        ["0.125", "7"],
        ["3.650", "1200"],
        ["3.650", "0"],
        ["3.65", "3.650", "900"],
    ):
        assert find_notation(texts, np.ones(len(texts), dtype=int)).doubts == ()
    assert find_notation(["1.5", "2.25"], once, ",").notation.number("1.5") == 1.5
    assert find_notation(["1,5", "2"], once).shows == ","
    assert find_notation(["1.5", "2"], once).shows == "."
    assert find_notation(["5", "6"], once).is_open is False


@settings(max_examples=200)
@given(
    st.lists(st.floats(-1e12, 1e12).map(lambda x: round(x, 3)), min_size=1, max_size=8),
    st.sampled_from([("{:.3f}", ".", ""), ("{:,.3f}", ".", ","), ("{:,.4f}", ",", ".")]),
)
def test_what_python_writes_is_read_back(numbers, how):
    form, decimal, thousands = how
    texts = [form.format(x) for x in numbers]
    if decimal == ",":
        texts = [text.translate(str.maketrans(",.", ".,")) for text in texts]
    notation = Notation(decimal, thousands)
    assert notation.numbers(texts)[0].tolist() == pytest.approx(numbers, abs=5e-4)
    found = find_notation(texts, np.ones(len(texts), dtype=int), decimal)
    assert found.notation.numbers(texts)[0].tolist() == pytest.approx(numbers, abs=5e-4)


@settings(max_examples=300)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=8, unique=True))
def test_any_text_is_read_or_not_and_nothing_breaks(texts):
    texts = [text.strip() for text in texts if text.strip()]
    for is_asked in (False, True):
        found = find_notation(texts, np.ones(len(texts), dtype=int), is_asked=is_asked)
        if found is not None:
            values, others = found.notation.numbers(texts)
            assert len(values) == len(texts)
            infinite = {texts[i] for i in others} - set(found.others)
            assert all(math.isinf(float(text.replace("∞", "inf"))) for text in infinite)
    for text in texts:
        value = Notation().number(text)
        assert value is None or isinstance(value, float)


@settings(max_examples=200)
@given(st.timedeltas(datetime.timedelta(0), datetime.timedelta(10**5)))
def test_durations_as_pandas_writes_them(duration):
    text = str(pd.Timedelta(duration)).replace("+", "")
    assert clock(text) == pytest.approx(duration.total_seconds(), rel=1e-12, abs=1e-6)


def test_a_numeral_is_taken_apart():
    assert numeral("$1,200.50")[:3] == ("1,200.50", "", "$")
    assert numeral("12 GB").unit == "gb"
    assert numeral("-5").is_negative
    assert numeral("five") is None


def test_it_says_how_it_is_written():
    assert str(Notation()) == ""
    assert str(Notation(",", ".", "€", missing=("Total",))) == (
        "decimal comma, thousands '.', in €, missing where Total"
    )
    assert str(Notation(scale="duration")) == "durations, in seconds"
    assert str(Notation(scale="clock")) == "times, in seconds"
    assert str(Notation(scale="multiple")) == "with k, M and the like"
    assert str(Notation(is_boolean=True)) == "true and false"
    assert READ_AS.keys() == {"clock", *SCALES}
