"""Read a user's files: CSV, Parquet, .npz, .npy pairs and IDX pairs. Nothing is ever unpickled."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlplab.data.idx import read_idx
from mlplab.engine.base import Array
from mlplab.errors import DataError, MissingExtraError, nearest, one_of

if TYPE_CHECKING:
    import pandas

#: Pairs of suffixes of files with features and labels. The third is misspelt, as in the notebook's file.
_PAIRS = (
    ("X.npy", "y.npy"),
    ("-data.npy", "-labels.npy"),
    ("-data.npy", "-lables.npy"),
    ("-images-idx3-ubyte.gz", "-labels-idx1-ubyte.gz"),
    ("-images-idx3-ubyte", "-labels-idx1-ubyte"),
)
_FORMATS = ".csv, .csv.gz, .parquet, .npz, .npy or IDX"
_CHUNK = 4096  # rows checked at a time, so that a memory map is never loaded as a whole


@dataclass(frozen=True)
class Table:
    """The content of a file: X (rows, features), C-ordered, and y (rows,) or None; other fields as in `Dataset`."""

    X: Array
    y: Array | None
    image_shape: tuple[int, int] | None = None
    feature_names: tuple[str, ...] | None = None
    test_rows: int | None = None


def find_parts(path: Path, target: str | None) -> list[Path]:
    """Return the files of the data set at `path`: the features, then the labels if they are in a separate file.

    For a folder with the four files of an MNIST-like data set, return all four, training first.

    Raises:
        DataError: for a missing file.
    """
    if path.is_dir():
        return _find_in_folder(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    if is_frame(path) or path.suffix == ".npz":
        return [path]
    _check_kind(path)
    if target is not None:
        if not Path(target).is_file():
            raise DataError(f"{target}: no such file; the target must be the file with the labels of {path.name}")
        return [path, Path(target)]
    for labels in _labels_beside(path):
        if labels.is_file():
            return [path, labels]
    names = sorted({labels.name for labels in _labels_beside(path)})
    expected = f" (looked for {one_of(names)} in the same folder)" if names else ""
    raise DataError(f"{path}: no file with the labels found{expected}; give it as the target")


def _labels_beside(path: Path) -> list[Path]:
    return [
        path.with_name(path.name.removesuffix(features) + labels)
        for features, labels in _PAIRS
        if path.name.endswith(features)
    ]


def _find_in_folder(folder: Path) -> list[Path]:
    for features, labels in _PAIRS:
        found = sorted(folder.glob(f"*{features}"), key=lambda p: p.name.startswith("t10k"))
        pairs = [(p, p.with_name(p.name.removesuffix(features) + labels)) for p in found]
        pairs = [pair for pair in pairs if pair[1].is_file()]
        if len(pairs) == 1 or [p.name.split("-")[0] for p, _ in pairs] == ["train", "t10k"]:
            return [part for pair in pairs for part in pair]
    raise DataError(
        f"{folder}: no pair of features and labels found in this folder "
        f"(looked for {'; '.join(f'*{features} with *{labels}' for features, labels in _PAIRS)})"
    )


def read_table(path: Path, target: str | None, *, needs_target: bool, features: Sequence[str] | None = None) -> Table:
    """Read a user's file.

    Args:
        target: the target column of a table, or the file with the labels.
        needs_target: False for rows to predict, whose labels may be missing.
        features: the columns of a table to use, in this order; None uses all but the target.

    Raises:
        DataError: for a file that cannot be used; the message names it.
        MissingExtraError: for Parquet without pyarrow.
    """
    if target is not None and (path.is_dir() or path.suffix == ".npz"):
        raise DataError(f"{path}: takes no target, because it has its own labels; got target={target!r}")
    if path.is_file() and is_frame(path):
        return _read_frame(path, target, needs_target, features)
    if path.is_file() and path.suffix == ".npz":
        return _read_npz(path, needs_target)
    try:
        parts = find_parts(path, target)
    except DataError:
        if needs_target or not path.is_file():
            raise
        return _checked(path, _read_array(path), None)
    tables = [
        _checked(features, _read_array(features), _read_array(labels))
        for features, labels in zip(parts[::2], parts[1::2], strict=True)
    ]
    if len(tables) == 1:
        return tables[0]
    train, test = tables
    if train.X.shape[1:] != test.X.shape[1:]:
        raise DataError(f"{path}: training and test rows have {train.X.shape[1]} and {test.X.shape[1]} features")
    assert train.y is not None
    assert test.y is not None
    X, y = np.concatenate([train.X, test.X]), np.concatenate([train.y, test.y])
    return Table(X, y, train.image_shape, test_rows=len(test.X))


def is_frame(path: Path) -> bool:
    """Return whether the file's name is that of a table with named columns."""
    return path.name.endswith((".csv", ".csv.gz", ".parquet"))


def _read_frame(path: Path, target: str | None, needs_target: bool, wanted: Sequence[str] | None) -> Table:
    frame = _load_frame(path)
    frame.columns = [str(column) for column in frame.columns]
    columns = list(frame.columns)
    if needs_target and target is None:
        raise DataError(f"{path}: a target column is required; the columns are {_some(columns)}")
    if target is not None and target not in columns:
        if needs_target:
            raise DataError(f"{path}: no column {target!r}{nearest(target, columns)}; the columns are {_some(columns)}")
        target = None
    missing = [column for column in wanted or () if column not in columns]
    if missing:
        raise DataError(
            f"{path}: no column {missing[0]!r}, which the model was trained on; the columns are {_some(columns)}"
        )
    features = list(wanted) if wanted else [column for column in columns if column != target]
    if not features or frame.empty:
        raise DataError(
            f"{path}: at least one row and one feature column are required; "
            f"got {len(frame)} rows and {len(features)} feature columns"
        )
    for column in features:
        _check_numeric(path, column, frame[column])
    y = None
    if target is not None:
        labels = frame[target]
        if labels.isna().any() and path.suffix != ".parquet":  # "NA" and "None" are labels; only "" is missing
            labels = _load_frame(path, usecols=[target], keep_default_na=False, na_values=[""])[target]
        if labels.isna().any():
            raise DataError(f"{path}: the target column {target!r} is empty in row {int(labels.isna().argmax()) + 1}")
        y = labels.to_numpy()
        y = y.astype(str) if y.dtype.kind not in "biuf" else y
    X = frame[features].to_numpy(np.float32 if _is_short(frame[features]) else np.float64)
    return Table(np.ascontiguousarray(X), y, feature_names=tuple(features))


def _load_frame(path: Path, **options: Any) -> pandas.DataFrame:
    import pandas

    try:
        if path.suffix == ".parquet":
            return pandas.read_parquet(path)
        with warnings.catch_warnings():
            # for a row longer than the header, pandas shifts the columns or drops values and only warns
            warnings.simplefilter("error", pandas.errors.ParserWarning)
            frame: pandas.DataFrame = pandas.read_csv(path, index_col=False, **options)
            return frame
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: reading Parquet requires pyarrow; install it with pip install 'mlplab[parquet]'"
        ) from error
    except pandas.errors.ParserWarning as warning:
        raise DataError(f"{path}: a row has more values than the header has columns") from warning
    except Exception as error:  # the type of the error depends on where the file is damaged
        raise DataError(f"{path} cannot be read: {_one_line(error)}") from error


def _check_numeric(path: Path, column: str, values: pandas.Series[Any]) -> None:
    if values.dtype.kind not in "biuf":
        import pandas

        numbers = pandas.to_numeric(values, errors="coerce")
        row = int((numbers.isna() & values.notna()).argmax())
        raise DataError(
            f"{path}: column {column!r} is not numeric (row {row + 1} is {values.iloc[row]!r}); "
            "convert it to numbers or remove it"
        )
    bad = ~np.isfinite(values.to_numpy(np.float64, na_value=np.nan))
    if bad.any():
        raise DataError(f"{path}: column {column!r} has {_bad(values, bad)} in row {int(bad.argmax()) + 1}")


def _bad(values: Any, bad: Array) -> str:
    value = values.to_numpy(np.float64, na_value=np.nan)[int(bad.argmax())]
    return "infinity" if np.isinf(value) else "no value (or NaN)"


def _is_short(features: pandas.DataFrame) -> bool:
    """Return whether float32 holds every value exactly: integers of at most 16 bits."""
    return all(dtype.kind == "b" or (dtype.kind in "iu" and dtype.itemsize <= 2) for dtype in features.dtypes)


def _read_npz(path: Path, needs_target: bool) -> Table:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            names = list(archive)
            arrays = {name: archive[name] for name in ("X", "y") if name in names}
    except Exception as error:  # the type of the error depends on where the archive is damaged
        raise _unreadable(path, error) from error
    for name in ("X", "y") if needs_target else ("X",):
        if name not in arrays:
            raise DataError(f"{path}: no array {name!r}; the arrays are {_some(names) or 'none'}")
    return _checked(path, arrays["X"], arrays.get("y"))


def _check_kind(path: Path) -> None:
    if path.suffix != ".npy" and "idx" not in path.name and "ubyte" not in path.name:
        raise DataError(f"{path}: unknown file format; use {_FORMATS}")


def _read_array(path: Path) -> Array:
    if path.suffix != ".npy":
        _check_kind(path)
        return read_idx(path)
    try:
        array: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # the type of the error depends on where the header is damaged
        raise _unreadable(path, error) from error
    return array


def _unreadable(path: Path, error: Exception) -> DataError:
    if any(word in str(error) for word in ("Object arrays", "allow_pickle", "Python objects")):
        return DataError(f"{path}: holds Python objects or is not an array file; save numbers, mlplab never unpickles")
    return DataError(f"{path} cannot be read: {_one_line(error)}")


def _checked(path: Path, X: Array, y: Array | None) -> Table:
    """Return the arrays as a table, with images flattened and labels as a vector; every value must be finite."""
    for what, array in (("features", X), ("labels", y)):
        if array is not None and array.dtype.kind not in ("biuf" if what == "features" else "biufUS"):
            raise DataError(f"{path}: the {what} must be numbers; got type {array.dtype}")
    if X.ndim < 2 or 0 in X.shape:
        raise DataError(f"{path}: the features must have shape (rows, features) or be images; got shape {X.shape}")
    if y is not None:
        y = y.reshape(-1) if y.ndim == 2 and 1 in y.shape else y
        y = np.char.decode(y, "utf-8", "replace") if y.dtype.kind == "S" else y
        if y.ndim != 1 or len(y) != len(X):
            raise DataError(f"{path}: labels of shape {y.shape} do not match {len(X)} rows of features")
        if y.dtype.kind == "f" and not np.isfinite(y).all():
            raise DataError(f"{path}: the labels have NaN or infinity in row {int((~np.isfinite(y)).argmax()) + 1}")
    image_shape = (int(X.shape[1]), int(X.shape[2])) if X.ndim == 3 else None
    X = np.require(X.reshape(len(X), -1), requirements="C")  # a memory map stays one
    for start in range(0, len(X) if X.dtype.kind == "f" else 0, _CHUNK):
        bad = ~np.isfinite(X[start : start + _CHUNK]).all(axis=1)
        if bad.any():
            raise DataError(f"{path}: the features have NaN or infinity in row {start + int(bad.argmax()) + 1}")
    return Table(X, y, image_shape)


def _some(names: Iterable[str], most: int = 12) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
