import numpy as np
import pytest
from sklearn.datasets import load_digits

from mlplab.data import Dataset, Source, load_dataset
from mlplab.data.names import DATASETS
from mlplab.errors import DataError


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "flowers.csv"
    path.write_text("length,width,kind\n1.5,2,rose\n3,4.5,tulip\n5,6,rose\n")
    return path


@pytest.mark.parametrize("name", DATASETS)
def test_every_named_data_set_can_be_loaded(name):
    dataset = load_dataset(name)
    assert dataset.name == name
    assert len(dataset.X) == len(dataset.y)
    assert dataset.X.dtype == np.uint8
    assert dataset.X.max() * dataset.scale == 1
    assert np.prod(dataset.image_shape) == dataset.X.shape[1]
    np.testing.assert_array_equal(dataset.classes, np.arange(10))
    assert f"{len(dataset.X):,}" in DATASETS[name]


def test_digits_are_scikit_learns():
    X, y = load_digits(return_X_y=True)
    dataset = load_dataset("digits")
    np.testing.assert_array_equal(dataset.X, X)
    np.testing.assert_array_equal(dataset.y, y)


def test_repr_shows_name_rows_features_and_classes(mnist):
    assert repr(mnist) == "<Dataset mnist: 70,000 rows × 784 features (uint8), 10 classes>"


def test_a_users_table_is_loaded_by_its_path(table):
    for name in (table, str(table)):
        dataset = load_dataset(name, target="kind")
        assert (dataset.name, dataset.scale, dataset.image_shape) == ("flowers.csv", 1.0, None)
        assert dataset.feature_names == ("length", "width")
        np.testing.assert_array_equal(dataset.X, [[1.5, 2], [3, 4.5], [5, 6]])
        np.testing.assert_array_equal(dataset.y, ["rose", "tulip", "rose"])


def test_a_built_in_data_set_takes_no_target(refuses):
    with refuses(DataError, "'mnist'", "target='digit'"):
        load_dataset("mnist", target="digit")


@pytest.mark.parametrize(("misspelt", "right"), [("mnits", "mnist"), ("digit", "digits")])
def test_a_misspelt_data_set_brings_the_nearest_name(refuses, misspelt, right):
    with refuses(DataError, misspelt, f"did you mean '{right}'?"):
        load_dataset(misspelt)


def test_a_missing_file_is_refused(tmp_path, refuses):
    with refuses(DataError, tmp_path / "none.csv", "no such file"):
        load_dataset(tmp_path / "none.csv", target="y")


def test_one_class_only_is_refused(tmp_path, refuses):
    path = tmp_path / "same.csv"
    path.write_text("a,y\n1,7\n2,7\n")
    with refuses(DataError, "same.csv", "at least two classes", "7"):
        load_dataset(path, target="y")


def test_a_source_loads_what_load_dataset_does(table):
    np.testing.assert_array_equal(Source(str(table), "kind").load().y, load_dataset(table, target="kind").y)


def test_a_fingerprint_follows_the_content_and_the_target(table, tmp_path):
    first = Source(str(table), "kind").fingerprint()
    twin = tmp_path / "twin.csv"
    twin.write_bytes(table.read_bytes())
    assert Source(str(twin), "kind").fingerprint() == first
    assert Source(str(table), "width").fingerprint() != first
    table.write_text(table.read_text().replace("1.5", "1.6"))
    assert Source(str(table), "kind").fingerprint() != first


def test_a_fingerprint_follows_the_labels_too(tmp_path):
    np.save(tmp_path / "X.npy", np.eye(2))
    np.save(tmp_path / "y.npy", np.array([0, 1]))
    source = Source(str(tmp_path / "X.npy"))
    first = source.fingerprint()
    np.save(tmp_path / "y.npy", np.array([1, 0]))
    assert source.fingerprint() != first


def test_built_in_data_sets_have_fingerprints_of_their_own():
    assert len({Source(name).fingerprint() for name in DATASETS}) == len(DATASETS)


def test_a_missing_file_has_no_fingerprint(tmp_path, refuses):
    with refuses(DataError, "none.csv", "no such file"):
        Source(str(tmp_path / "none.csv")).fingerprint()


def test_features_on_very_different_scales_give_a_caution():
    X = np.random.default_rng(0).normal(size=(200, 3)) * [1, 50, 5000]
    y = np.arange(200) % 2
    assert "table.csv differ in scale by a factor of" in Dataset("table.csv", X, y).cautions()[0]
    assert Dataset("table.csv", X / [1, 50, 5000], y).cautions() == []
    assert Dataset("table.csv", np.ones((6, 2)), y[:6]).cautions() == []
    assert load_dataset("digits").cautions() == []


def test_classes_too_rare_to_be_split_give_a_caution():
    y = np.array(["a"] * 8 + ["b"] * 3 + ["c"] * 2 + ["d"])
    (told,) = Dataset("table.csv", np.ones((14, 2)), y).cautions()
    assert told.startswith("2 of the 4 classes of table.csv have fewer than 3 rows")
    assert told.endswith(": 'c', 'd'")
