"""Numbers written as text: whatever marks them, they are the numbers that a reader sees."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV

import multilayer
from multilayer import MLPRegressor
from multilayer.data import TableWarning, read_file
from multilayer.model import Columns

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
AMOUNTS = np.round(RNG.normal(0, 20_000, 120), 2)
POSITIVE = np.abs(AMOUNTS)
WHOLE = np.rint(POSITIVE)
SHARES = np.round(RNG.uniform(0, 100, 120), 1)


def regressor(**settings):
    given = {"columns": "auto", "solver": "lbfgs", "scale_targets": True, "random_state": 0}
    return MLPRegressor(**{"hidden_layer_sizes": 16, "max_iter": 300} | given | settings)


def indian(number):
    """Write two decimals, with commas after three digits and then after two."""
    whole, _, decimals = f"{number:.2f}".partition(".")
    groups, whole = [whole[-3:]], whole[:-3]
    while whole:
        groups, whole = [whole[-2:], *groups], whole[:-2]
    return f"{','.join(groups)}.{decimals}"


def of(form):
    return lambda number: form.format(number)


def swapped(text):
    """Make a decimal comma and points between thousands of a point and commas."""
    return text.translate(str.maketrans(".,", ",."))


def in_script(zero):
    return lambda number: f"{number:.0f}".translate({48 + i: zero + i for i in range(10)})


def bracketed(form):
    """Write negative numbers as accountants do."""

    def write(number):
        text = form.format(f"{abs(number):,.2f}")
        return f"({text})" if number < 0 else text

    return write


def in_units(number, large, small, worth, least):
    """Write a number in the larger unit from so many of the smaller one on."""
    return large.format(number / worth) if number >= worth else small.format(number / least)


ARABIC = str.maketrans("0123456789.,", "٠١٢٣٤٥٦٧٨٩٫٬")
FULL = {code: code + 0xFEE0 for code in range(33, 127)}
WRITTEN = {
    "a Unicode minus": (AMOUNTS, lambda x: f"{x:.2f}".replace("-", "−")),
    "an en dash": (AMOUNTS, lambda x: f"{x:.2f}".replace("-", "–")),
    "a small minus": (AMOUNTS, lambda x: f"{x:.2f}".replace("-", "﹣")),
    "a blank behind the minus": (AMOUNTS, lambda x: f"{x:.2f}".replace("-", "- ")),
    "a dash and a blank": (AMOUNTS, lambda x: f"{x:.2f}".replace("-", "– ")),
    "a minus behind": (AMOUNTS, lambda x: f"{-x:.2f}-" if x < 0 else f"{x:.2f}"),
    "signs of both kinds": (AMOUNTS, of("{:+.2f}")),
    "blanks between thousands": (AMOUNTS, lambda x: f"{x:,.2f}".replace(",", " ")),
    "no-break spaces": (AMOUNTS, lambda x: f"{x:,.2f}".replace(",", "\u00a0")),
    "thin spaces": (AMOUNTS, lambda x: f"{x:,.2f}".replace(",", "\u2009")),
    "narrow spaces, a comma": (AMOUNTS, lambda x: swapped(f"{x:,.2f}").replace(".", "\u202f")),
    "apostrophes": (AMOUNTS, lambda x: f"{x:,.2f}".replace(",", "'")),
    "curly apostrophes": (AMOUNTS, lambda x: f"{x:,.2f}".replace(",", "’")),
    "curly apostrophes that open": (AMOUNTS, lambda x: f"{x:,.2f}".replace(",", "‘")),
    "underscores": (AMOUNTS, lambda x: f"{x:,.2f}".replace(",", "_")),
    "commas": (AMOUNTS, of("{:,.2f}")),
    "points and a comma": (AMOUNTS, lambda x: swapped(f"{x:,.2f}")),
    "Indian groups": (POSITIVE, indian),
    "Indian rupees": (POSITIVE, lambda x: f"₹ {indian(x)}/-"),
    "Indian rupees by name": (POSITIVE, lambda x: f"Rs.{indian(x)}"),
    "accountants' brackets": (AMOUNTS, bracketed("{}")),
    "brackets around dollars": (AMOUNTS, bracketed("${}")),
    "dollars before brackets": (AMOUNTS, lambda x: f"$ {bracketed('{}')(x)}"),
    "dollars before and behind the minus": (AMOUNTS, lambda x: f"${x:,.2f}".replace("$-", "-$")),
    "percent": (SHARES, of("{}%")),
    "percent, apart": (SHARES, of("{} %")),
    "percent in brackets": (AMOUNTS, lambda x: f"({-x}%)" if x < 0 else f"{x}%"),
    "installs": (WHOLE * 100, of("{:,.0f}+")),
    "millions and thousands": (1000 * WHOLE, lambda x: in_units(x, "{}M", "{}k", 1e6, 1e3)),
    "millions of euros": (1000 * WHOLE, lambda x: in_units(x, "€{}M", "€{}K", 1e6, 1e3)),
    "lakhs and crores": (1e5 * WHOLE, lambda x: in_units(x, "{} Cr", "{} Lac", 1e7, 1e5)),
    "a unit": (SHARES, of("{} bhp")),
    "a unit with a slash": (SHARES, of("{} km/h")),
    "grams beside kilograms": (WHOLE, lambda x: in_units(x, "{} kg", "{} g", 1e3, 1)),
    "ratings": (np.round(SHARES / 20, 1), of("{}/5")),
    "ratings, apart": (np.round(SHARES / 20, 1), of("{} /5")),
    "about": (WHOLE, of("~{:.0f}")),
    "about, apart": (WHOLE, of("≈ {:.0f}")),
    "Arabic digits": (WHOLE, in_script(0x660)),
    "Persian digits": (WHOLE, in_script(0x6F0)),
    "Arabic digits and marks": (POSITIVE, lambda x: f"{x:,.2f}".translate(ARABIC)),
    "digits of Devanagari": (WHOLE, in_script(0x966)),
    "digits of full width": (AMOUNTS, lambda x: f"{x:.2f}".translate(FULL)),
    "text that Excel is to keep": (AMOUNTS, of('="{:.2f}"')),
    "exponents": (AMOUNTS, of("{:.7E}")),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_they_are_the_same_numbers(forms, name):
    numbers, write = WRITTEN[name]
    texts = [write(number) for number in numbers.tolist()]
    expected = Columns.of({"a": numbers})
    for form, X in forms({"a": texts}).items():
        columns = Columns.of(X)  # warnings are errors: there is no doubt
        np.testing.assert_allclose(
            columns.encode(X)[:], expected.encode({"a": numbers})[:], rtol=1e-6, atol=1e-6
        )
        (one,) = columns.encode({"a": texts[:1]})[:]
        np.testing.assert_allclose(one, columns.encode(X)[:][0], err_msg=form)


@pytest.mark.parametrize("name", ["a Unicode minus", "Indian rupees", "dollars before brackets",
                                  "grams beside kilograms", "millions of euros"])  # fmt: skip
def test_they_are_learned_in_training_validation_and_search(tmp_path, name):
    numbers, write = WRITTEN[name]
    X = {"a": [write(number) for number in numbers.tolist()]}
    y = 100 * np.sin(Columns.of({"a": numbers}).encode({"a": numbers})[:][:, 0])
    part, rest = ({"a": X["a"][:90]}, {"a": X["a"][90:]})
    model = regressor(early_stopping="loss").fit(part, y[:90], X_val=rest, y_val=y[90:])
    assert model.score(rest, y[90:]) > 0.9
    assert (
        GridSearchCV(regressor(), {"alpha": [1e-4]}, cv=2).fit(pd.DataFrame(X), y).best_score_ > 0.9
    )
    model.save(tmp_path / "m.safetensors")
    frame = pl.DataFrame(rest)
    np.testing.assert_array_equal(
        multilayer.load(tmp_path / "m.safetensors").predict(frame), model.predict(rest)
    )


def test_another_process_reads_them_as_training_did(tmp_path):
    X = {"a": [f"{x:,.2f} €".translate(str.maketrans(".,", ",.")) for x in AMOUNTS]}
    model = regressor(max_iter=20).fit(X, AMOUNTS)
    model.save(tmp_path / "m.safetensors")
    program = (
        "import multilayer; "
        "print(multilayer.load('m.safetensors').predict({'a': ['1.234,50 €', '-7 €']}))"
    )
    found = subprocess.run([sys.executable, "-W", "error", "-c", program], cwd=tmp_path, check=True,
                           capture_output=True, text=True,
                           env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})  # fmt: skip
    assert found.stdout.strip() == str(model.predict({"a": ["1.234,50 €", "-7 €"]}))


MARKS = {
    "a dash of accountants": "- | $ - | $ – | — | € -",
    "errors of spreadsheets": "#DIV/0! | #NV | #N/A | #WERT! | #REF! | #NOM? | #¡VALOR! | ####",
    "statistical offices": "- | .. | ... | * | …",
    "databases and programs": r"(null) | NULL | \N | None | nan | <NA> | 1.#QNAN | #N/A N/A",
    "people": "n/a | N.A. | ? | unknown | missing | n.d.",
}


@pytest.mark.parametrize("name", MARKS)
def test_marks_of_missing_numbers(forms, name):
    marks = MARKS[name].split(" | ")
    texts, gaps = [f"{x}" for x in SHARES] + marks, [*SHARES, *[None] * len(marks)]
    expected = Columns.of({"a": gaps})
    for X in forms({"a": texts}).values():
        np.testing.assert_array_equal(Columns.of(X).encode(X)[:], expected.encode({"a": gaps})[:])


def test_sizes_of_programs_with_a_text_that_is_none(forms):
    """The text may stand once, or in many rows."""
    sizes = [f"{i}M" for i in range(1, 60)] + ["201k", "8.7k", "1,024k"]
    numbers = [1e6 * i for i in range(1, 60)] + [201e3, 8.7e3, 1_024e3]
    for n in (1, 30):
        texts = [*sizes, *["Varies with device"] * n]
        expected = Columns.of({"size": [*numbers, *[None] * n]}).encode({"size": [5e6, None]})[:]
        for X in forms({"size": texts}).values():
            with pytest.warns(TableWarning, match="'size' of .* 'Varies with device' at row"):
                columns = Columns.of(X)
            found = columns.encode({"size": ["5M", "Varies with device"]})[:]
            np.testing.assert_array_equal(found, expected)
        with pytest.warns(TableWarning, match="'Depends' at row 1, which is not a number"):
            columns.encode({"size": ["5M", "Depends"]})


def test_experience_in_ten_kinds(forms):
    """``10+`` and ``< 1`` are no numbers of years, but their order is not lost on a network."""
    kinds = ["< 1 year", "1 year", *[f"{i} years" for i in range(2, 10)], "10+ years"]
    texts = kinds * 10 + ["n/a"]
    for X in forms({"emp_length": texts}).values():
        columns = Columns.of(X)
        assert columns.columns[0].kind == "categorical"
        np.testing.assert_array_equal(columns.encode(X)[:].sum(axis=1), 1)


@pytest.mark.parametrize("kinds", [["20-29", "30-39", "40-49"], ["0–9", "10–19", "20–29", "90+"],
                                   ["1-2", "3-5", "6+"], ["0 - 5", "5 - 10"]])  # fmt: skip
def test_ranges(forms, kinds):
    for X in forms({"age": kinds * 10}).values():
        columns = Columns.of(X)
        assert columns.columns[0].categories == tuple(sorted(kinds))


def test_two_units_of_which_nobody_says_what_each_is_worth(forms):
    economy = [f"{i / 10} kmpl" for i in range(100, 180)] + ["26.6 km/kg"]
    for X in forms({"economy": economy}).values():
        with pytest.warns(TableWarning, match="'26.6 km/kg' at row 8"):
            columns = Columns.of(X)
        assert (columns.columns[0].kind, columns.columns[0].has_missing) == ("numeric", True)


def mixed(n_point, n_comma):
    texts = [f"{1000.5 + i:,.2f}" for i in range(n_point)]
    return texts + [swapped(f"{2000.5 + i:,.2f}") for i in range(n_comma)]


@pytest.mark.parametrize(("n_point", "n_comma"), [(20, 20), (30, 10), (10, 30)])
def test_two_notations_in_one_column_that_come_again(forms, n_point, n_comma):
    for X in forms({"price": mixed(n_point, n_comma) * 3}).values():
        with pytest.warns(
            TableWarning,
            match="'price' of .* has numbers written in more than one way, .* is treated as categ",
        ):
            assert Columns.of(X).columns[0].kind == "categorical"


@pytest.mark.parametrize(("n_point", "n_comma"), [(20, 20), (40, 2), (1, 40)])
def test_two_notations_of_which_the_rarer_is_missing(forms, n_point, n_comma):
    for X in forms({"price": mixed(n_point, n_comma)}).values():
        with pytest.warns(TableWarning) as told:
            columns = Columns.of(X)
        (told,) = {str(each.message) for each in told}
        assert "which is not a number" in told or "entries that are not numbers" in told
        assert "nan" not in told
        assert columns.columns[0].has_missing


def test_prices_in_several_currencies_are_told(forms):
    prices = [f"${i}.50" for i in range(30)] * 3 + [f"£{i}" for i in range(30)]
    for X in forms({"price": prices}).values():
        with pytest.warns(TableWarning, match="'price' of .* numbers written in more than one way"):
            assert Columns.of(X).columns[0].kind == "categorical"


def test_prices_in_currencies_none_of_which_most_have_are_left_out_with_the_reason(forms):
    prices = [f"{'$€£'[i % 3]}{i}.67" for i in range(60)]
    for X in forms({"price": prices, "x": [str(i) for i in range(60)]}).values():
        with pytest.warns(TableWarning, match=r"'price' \(numbers in several units\)$"):
            assert Columns.of(X).needed == ("x",)
    with pytest.warns(TableWarning, match="'price' of .* numbers written in more than one way"):
        assert Columns.of({"price": prices * 2}).columns[0].kind == "categorical"


def test_names_with_numbers_in_them_are_no_numbers_in_several_notations(forms):
    X = {
        "ip": [f"10.0.{i % 4}.{i % 9}" for i in range(90)],
        "version": [f"1.{i % 4}.{i % 9}" for i in range(90)],
        "flat": [f"{i % 9} {'ABCDE'[i % 5]}" for i in range(90)],
        "street": [f"{i % 9} {['Oak', 'Main', 'Elm'][i % 3]} St" for i in range(90)],
        "day": [f"{1 + i % 9:02d}/{1 + i % 4:02d}" for i in range(90)],
    }
    for form in forms(X).values():  # warnings are errors
        assert {column.kind for column in Columns.of(form).columns} == {"categorical"}


def test_measurements_below_a_limit(forms):
    nitrate = [f"{i / 10}" for i in range(6, 90)] + ["<0.5"] * 10 + ["> 100"]
    for X in forms({"nitrate": nitrate}).values():
        with pytest.warns(TableWarning, match="'nitrate' of .* has bounds such as '<0.5', which a"):
            columns = Columns.of(X)
        np.testing.assert_array_equal(
            columns.encode({"nitrate": ["<0.5", "< 1"]})[:],
            columns.encode({"nitrate": [0.5, 1]})[:],
        )
        kept = Columns.of(X, {"nitrate": "categorical"})
        assert "<0.5" in kept.columns[0].categories


def test_bounds_alone_are_names(forms):
    for X in forms({"income": ["<=50K", ">50K", "<=50K."] * 20}).values():
        assert Columns.of(X).columns[0].categories == ("<=50K", "<=50K.", ">50K")


def test_zeros_that_excel_is_to_keep(forms):
    for X in forms({"zip": ['="0123"', '="4567"', '="0089"'] * 10}).values():
        columns = Columns.of(X)
        assert columns.columns[0].categories == ("0089", "0123", "4567")
        np.testing.assert_array_equal(
            columns.encode({"zip": ["0123", "123", '="0123"']})[:], [[0, 1, 0]] * 3
        )


def test_a_number_beyond_what_floats_hold_is_missing_and_named(forms):
    for X in forms({"a": [*map(str, range(1, 30)), "1e999"]}).values():
        with pytest.warns(TableWarning, match="'1e999' at row .*which is not a number and"):
            columns = Columns.of(X)
        assert columns.columns[0].median == 15
        columns = Columns.of({"a": [1.0, 2.0]})
        with pytest.warns(TableWarning, match="'1e999' at row 1, which is not a number"):
            columns.encode({"a": ["1", "1e999"]})


def test_one_time_of_day_among_numbers_is_missing_and_named(forms):
    for X in forms({"a": [*map(str, range(1, 60)), "12:30"]}).values():
        with pytest.warns(TableWarning, match="'12:30' at row .*which is not a number and i"):
            assert Columns.of(X).columns[0].median == 30


def test_what_a_comma_means_is_told_or_asked_for(written, train, tmp_path):
    """1,234 may be a number of four digits, or one with three decimals."""
    rows = "".join(f'"{1 + i},{100 + i}";{i}\n' for i in range(60))
    path = written("lot;y\n" + rows)
    told = train(path, "--epochs", "1", "--task", "regression").stderr
    assert (
        "column 'lot' writes '1,100', which is read as 1100; to change this, pass --decimal ,"
        in told
    )
    for option in (["--decimal", ","], ["--decimal", "."]):
        assert "read as" not in train(path, "--epochs", "1", *option).stderr
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = read_file(path, decimal=",")
        assert Columns.of(table).columns[0].median == pytest.approx(30.6295)


def test_a_file_in_every_notation_is_learned_and_predicted(written, mlp, train, tmp_path):
    names = [
        "Indian rupees",
        "accountants' brackets",
        "installs",
        "percent",
        "grams beside kilograms",
    ]
    X = {name: [WRITTEN[name][1](x) for x in WRITTEN[name][0].tolist()] for name in names}
    encoded = Columns.of({n: WRITTEN[n][0] for n in names})
    inputs = encoded.encode({n: WRITTEN[n][0] for n in names})[:]
    frame = pd.DataFrame(X).assign(target=inputs.sum(axis=1).round(4))
    frame = pd.concat([frame] * 3)
    path, saved = written(frame.to_csv(index=False, sep="\t")), tmp_path / "m.safetensors"
    train(path, "--optimizer", "lbfgs", "--hidden", "16", "--save", saved)
    mlp("predict", saved, path, "--out", tmp_path / "p.csv")
    assert r2_score(frame["target"], pd.read_csv(tmp_path / "p.csv")["prediction"]) > 0.9
    assert "5 numeric" in repr(multilayer.load(saved).inputs)
    pytest.importorskip("onnxruntime")
    mlp("export", saved)


def test_it_may_be_said_otherwise(forms):
    X = {"a": ["20-29", "30-39"] * 9, "b": ["$5", "$6", "$7"] * 6, "c": ["02139", "10001"] * 9}
    for form in forms(X).values():
        columns = Columns.of(form, {"b": "categorical", "c": "numeric"})
        assert [column.kind for column in columns.columns] == [
            "categorical", "categorical", "numeric"
        ]  # fmt: skip
