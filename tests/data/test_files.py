import gzip
import os
import pickle

import numpy as np
import pandas
import pytest

from mlplab.data import load_dataset
from mlplab.data.files import find_parts, read_table
from mlplab.errors import DataError, MissingExtraError

X = np.array([[1.5, -2.0, 3.0], [0.0, 4.25, 1e6], [7.0, 8.0, 9.0], [1.0, 1.0, 1.0]])
Y = np.array([3, 7, 3, 7])
IMAGES = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3) * 10


def frame(X, y):
    return pandas.DataFrame(X, columns=["a", "b", "c"]).assign(kind=y)


def write_csv(folder, X, y):
    frame(X, y).to_csv(folder / "ours.csv", index=False)
    return folder / "ours.csv", "kind"


def write_csv_gz(folder, X, y):
    frame(X, y).to_csv(folder / "ours.csv.gz", index=False, compression={"method": "gzip", "mtime": 0})
    return folder / "ours.csv.gz", "kind"


def write_parquet(folder, X, y):
    pytest.importorskip("pyarrow")
    frame(X, y).to_parquet(folder / "ours.parquet")
    return folder / "ours.parquet", "kind"


def write_npz(folder, X, y):
    np.savez(folder / "ours.npz", X=X, y=y)
    return folder / "ours.npz", None


def write_npz_compressed(folder, X, y):
    np.savez_compressed(folder / "ours.npz", X=X, y=y)
    return folder / "ours.npz", None


def write_npy_pair(folder, X, y):
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", y)
    return folder / "X.npy", None


def write_npy_folder(folder, X, y):
    write_npy_pair(folder, X, y)
    return folder, None


def write_npy_with_named_target(folder, X, y):
    np.save(folder / "pixels.npy", X)
    np.save(folder / "digits.npy", y)
    return folder / "pixels.npy", folder / "digits.npy"


FORMATS = [
    write_csv,
    write_csv_gz,
    write_parquet,
    write_npz,
    write_npz_compressed,
    write_npy_pair,
    write_npy_folder,
    write_npy_with_named_target,
]
TABLES = [write_csv, write_csv_gz, write_parquet]
every_format = pytest.mark.parametrize("write", FORMATS)
every_table = pytest.mark.parametrize("write", TABLES)
every_array = pytest.mark.parametrize("write", [write for write in FORMATS if write not in TABLES])


def load(write, folder, X=X, y=Y):
    path, target = write(folder, X, y)
    return load_dataset(path, target=target)


class Bomb:
    """Whoever unpickles it makes a folder of this name."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


# What can be read


@every_format
def test_rows_and_labels_are_read(tmp_path, write):
    dataset = load(write, tmp_path)
    np.testing.assert_array_equal(dataset.X, X)
    np.testing.assert_array_equal(dataset.y, Y)
    assert (dataset.image_shape, dataset.test_rows, dataset.scale) == (None, None, 1.0)


@every_format
@pytest.mark.parametrize(
    "labels",
    [
        ["cat", "dog", "cat", "äffin"],
        [0, 5, 100, 5],
        [-1, 1, -1, 1],
        [2.0, 1e6, 2.0, 1e6],
        [True, False, True, False],
    ],
    ids=["strings", "gaps", "negative", "floats", "bools"],
)
def test_labels_may_be_of_any_kind(tmp_path, write, labels):
    dataset = load(write, tmp_path, y=np.array(labels))
    assert dataset.y.tolist() == labels
    assert dataset.classes.tolist() == sorted(set(labels))


@every_array
@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float32", "float64", "bool"])
def test_arrays_keep_their_number_type(tmp_path, write, dtype):
    dataset = load(write, tmp_path, X=X.astype(dtype))
    assert dataset.X.dtype == dtype
    np.testing.assert_array_equal(dataset.X, X.astype(dtype))


@every_array
def test_images_become_rows_and_are_scaled(tmp_path, write):
    dataset = load(write, tmp_path, X=IMAGES)
    np.testing.assert_array_equal(dataset.X, IMAGES.reshape(4, 6))
    assert (dataset.image_shape, dataset.scale, dataset.X.dtype) == ((2, 3), 1 / 255, np.uint8)


@pytest.mark.parametrize("labels", ["MNIST-lables.npy", "MNIST-labels.npy"])
@pytest.mark.parametrize("named", ["MNIST-data.npy", "."])
def test_the_notebooks_file_names_are_a_pair(tmp_path, labels, named):
    np.save(tmp_path / "MNIST-data.npy", IMAGES)
    np.save(tmp_path / labels, Y)
    dataset = load_dataset(tmp_path / named)
    np.testing.assert_array_equal(dataset.X, IMAGES.reshape(4, 6))
    np.testing.assert_array_equal(dataset.y, Y)
    assert [path.name for path in find_parts(tmp_path / named, None)] == ["MNIST-data.npy", labels]


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("folder", [True, False])
def test_an_idx_pair(tmp_path, idx_bytes, ending, folder):
    compress = gzip.compress if ending else bytes
    path = tmp_path / f"train-images-idx3-ubyte{ending}"
    path.write_bytes(compress(idx_bytes(IMAGES)))
    (tmp_path / f"train-labels-idx1-ubyte{ending}").write_bytes(compress(idx_bytes(Y.astype(np.uint8))))
    dataset = load_dataset(tmp_path if folder else path)
    np.testing.assert_array_equal(dataset.X, IMAGES.reshape(4, 6))
    np.testing.assert_array_equal(dataset.y, Y)
    assert dataset.image_shape == (2, 3)


@pytest.fixture
def mnist_like(tmp_path, idx_bytes):
    """The four files of an MNIST-like set: 4 training images and 2 test images."""
    for part, rows in (("train", slice(4)), ("t10k", slice(2))):
        for kind, array in (("images-idx3", IMAGES[rows][::-1]), ("labels-idx1", Y[rows].astype(np.uint8))):
            (tmp_path / f"{part}-{kind}-ubyte.gz").write_bytes(gzip.compress(idx_bytes(array)))
    return tmp_path


def test_a_folder_with_four_idx_files_is_training_and_then_test(mnist_like):
    dataset = load_dataset(mnist_like)
    np.testing.assert_array_equal(dataset.X.reshape(6, 2, 3), [*IMAGES[::-1], *IMAGES[:2][::-1]])
    np.testing.assert_array_equal(dataset.y, [3, 7, 3, 7, 3, 7])
    assert (dataset.test_rows, dataset.image_shape) == (2, (2, 3))


@every_table
def test_the_target_may_be_any_column(tmp_path, write):
    path, _ = write(tmp_path, X, Y)
    dataset = load_dataset(path, target="b")
    assert dataset.feature_names == ("a", "c", "kind")
    np.testing.assert_array_equal(dataset.X, np.column_stack([X[:, [0, 2]], Y]))


@every_table
def test_rows_to_predict_need_no_target_and_get_the_models_order(tmp_path, write):
    path, _ = write(tmp_path, X, Y)
    table = read_table(path, "missing", needs_target=False, features=["c", "a"])
    assert table.y is None
    np.testing.assert_array_equal(table.X, X[:, [2, 0]])


def test_arrays_to_predict_need_no_labels(tmp_path):
    np.save(tmp_path / "rows.npy", X)
    np.savez(tmp_path / "rows.npz", X=X)
    for name in ("rows.npy", "rows.npz"):
        table = read_table(tmp_path / name, None, needs_target=False)
        assert table.y is None
        np.testing.assert_array_equal(table.X, X)


def test_numbers_of_a_table_keep_every_digit(tmp_path):
    exact = np.array([[0.1 + 0.2, 1e-300], [2**53 - 1, -1 / 3]])
    pandas.DataFrame(exact, columns=["a", "b"]).assign(kind=[0, 1]).to_csv(tmp_path / "t.csv", index=False)
    np.testing.assert_array_equal(load_dataset(tmp_path / "t.csv", target="kind").X, exact)


# What cannot


@pytest.mark.parametrize("name", ["none.csv", "none.npz", "none.npy", "none.parquet", "train-images-idx3-ubyte"])
def test_a_missing_file_is_refused(tmp_path, refuses, name):
    with refuses(DataError, tmp_path / name, "no such file"):
        load_dataset(tmp_path / name, target="kind")


def test_missing_labels_are_refused_with_the_expected_file_name(tmp_path, refuses):
    np.save(tmp_path / "X.npy", X)
    with refuses(DataError, tmp_path / "X.npy", "labels", "'y.npy'"):
        load_dataset(tmp_path / "X.npy")


def test_a_missing_file_of_labels_is_refused(tmp_path, refuses):
    np.save(tmp_path / "X.npy", X)
    with refuses(DataError, "lables.npy", "no such file"):
        load_dataset(tmp_path / "X.npy", target=tmp_path / "lables.npy")


def test_an_empty_folder_is_refused_with_what_would_be_found(tmp_path, refuses):
    with refuses(DataError, tmp_path, "*X.npy with *y.npy", "*-images-idx3-ubyte.gz with *-labels-idx1-ubyte.gz"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("name", ["table.xlsx", "data.txt", "model.pkl"])
def test_an_unknown_kind_of_file_is_refused_with_the_known_ones(tmp_path, refuses, name):
    (tmp_path / name).write_text("a,b\n1,2\n")
    with refuses(DataError, tmp_path / name, "unknown file format", ".csv", ".parquet", ".npz", ".npy", "IDX"):
        load_dataset(tmp_path / name)


@every_array
@pytest.mark.parametrize(
    "y", [Y[:3], np.resize(Y, 5), Y[:0], np.resize(Y, (4, 2)), np.array(3)], ids=lambda y: f"{y.shape}"
)
def test_lengths_that_differ_are_refused(tmp_path, refuses, write, y):
    with refuses(DataError, tmp_path, "4 rows of features", f"shape {y.shape}"):
        load(write, tmp_path, y=y)


@every_array
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_nan_or_infinity_among_the_features_is_refused(tmp_path, refuses, write, bad):
    spoilt = X.copy()
    spoilt[2, 1] = bad
    with refuses(DataError, tmp_path, "features", "NaN or infinity", "row 3"):
        load(write, tmp_path, X=spoilt)


def test_a_nan_is_found_in_any_row_of_a_large_file(tmp_path, refuses):
    spoilt = np.ones((10_000, 2), np.float32)
    spoilt[9_998, 1] = np.nan
    with refuses(DataError, "row 9999"):
        load(write_npy_pair, tmp_path, X=spoilt, y=np.arange(10_000) % 2)


@every_array
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_nan_or_infinity_among_the_labels_is_refused(tmp_path, refuses, write, bad):
    with refuses(DataError, tmp_path, "labels", "NaN or infinity", "row 2"):
        load(write, tmp_path, y=np.array([0.0, bad, 1.0, 0.0]))


@every_table
@pytest.mark.parametrize(("bad", "words"), [(np.nan, "no value"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_a_table_with_an_empty_value_or_an_infinity_is_refused(tmp_path, refuses, write, bad, words):
    spoilt = X.copy()
    spoilt[2, 1] = bad
    with refuses(DataError, tmp_path, "'b'", words, "row 3"):
        load(write, tmp_path, X=spoilt)


@every_table
@pytest.mark.parametrize("labels", [["x", None, "y", "x"], [1.0, np.nan, 2.0, 1.0]])
def test_an_empty_label_is_refused(tmp_path, refuses, write, labels):
    with refuses(DataError, tmp_path, "'kind'", "empty", "row 2"):
        load(write, tmp_path, y=pandas.Series(labels))


@every_format
def test_one_class_only_is_refused(tmp_path, refuses, write):
    with refuses(DataError, "one class only", "7"):
        load(write, tmp_path, y=np.full(4, 7))


@every_table
def test_a_missing_target_column_brings_the_nearest_name(tmp_path, refuses, write):
    path, _ = write(tmp_path, X, Y)
    with refuses(DataError, path, "no column 'knid'", "did you mean 'kind'?", "a, b, c, kind"):
        load_dataset(path, target="knid")


@every_table
def test_a_table_without_a_target_is_refused_with_its_columns(tmp_path, refuses, write):
    path, _ = write(tmp_path, X, Y)
    with refuses(DataError, path, "target", "a, b, c, kind"):
        load_dataset(path)


@every_table
def test_a_missing_feature_of_the_model_is_refused(tmp_path, refuses, write):
    path, _ = write(tmp_path, X, Y)
    with refuses(DataError, path, "no column 'width'", "a, b, c, kind"):
        read_table(path, None, needs_target=False, features=["a", "width"])


@every_table
def test_a_text_feature_is_refused_with_its_first_text(tmp_path, refuses, write):
    path, _ = write(tmp_path, X, np.array(["red", "green", "red", "green"]))
    with refuses(DataError, path, "'kind' is not numeric", "row 1", "'red'"):
        load_dataset(path, target="a")


def test_the_row_of_the_first_text_among_numbers_is_named(tmp_path, refuses):
    (tmp_path / "t.csv").write_text("a,kind\n1,0\n,1\n3,0\nfour,1\nfive,0\n")
    with refuses(DataError, "'a' is not numeric", "row 4", "'four'"):
        load_dataset(tmp_path / "t.csv", target="kind")


@pytest.mark.parametrize("content", ["kind\n1\n2\n", "a,kind\n"], ids=["no features", "no rows"])
def test_a_table_without_rows_or_features_is_refused(tmp_path, refuses, content):
    (tmp_path / "t.csv").write_text(content)
    with refuses(DataError, tmp_path / "t.csv", "at least one row and one feature column"):
        load_dataset(tmp_path / "t.csv", target="kind")


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"a,kind\n1,2\n3,4,5,6\n", b"a,kind\n\xff\xfe,1\n", b"\x1f\x8b\x08damaged"]
)
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "t.npz", "X.npy"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, refuses, name, content):
    if name == "t.parquet":
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(content)
    (tmp_path / "y.npy").write_bytes(content)
    with refuses(DataError, tmp_path / name):
        load_dataset(tmp_path / name, target=None if name == "X.npy" else "kind")


def test_rows_longer_than_the_header_are_refused(tmp_path, refuses):
    # pandas would take the first column for an index, and every other value for its neighbour's
    (tmp_path / "t.csv").write_text("a,b,kind\n1,2,0,9\n3,4,1,9\n")
    with refuses(DataError, tmp_path / "t.csv"):
        load_dataset(tmp_path / "t.csv", target="kind")


@pytest.mark.parametrize("missing", ["X", "y"])
def test_an_npz_without_x_or_y_is_refused_with_what_it_holds(tmp_path, refuses, missing):
    held = {"X": X, "y": Y, "pixels": X}
    del held[missing]
    np.savez(tmp_path / "t.npz", **held)
    with refuses(DataError, tmp_path / "t.npz", f"no array '{missing}'", "pixels"):
        load_dataset(tmp_path / "t.npz")


def test_an_npy_file_called_npz_is_refused(tmp_path, refuses):
    np.save(tmp_path / "t.npy", X)
    (tmp_path / "t.npy").rename(tmp_path / "t.npz")
    with refuses(DataError, tmp_path / "t.npz"):
        load_dataset(tmp_path / "t.npz")


@every_array
@pytest.mark.parametrize("shape", [(4,), (0, 3), (4, 0), ()])
def test_features_that_are_no_table_are_refused(tmp_path, refuses, write, shape):
    with refuses(DataError, tmp_path, "features", shape):
        load(write, tmp_path, X=np.zeros(shape))


@every_array
@pytest.mark.parametrize("dtype", ["complex128", "<U3", "datetime64[s]"])
def test_features_that_are_no_numbers_are_refused(tmp_path, refuses, write, dtype):
    with refuses(DataError, tmp_path, "features must be numbers", np.dtype(dtype)):
        load(write, tmp_path, X=np.ones((4, 2)).astype(dtype))


def test_training_and_test_rows_of_different_width_are_refused(mnist_like, idx_bytes, refuses):
    (mnist_like / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx_bytes(IMAGES[:2, :, :2])))
    with refuses(DataError, mnist_like, "6 and 4 features"):
        load_dataset(mnist_like)


@pytest.mark.parametrize("part", ["train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"])
def test_a_truncated_idx_file_in_a_folder_is_refused_by_its_name(mnist_like, refuses, part):
    path = mnist_like / f"{part}-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with refuses(DataError, path):
        load_dataset(mnist_like)


# Nothing is unpickled


@every_array
@pytest.mark.parametrize("spoilt", ["features", "labels"])
def test_object_arrays_are_refused_and_never_unpickled(tmp_path, refuses, write, spoilt):
    objects = np.array([Bomb(tmp_path / "exploded"), *"abc"], dtype=object)
    path, target = write(tmp_path, objects[:, None], Y) if spoilt == "features" else write(tmp_path, X, objects)
    with refuses(DataError, tmp_path, "never unpickles"):
        load_dataset(path, target=target)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["X.npy", "t.npz", "t.csv", "t.parquet", "train-images-idx3-ubyte"])
def test_a_pickle_under_another_name_is_refused_and_never_run(tmp_path, refuses, name):
    if name == "t.parquet":
        pytest.importorskip("pyarrow")
    (tmp_path / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    for labels in ("y.npy", "train-labels-idx1-ubyte"):
        (tmp_path / labels).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    with refuses(DataError, tmp_path / name):
        load_dataset(tmp_path / name, target=None if name in ("X.npy", "train-images-idx3-ubyte") else "kind")
    assert not (tmp_path / "exploded").exists()


# Damage


def outcome(path, target):
    """Return the rows that were loaded, or what kept them from being loaded: None for a refusal as it should be."""
    try:
        return len(load_dataset(path, target=target).X)
    except DataError as error:
        return None if path.name in str(error) and "\n" not in str(error) else f"badly worded: {error}"
    except Exception as error:  # the tests below want to list all kinds that escape
        return repr(error)


@every_format
def test_a_damaged_file_loads_or_is_refused_in_one_line(tmp_path, flip, write):
    path, target = write(tmp_path, X, Y)
    path = tmp_path / "X.npy" if path.is_dir() else path
    content, outcomes = path.read_bytes(), set()
    for position in range(0, len(content), 1 + len(content) // 700):
        path.write_bytes(content)
        flip(path, position)
        outcomes.add(outcome(path, target))
    assert not [kind for kind in outcomes if isinstance(kind, str)]


@every_format
def test_a_truncated_file_is_refused_in_one_line(tmp_path, write):
    path, target = write(tmp_path, X, Y)
    path = tmp_path / "X.npy" if path.is_dir() else path
    content, outcomes = path.read_bytes(), set()
    for length in range(0, len(content), 1 + len(content) // 200):
        path.write_bytes(content[:length])
        outcomes.add(outcome(path, target))
    assert outcomes <= ({None, 2, 3, 4} if path.suffix == ".csv" else {None})  # nothing in a CSV tells its length


def test_parquet_without_pyarrow_shows_how_to_install_it(tmp_path, monkeypatch, refuses):
    def read_parquet(*_, **__):
        raise ImportError("Unable to find a usable engine;\ntried using: 'pyarrow', 'fastparquet'.")

    monkeypatch.setattr(pandas, "read_parquet", read_parquet)
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with refuses(MissingExtraError, tmp_path / "t.parquet", "pip install 'mlplab[parquet]'"):
        load_dataset(tmp_path / "t.parquet", target="kind")
