"""Compare `TabularClassifier` and `TabularRegressor` with other models on real tables.

    python benchmarks/tables.py                          # all tables, two splits each
    python benchmarks/tables.py --peers peers.csv        # compared with known results
    python benchmarks/tables.py --table adult --splits 5
    python benchmarks/tables.py --ablation               # without each part of the recipe

The tables are ``$MULTILAYER_DATA/tables/*.csv``, with the target in the last column. There are five
splits of a table into training and test rows, four to one (``StratifiedShuffleSplit`` or
``ShuffleSplit``, seed 0), of which the first ones are used. A training part has at most 10,000 rows
(``RandomState(1000 + split).choice``). Models get the raw columns. Seconds are processor time of
all threads; set OMP_NUM_THREADS and OPENBLAS_NUM_THREADS to 1. On the first split, our model is
also written as a safetensors file, whose size is reported, and as ONNX, whose largest difference on
test rows is reported.

Peers measured here are scikit-learn's histogram gradient boosting and linear model; with
``--peers``, the results in a file with the columns model, data, split, task, accuracy, logloss,
rmse, fit_s and status are used instead. Ranks and ratios count only the splits that every model
has. A full run writes ``results/tables.csv``, ``.md`` and ``.svg``; an ablation writes
``results/tables_ablation.md``.
"""

import argparse
import csv
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder, OneHotEncoder, StandardScaler

from multilayer import TabularClassifier, TabularRegressor
from multilayer.estimators import out_of_fold, recipe, tabular
from multilayer.files import export_onnx
from multilayer.model import categorical, date, scaled
from multilayer.numpy import Constant

RESULTS = Path(__file__).parent / "results"
REGRESSION = {
    "abalone", "ames_housing", "beijing_pm25", "california", "communities_crime", "diamonds",
    "nyc_flights", "uk_used_cars",
}  # fmt: skip
MOST_ROWS = 10_000
OURS = "ours"
LABELS = {
    "catboost": "CatBoost",
    "hgb": "histogram gradient boosting",
    "sk_mlp_es": "scikit-learn's MLP",
}
"""Names of other models in the picture."""
COLUMNS = [
    "model", "data", "task", "split", "n_train", "accuracy", "logloss", "rmse", "fit_s", "pred_s",
    "onnx_difference", "file_kb", "status",
]  # fmt: skip


# Data -------------------------------------------------------------------------------------------


def tables() -> dict[str, Path]:
    """Return the files of the tables, by name."""
    folder = Path(os.environ.get("MULTILAYER_DATA", "data")) / "tables"
    found = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    if not found:
        sys.exit(f"no tables in {folder}: set MULTILAYER_DATA")
    return found


def load(path: Path) -> tuple[pd.DataFrame, Any]:
    """Return the inputs and the target, with classes as numbers from 0."""
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""], low_memory=False)
    X, y = frame.iloc[:, :-1].copy(), frame["target"]
    for name in X:
        is_number = pd.api.types.is_numeric_dtype(X[name])
        X[name] = X[name].astype(float if is_number else "category")
    if path.stem in REGRESSION:
        return X, y.to_numpy(float)
    return X, LabelEncoder().fit_transform(y.astype(object))


def splits(X: pd.DataFrame, y: Any, n: int) -> Iterator[tuple[int, Any, Any]]:
    """Yield the number, the training rows and the test rows of each split."""
    kind = ShuffleSplit if y.dtype.kind == "f" else StratifiedShuffleSplit
    for i, (train, test) in enumerate(kind(5, test_size=0.2, random_state=0).split(X, y)):
        if i == n:
            return
        if len(train) > MOST_ROWS:
            train = np.random.RandomState(1000 + i).choice(train, MOST_ROWS, replace=False)
        yield i, train, test


# Models -----------------------------------------------------------------------------------------


def ours(is_regression: bool, seed: int) -> Any:
    """Return our estimator, with its defaults."""
    return (TabularRegressor if is_regression else TabularClassifier)(random_state=seed)


def linear(is_regression: bool, _: int) -> Any:
    """Return scikit-learn's linear model on scaled numbers and one-hot categories."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    others = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=200)
    encode = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (others, make_column_selector(dtype_exclude="number")),
    )
    return make_pipeline(encode, Ridge() if is_regression else LogisticRegression(max_iter=1000))


def hgb(is_regression: bool, seed: int) -> Any:
    """Return scikit-learn's gradient boosting."""
    kind = HistGradientBoostingRegressor if is_regression else HistGradientBoostingClassifier
    return kind(random_state=seed)


PEERS: dict[str, Callable[[bool, int], Any]] = {"hgb": hgb, "linear": linear}


def measure(name: str, make: Callable[[bool, int], Any], path: Path, n_splits: int) -> Any:
    """Yield a row of results for each split of a table."""
    X, y = load(path)
    is_regression = y.dtype.kind == "f"
    for i, train, test in splits(X, y, n_splits):
        row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
        row |= {"model": name, "data": path.stem, "split": i, "n_train": len(train)}
        row |= {"task": "regression" if is_regression else "classification", "status": "ok"}
        model = make(is_regression, i)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            begun = time.process_time()
            try:
                model.fit(X.iloc[train], y[train])
            except ValueError as error:  # such as too many categories for a peer
                yield row | {"status": f"{type(error).__name__}: {error}"[:80]}
                return
            row["fit_s"] = round(time.process_time() - begun, 3)
            begun = time.process_time()
            if is_regression:
                row["rmse"] = root_mean_squared_error(y[test], model.predict(X.iloc[test]))
            else:
                p = model.predict_proba(X.iloc[test]).astype(float)
                p = np.clip(p / p.sum(axis=1, keepdims=True), 1e-15, 1)
                row["accuracy"] = accuracy_score(y[test], p.argmax(axis=1))
                row["logloss"] = log_loss(y[test], p, labels=np.arange(p.shape[1]))
            row["pred_s"] = round(time.process_time() - begun, 4)
            if name == OURS and i == 0:
                row |= written(model, X.iloc[test[:1000]])
        yield row


def written(model: Any, sample: pd.DataFrame) -> dict[str, float]:
    """Write a model as ONNX, which raises if predictions differ, and as a safetensors file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        difference = export_onnx(path, model, sample=sample)
        model.save(path)
        return {"onnx_difference": difference, "file_kb": path.stat().st_size // 1024}


# Reports ----------------------------------------------------------------------------------------


def compared(found: pd.DataFrame) -> tuple[list[str], pd.DataFrame]:
    """Return Markdown lines with the results of all models on all tables, and the aggregates."""
    found = found[found.status == "ok"].copy()
    for name in ("accuracy", "logloss", "rmse", "fit_s"):
        found[name] = pd.to_numeric(found[name])
    found["error"] = found.rmse.where(found.task == "regression", 1 - found.accuracy)
    titles = {"error": "Error (RMSE in regression)", "logloss": "Log-loss", "fit_s": "Seconds"}
    lines: list[str] = []
    aggregates = {}
    files = found[found.model == OURS][["data", "onnx_difference", "file_kb"]]
    for column, title in titles.items():
        wide = found.pivot_table(index=["data", "split"], columns="model", values=column)
        wide = wide.dropna().groupby("data").mean()
        models = [OURS, *(m for m in wide.columns if m != OURS)]
        wide = wide[models]
        lines += [f"\n## {title}, {len(wide)} tables\n", wide.round(4).to_markdown()]
        if column == "fit_s":
            aggregates["seconds, sum"] = wide.sum()
            continue
        ratio = wide.div(wide.min(axis=1), axis=0).clip(lower=1e-9)
        aggregates |= {
            f"{column}: mean rank": wide.rank(axis=1).mean(),
            f"{column}: ratio to the best": np.exp(np.log(ratio).mean()),
            f"{column}: largest ratio": ratio.max(),
            f"{column}: times best": ratio.eq(1).sum(),
        }
    files = files.replace("", np.nan).dropna().set_index("data")
    lines += ["\n## Files of our model, and the largest difference of ONNX\n"]
    lines += [files.to_markdown(floatfmt=".2g")]
    return lines, pd.DataFrame(aggregates).round(3)


def draw(aggregates: pd.DataFrame) -> Figure:
    """Return a picture of the models' mean ranks."""
    figure = Figure(figsize=(7, 0.5 + 0.42 * len(aggregates)), layout="constrained")
    for ax, column, title in zip(
        figure.subplots(1, 2, sharey=True),
        ("error: mean rank", "logloss: mean rank"),
        ("mean rank by error or RMSE", "mean rank by log-loss"),
        strict=True,
    ):
        ranks = aggregates[column].reindex(
            aggregates["error: mean rank"].sort_values(ascending=False).index
        )
        colours = ["#0072B2" if name == OURS else "#BBBBBB" for name in ranks.index]
        ax.barh([LABELS.get(name, name) for name in ranks.index], ranks, color=colours)
        ax.bar_label(ax.containers[0], fmt="%.2f", padding=3, fontsize=9)
        ax.set(title=title, xlim=(0, ranks.max() * 1.15))
        ax.spines[["top", "right"]].set_visible(False)
    return figure


# The recipe without one of its parts ------------------------------------------------------------


def _quantiles(values: Any) -> tuple[float, ...]:
    knots = np.unique(np.quantile(values, np.linspace(0, 1, scaled.N_PIECES + 1)))
    return tuple(knots.tolist()) if len(knots) > 1 else ()


@contextmanager
def _without_embeddings() -> Iterator[None]:
    with (
        patch.object(tabular.TabularClassifier, "takes_embeddings", False),
        patch.object(tabular.TabularRegressor, "takes_embeddings", False),
    ):
        yield


WITHOUT: dict[str, Callable[[], Any]] = {
    "nothing": ExitStack,
    "embeddings (scaled numbers, one-hot categories)": _without_embeddings,
    "knots at frequent values": lambda: patch.object(scaled, "knots_of", _quantiles),
    "48 pieces (16)": lambda: patch.object(scaled, "N_PIECES", 16),
    "the speed of numbers (1)": lambda: patch.object(recipe, "SPEED", 1.0),
    "vectors for few categories (one-hot up to 9)": lambda: patch.object(
        categorical, "MOST_ONE_HOT", 9
    ),
    "the shared vector of rare categories": lambda: patch.object(categorical, "FEWEST", 1),
    "first vectors from targets": lambda: patch.object(recipe, "FREQUENT", 10**9),
    "the cycles of dates": lambda: patch.object(date, "CYCLES", {}),
    "averaged weights": lambda: patch.object(out_of_fold, "DECAY", 0.0),
    "the rise of the rate": lambda: patch.object(recipe, "WarmUp", lambda *_, **__: Constant()),
    "the temperature": lambda: patch.object(out_of_fold, "best_temperature", lambda *_: 1.0),
    "eight members (4)": ExitStack,
}


def ablation(paths: dict[str, Path], n_splits: int) -> None:
    """Measure the recipe without each of its parts, and write a table of the ratios."""
    results = {}
    for part, without in WITHOUT.items():
        n_members = 4 if part.startswith("eight") else 8

        def make(is_regression: bool, seed: int, n_members: int = n_members) -> Any:
            return ours(is_regression, seed).set_params(n_members=n_members)

        with without():
            rows = [r for path in paths.values() for r in measure(part, make, path, n_splits)]
        results[part] = pd.DataFrame(rows)
        print(part, "measured", file=sys.stderr)
    whole = results.pop("nothing")
    lines = ["| without | error | log-loss | seconds |", "|---|---|---|---|"]
    for part, found in results.items():
        ratios = []
        for column in ("error", "logloss", "fit_s"):
            a, b = (_values(frame, column) for frame in (found, whole))
            ratios.append(float(np.exp(np.log(a.groupby("data").mean()
                                              / b.groupby("data").mean()).mean())))  # fmt: skip
        lines.append(f"| {part} | " + " | ".join(f"{ratio:.3f}" for ratio in ratios) + " |")
    about = (
        f"# The recipe for tables, without each of its parts\n\nRatios to the whole recipe, the "
        f"geometric mean over {len(paths)} tables, {n_splits} splits each; above 1 is worse. "
        f"Differences below about 0.02 are noise.\n\n"
    )
    (RESULTS / "tables_ablation.md").write_text(about + "\n".join(lines) + "\n")
    print("\n".join(lines))


def _values(found: pd.DataFrame, column: str) -> pd.Series:
    found = found.set_index(["data", "split"])
    if column == "error":
        accuracy = pd.to_numeric(found.accuracy)
        # The bound is for the logarithm, on tables without a mistake.
        error = (1 - accuracy).clip(lower=0.002)
        return pd.to_numeric(found.rmse).where(found.task == "regression", error)
    return pd.to_numeric(found[column]).dropna()


def main() -> int:
    """Measure what the arguments select, and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", action="append", help="may be repeated")
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--peers", type=Path, help="a CSV file of known results")
    parser.add_argument("--peer", action="append", help="a model in that file; by default all")
    parser.add_argument("--ablation", action="store_true")
    arguments = parser.parse_args()
    paths = tables()
    if arguments.table:
        paths = {name: paths[name] for name in arguments.table}
    if arguments.ablation:
        ablation(paths, arguments.splits)
        return 0
    makers = {OURS: ours} | ({} if arguments.peers else PEERS)
    rows = []
    for path in paths.values():
        for model, make in makers.items():
            for row in measure(model, make, path, arguments.splits):
                rows.append(row)
                shown = {k: v for k, v in row.items() if v != "" and k != "status"}
                print(shown, file=sys.stderr)
    found = pd.DataFrame(rows)
    if not arguments.table:
        with (RESULTS / "tables.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
    if arguments.peers:
        peers = pd.read_csv(arguments.peers)
        if arguments.peer:
            peers = peers[peers.model.isin(arguments.peer)]
        found = pd.concat([found, peers])
    lines, aggregates = compared(found)
    text = "# Real tables\n\n" + aggregates.to_markdown() + "\n" + "\n".join(lines) + "\n"
    print(text)
    if not arguments.table:
        (RESULTS / "tables.md").write_text(text)
        draw(aggregates).savefig(RESULTS / "tables.svg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
