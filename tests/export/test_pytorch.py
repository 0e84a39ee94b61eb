import numpy as np
import pytest

from mlplab import from_state_dict, to_state_dict
from mlplab.errors import DataError, SettingError
from tests.export.conftest import NETWORKS


def logits(state, a, activation):
    """What PyTorch's modules compute from a state_dict, written out."""
    modules = {}
    for name, array in state.items():
        module, own = name.split(".")
        modules.setdefault(int(module), {})[own] = array
    last = max(modules)
    for position, m in modules.items():
        if m["weight"].ndim == 2:
            a = a @ m["weight"].T + m["bias"]
            normalized = modules.get(position + 1, {}).get("weight", a).ndim == 1
        else:
            axis = {} if "running_mean" in m else {"axis": 1, "keepdims": True}
            mean = m["running_mean"] if "running_mean" in m else a.mean(**axis)
            variance = m["running_var"] if "running_var" in m else a.var(**axis)
            a = (a - mean) / np.sqrt(variance + 1e-5) * m["weight"] + m["bias"]
            normalized = False
        if position < last and not normalized:
            a = activation(a)
    return a


def of_model(model, X):
    return model.network_.logits(X)


KINDS = {name: settings for name, settings in NETWORKS.items() if name != "an activation a layer"}


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_pytorchs_modules_would_compute_the_same(classifier, three_classes, settings):
    X, y = three_classes
    model = classifier(**{"hidden_layer_sizes": (6, 5), "activation": "tanh", **settings}).fit(X, y)
    found = logits(to_state_dict(model), X, np.tanh)
    np.testing.assert_allclose(found, of_model(model, X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("settings", KINDS.values(), ids=KINDS)
def test_there_and_back_again(classifier, three_classes, settings):
    X, y = three_classes
    model = classifier(**{"hidden_layer_sizes": (6, 5), **settings}).fit(X, y)
    back = from_state_dict(to_state_dict(model), classes=model.classes_, random_state=0, tol=None, max_iter=2)
    np.testing.assert_allclose(back.predict_proba(X), model.predict_proba(X), rtol=1e-5, atol=1e-6)
    assert back.hidden_layer_sizes == model.hidden_layer_sizes
    assert back.set_params(warm_start=True).fit(X, y).score(X, y) > 0.3


@pytest.mark.parametrize("classes", [["b", "a"], ["a", "b"]])
def test_two_classes_may_have_one_output_or_two(classes):
    rng = np.random.default_rng(0)
    X, W, b = rng.normal(size=(20, 4)), rng.normal(size=(2, 4)), rng.normal(size=2)
    z = X @ W.T + b
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    two = from_state_dict({"fc.weight": W, "fc.bias": b}, classes)
    one = from_state_dict({"fc.weight": W[1:] - W[:1], "fc.bias": b[1:] - b[:1]}, classes)
    for model in (one, two):
        np.testing.assert_array_equal(model.predict(X), np.array(classes)[z.argmax(axis=1)])
        np.testing.assert_allclose(model.predict_proba(X)[:, np.argsort(classes)], p, rtol=1e-9)


def test_classes_keep_their_outputs_in_any_order():
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(20, 4)), rng.normal(size=(3, 4))
    model = from_state_dict({"weight": W}, [7, 1, 5])  # no bias, and no name but its own
    np.testing.assert_array_equal(model.predict(X), np.array([7, 1, 5])[(X @ W.T).argmax(axis=1)])


def test_values_go_there_and_back(values):
    X, model = values
    back = from_state_dict(to_state_dict(model), loss=model.loss)
    np.testing.assert_allclose(back.predict(X), model.predict(X), rtol=1e-5, atol=1e-6)
    assert back.predict(X).shape == model.predict(X).shape


ONE = {"a.weight": np.ones((2, 3)), "a.bias": np.ones(2)}


@pytest.mark.parametrize(
    ("state", "classes", "said"),
    [
        ({}, None, "for each layer"),
        ({"conv.weight": np.ones((2, 3, 3, 3))}, None, "conv.weight"),
        ({"bias": np.ones(3)}, None, "has none"),
        ({**ONE, "n.weight": np.ones(2), "n.bias": np.ones(2)}, None, "after each but the last"),
        ({**ONE, "b.weight": np.ones((2, 7))}, None, "do not fit"),
        (ONE, [0, 1, 2], "3 labels, but the network has 2 outputs"),
        (ONE, [0, 0], "distinct labels"),
        (ONE, "ab", "distinct labels"),
    ],
)
def test_what_is_no_such_network_is_refused(state, classes, said, refuses):
    with refuses(DataError, said):
        from_state_dict(state, classes)


def test_a_setting_that_is_not_there_is_refused(refuses):
    with refuses(SettingError, "did you mean 'activation'?"):
        from_state_dict(ONE, activatoin="tanh")


@pytest.mark.parametrize("normalization", [None, "batch", "layer"])
def test_pytorch_itself_computes_the_same(classifier, three_classes, normalization):
    torch = pytest.importorskip("torch", reason="PyTorch comes with the extra bench")
    X, y = three_classes
    model = classifier(hidden_layer_sizes=(6, 5), normalization=normalization).fit(X, y)
    norm = {
        None: lambda n: [],
        "batch": lambda n: [torch.nn.BatchNorm1d(n)],
        "layer": lambda n: [torch.nn.LayerNorm(n)],
    }
    modules, inputs = [], 4
    for width in (6, 5):
        modules += [torch.nn.Linear(inputs, width), *norm[normalization](width), torch.nn.ReLU()]
        inputs = width
    network = torch.nn.Sequential(*modules, torch.nn.Linear(inputs, 3)).double().eval()
    network.load_state_dict({name: torch.from_numpy(array) for name, array in to_state_dict(model).items()})
    with torch.no_grad():
        found = torch.softmax(network(torch.from_numpy(X)), dim=1).numpy()
    np.testing.assert_allclose(found, model.predict_proba(X), rtol=1e-6, atol=1e-9)
    back = from_state_dict(network.state_dict(), classes=model.classes_)
    np.testing.assert_allclose(back.predict_proba(X), model.predict_proba(X), rtol=1e-6, atol=1e-9)
