import json
from dataclasses import replace

import numpy as np
import pandas
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from sklearn.exceptions import NotFittedError

from mlplab import Callback, NeuralNetworkRegressor, load_model, save_model
from mlplab.errors import ModelFileError, SettingError
from mlplab.estimators.model_file import load_classifier
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.losses import LOSSES
from mlplab.nn.normalization import NORMALIZATIONS
from mlplab.nn.optimizers import OPTIMIZERS
from mlplab.nn.schedules import SCHEDULES
from mlplab.training.settings import Settings
from mlplab.utils import tensor_file
from mlplab.utils.tensor_file import write_tensors

LABELS = {
    "str": ["ant", "bee", "cät"],
    "object": np.array(["ant", "bee", "cat"], dtype=object),
    "int": [0, 1, 2],
    "gaps": [-7, 0, 1000],
    "uint8": np.array([0, 128, 255], np.uint8),
    "large": np.array([0, 1, 2**62 + 1]),
    "float": [1.0, 2.0, 5.0],
    "float32": np.array([1, 2, 5], np.float32),
    "bool": [False, True],
}
SETTINGS = {
    "default": {},
    "linear": {"hidden_layer_sizes": ()},
    "deep": {"hidden_layer_sizes": np.array([6, 5, 4]), "activation": "tanh"},
    "no biases": {"fit_intercept": False},
    "float64": {"dtype": np.float64},
    "numpy numbers": {"alpha": np.float32(0.1), "max_iter": np.int64(2), "batch_size": np.int32(30)},
    "endless patience": {"n_iter_no_change": np.inf},
    "early stopping": {"early_stopping": True},
    "scaled": {"input_scale": 1 / 255},
    "generator": {"random_state": np.random.default_rng(0)},
    "callbacks": {"callbacks": [Callback()]},
    "an activation a layer": {"hidden_layer_sizes": (5, 4), "activation": ["gelu", "selu"]},
    "batch normalization": {"normalization": "batch", "early_stopping": True},
    "layer normalization": {"hidden_layer_sizes": (5, 4), "normalization": "layer", "fit_intercept": False},
    "noise": {"dropout": 0.3, "input_noise": 0.1},
    "averaged": {"ema_decay": 0.9},
    "schedule": {"learning_rate": "one_cycle"},
    "class weights": {"class_weight": "balanced"},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def saved(classifier, three_classes, path):
    """A model, and the file that it was saved to."""
    model = classifier().fit(*three_classes)
    save_model(model, path)
    return model, path


def assert_same(loaded, model, X):
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.predict_proba(X).dtype == model.predict_proba(X).dtype
    assert loaded.predict(X).dtype == model.predict(X).dtype


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_of_any_kind_are_kept(classifier, path, three_classes, labels):
    X, y = three_classes
    labels = np.asarray(labels)
    model = classifier().fit(X, labels[y % len(labels)])
    save_model(model, path)
    loaded = load_model(path)
    assert_same(loaded, model, X)
    assert loaded.classes_.dtype == model.classes_.dtype
    assert loaded.classes_.tolist() == model.classes_.tolist()


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
def test_predictions_are_the_same_bit_for_bit(classifier, path, three_classes, settings, dtype):
    X, y = three_classes
    X = (50 * np.abs(X)).astype(dtype)
    model = classifier(**settings).fit(X, y, X_val=X, y_val=y)
    save_model(model, path)
    assert_same(load_model(path), model, X)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_settings_and_history_are_kept(classifier, path, three_classes, settings):
    model = classifier(**settings).fit(*three_classes, X_val=three_classes[0], y_val=three_classes[1])
    save_model(model, path)
    loaded = load_model(path)
    for name, value in model.get_params().items():
        if name == "callbacks":
            assert loaded.callbacks == ()
        elif name == "random_state" and isinstance(value, np.random.Generator):
            assert loaded.random_state is None
        elif name == "dtype" and value is not None:
            assert np.dtype(loaded.dtype) == np.dtype(value)
        else:
            np.testing.assert_array_equal(getattr(loaded, name), value)
    assert loaded.history_.epochs == model.history_.epochs
    for name in (
        "n_iter_",
        "t_",
        "loss_curve_",
        "validation_loss_curve_",
        "n_layers_",
        "n_outputs_",
        "out_activation_",
    ):
        assert getattr(loaded, name) == getattr(model, name)


def test_labels_that_rows_have_several_of_are_kept(classifier, path, three_classes):
    X, y = three_classes
    model = classifier().fit(X, np.eye(3, dtype=int)[y] | (X[:, :3] > 1))
    save_model(model, path)
    assert_same(load_model(path), model, X)
    assert load_model(path).multilabel_


REGRESSORS = {
    "default": {},
    "poisson": {"loss": "poisson"},
    "early stopping": {"early_stopping": True},
    "batch normalization": {"normalization": "batch", "dtype": "float64"},
}


@pytest.mark.parametrize("settings", REGRESSORS.values(), ids=REGRESSORS)
@pytest.mark.parametrize("columns", [None, 3])
def test_regressors_are_kept_bit_for_bit(path, three_classes, settings, columns):
    X = three_classes[0].astype(np.float32)
    y = np.abs(X[:, 0] if columns is None else X[:, :columns])
    model = NeuralNetworkRegressor(**{"hidden_layer_sizes": (6,), "max_iter": 3, "tol": None, **settings})
    model.fit(X, y)
    save_model(model, path)
    loaded = load_model(path)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.predict(X).shape == model.predict(X).shape
    assert {**loaded.get_params(), "hidden_layer_sizes": (6,)} == model.get_params()
    assert loaded.validation_scores_ == model.validation_scores_
    assert loaded.best_validation_score_ == model.best_validation_score_
    assert loaded.loss_curve_ == model.loss_curve_


def test_where_a_classifier_is_needed_a_regressor_is_refused(path, three_classes, refuses):
    X = three_classes[0]
    save_model(NeuralNetworkRegressor(max_iter=1, tol=None).fit(X, X[:, 0]), path)
    with refuses(ModelFileError, path, "is a regressor"):
        load_classifier(path)


def test_history_without_validation_is_kept(saved):
    model, path = saved
    loaded = load_model(path)
    assert loaded.validation_loss_curve_ is None
    assert loaded.loss_curve_ == model.loss_curve_


def test_the_names_of_columns_are_kept(classifier, path, three_classes):
    X = pandas.DataFrame(three_classes[0], columns=["length", "width", "depth", "weight"])
    model = classifier().fit(X, three_classes[1])
    save_model(model, path)
    loaded = load_model(path)
    assert loaded.feature_names_in_.tolist() == list(X.columns)
    assert_same(loaded, model, X)
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(X[X.columns[::-1]])


def test_a_loaded_model_can_be_saved_fitted_and_trained_on(saved, three_classes, tmp_path):
    model, path = saved
    loaded = load_model(path)
    save_model(loaded, tmp_path / "again.safetensors")
    assert_same(load_model(tmp_path / "again.safetensors"), model, three_classes[0])
    assert_same(loaded.fit(*three_classes), model, three_classes[0])


def test_a_path_may_be_text_and_its_folder_may_be_missing(saved, three_classes, tmp_path):
    model, _ = saved
    save_model(model, str(tmp_path / "models" / "mine"))
    assert_same(load_model(str(tmp_path / "models" / "mine")), model, three_classes[0])


def test_the_file_is_what_any_reader_of_safetensors_reads(saved):
    model, path = saved
    with safe_open(path, framework="numpy") as file:
        np.testing.assert_array_equal(file.get_tensor("coefs.0"), model.coefs_[0])
        np.testing.assert_array_equal(file.get_tensor("intercepts.1"), model.intercepts_[1])
        assert json.loads(file.metadata()["settings"])["hidden_layer_sizes"] == [6]


# What cannot be saved


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("activation", ACTIVATIONS["tanh"]),
        ("initializer", lambda rng, inputs, outputs: rng.normal(size=(inputs, outputs))),
        ("loss", LOSSES["cross_entropy"]["softmax"]),
        ("activation", ["relu", ACTIVATIONS["tanh"]]),
        ("solver", OPTIMIZERS["adam"]),
        ("learning_rate", SCHEDULES["constant"](Settings())),
        ("normalization", NORMALIZATIONS["layer"]),
    ],
)
def test_parts_of_ones_own_cannot_be_saved(classifier, path, three_classes, refuses, name, own):
    model = classifier(**{"hidden_layer_sizes": (6, 5), name: own}).fit(*three_classes)
    with refuses(SettingError, f"your own {name}"):
        save_model(model, path)
    assert not path.exists()


def test_an_unfitted_model_cannot_be_saved(classifier, path):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        save_model(classifier(), path)
    assert not path.exists()


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError("no space left on device")])
def test_an_interrupted_write_leaves_the_old_file_whole(saved, three_classes, classifier, monkeypatch, interruption):
    model, path = saved

    def write_half(tensors, temporary, metadata):
        temporary.write_bytes(b"half")
        raise interruption

    monkeypatch.setattr(tensor_file, "save_file", write_half)
    with pytest.raises((KeyboardInterrupt, OSError)):
        save_model(classifier(random_state=1).fit(*three_classes), path)
    assert_same(load_model(path), model, three_classes[0])
    assert list(path.parent.iterdir()) == [path]


# What cannot be loaded


def test_a_missing_file_is_refused(path, refuses):
    with refuses(ModelFileError, path, "no such file"):
        load_model(path)


def test_a_folder_is_refused(tmp_path, refuses):
    with refuses(ModelFileError, tmp_path):
        load_model(tmp_path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\x80\x04N.", b"PK\x03\x04", b"a,b\n1,2\n", bytes(100), b"\xff" * 100, b"\x02" + bytes(7) + b"{}"],
)
def test_another_kind_of_file_is_refused(path, refuses, content):
    path.write_bytes(content)
    with refuses(ModelFileError, path):
        load_model(path)


@pytest.mark.parametrize("metadata", [None, {}, {"format": "pt"}, {"format": "mlplab-99"}])
def test_safetensors_of_something_else_are_refused(path, refuses, metadata):
    save_file({"weight": np.eye(2)}, path, metadata)
    with refuses(ModelFileError, path, "not a model written by mlplab"):
        load_model(path)


def rewrite(path, change):
    """Change a model file's tensors and metadata, dictionaries both, and write them again."""
    with safe_open(path, framework="numpy") as file:
        metadata, tensors = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    metadata.pop("sha256")
    change(metadata, tensors)
    write_tensors(tensors, metadata, path)  # with the right SHA-256, as a forger would


def set_setting(name, value):
    def change(metadata, tensors):
        metadata["settings"] = json.dumps(json.loads(metadata["settings"]) | {name: value})

    return change


CHANGES = {
    "no settings": lambda metadata, tensors: metadata.pop("settings"),
    "no classes": lambda metadata, tensors: metadata.pop("classes"),
    "no history": lambda metadata, tensors: metadata.pop("history"),
    "no JSON": lambda metadata, tensors: metadata.update(settings="{"),
    "deep JSON": lambda metadata, tensors: metadata.update(settings="[" * 100_000),
    "settings are a list": lambda metadata, tensors: metadata.update(settings="[]"),
    "classes are a number": lambda metadata, tensors: metadata.update(classes="3"),
    "one class": lambda metadata, tensors: metadata.update(classes="[0]"),
    "a class too many": lambda metadata, tensors: metadata.update(classes="[0, 1, 2, 3]"),
    "classes of another type": lambda metadata, tensors: metadata.update(classes='["a", "b", "c"]'),
    "classes that do not fit their type": lambda metadata, tensors: metadata.update(classes=f"[0, 1, {10**30}]"),
    "classes of no type": lambda metadata, tensors: metadata.update(classes_dtype="<x9"),
    "classes of a type that no label has": lambda metadata, tensors: metadata.update(classes_dtype="<M8[s]"),
    "history of no epochs": lambda metadata, tensors: metadata.update(history="[1, 2]"),
    "history of other columns": lambda metadata, tensors: metadata.update(history='[{"loss": 1}]'),
    "feature names are a number": lambda metadata, tensors: metadata.update(feature_names="7"),
    "feature names too few": lambda metadata, tensors: metadata.update(feature_names='["a"]'),
    "rows are text": lambda metadata, tensors: metadata.update(n_training_rows='"many"'),
    "no weights": lambda metadata, tensors: tensors.clear(),
    "a layer missing": lambda metadata, tensors: tensors.pop("coefs.1"),
    "the first layer missing": lambda metadata, tensors: tensors.pop("coefs.0"),
    "biases missing": lambda metadata, tensors: tensors.pop("intercepts.0"),
    "weights transposed": lambda metadata, tensors: tensors.update({"coefs.0": np.ones((6, 4))}),
    "weights are a vector": lambda metadata, tensors: tensors.update({"coefs.0": np.ones(4)}),
    "weights are a number": lambda metadata, tensors: tensors.update({"coefs.0": np.array(4.0)}),
    "weights are integers": lambda metadata, tensors: tensors.update({"coefs.0": np.ones((4, 6), np.int64)}),
    "weights of two types": lambda metadata, tensors: tensors.update({"coefs.1": np.ones((6, 3), np.float16)}),
    "an unknown setting": set_setting("colour", "red"),
    "a bad setting": set_setting("alpha", -1),
    "an unknown activation": set_setting("activation", "swish"),
    "another width": set_setting("hidden_layer_sizes", [7]),
    "a width beyond all memory": set_setting("hidden_layer_sizes", [10**15]),
    "a width beyond all integers": set_setting("hidden_layer_sizes", [10**30]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_file_that_contradicts_itself_is_refused(saved, refuses, change):
    _, path = saved
    rewrite(path, change)
    with refuses(ModelFileError, path):
        load_model(path)


def test_a_rewritten_file_that_is_consistent_is_loaded(saved, three_classes):
    model, path = saved
    rewrite(path, lambda metadata, tensors: None)
    assert_same(load_model(path), model, three_classes[0])


def outcome(path):
    """Return "loaded", "refused" or, for a refusal in the wrong words or by the wrong error, what came."""
    try:
        load_model(path)
    except ModelFileError as error:
        return "refused" if str(path) in str(error) and "\n" not in str(error) else f"badly worded: {error}"
    except Exception as error:  # the tests below want to list all kinds that escape
        return repr(error)
    return "loaded"


@pytest.fixture(scope="module")
def small(classifier, tmp_path_factory):
    """The file of a very small model, so that every byte of it can be damaged in turn."""
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    model = classifier(hidden_layer_sizes=(1,), max_iter=1).fit([[0.0], [1.0]] * 15, [0, 1] * 15)
    model.history_.epochs[:] = [replace(epoch, seconds=0.5) for epoch in model.history_]  # the same bytes in every run
    save_model(model, path)
    return path


def test_a_file_truncated_anywhere_is_refused(small, path):
    content, outcomes = small.read_bytes(), set()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        outcomes.add(outcome(path))
    assert outcomes == {"refused"}


def test_a_file_with_something_after_it_is_refused(small, path, refuses):
    path.write_bytes(small.read_bytes() + b"\0")
    with refuses(ModelFileError, path):
        load_model(path)


@pytest.fixture(scope="module")
def outcomes(small):
    """What came of flipping a bit of every byte in turn: one chosen by the byte, for metadata come in any order."""
    content, path, outcomes = small.read_bytes(), small.with_name("damaged"), []
    for position, byte in enumerate(content):
        path.write_bytes(content[:position] + bytes([byte ^ 1 << byte % 8]) + content[position + 1 :])
        outcomes.append(outcome(path))
    return outcomes


def test_damage_never_gives_another_error(outcomes):
    assert set(outcomes) <= {"refused", "loaded"}


def test_damage_anywhere_is_detected(outcomes):
    assert not [position for position, what in enumerate(outcomes) if what == "loaded"]
