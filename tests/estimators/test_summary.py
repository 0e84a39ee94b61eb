from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from mlplab import Callback, NeuralNetworkRegressor, from_state_dict, load_model, save_model
from mlplab.estimators.summary import LayerSummary, Summary
from mlplab.nn.activations import Tanh
from mlplab.training.history import Epoch, History

NETWORKS = {
    "linear": {"hidden_layer_sizes": ()},
    "deep": {"hidden_layer_sizes": (7, 6, 5), "activation": ["relu", "tanh", "gelu"]},
    "batch": {"hidden_layer_sizes": (7, 6), "normalization": "batch"},
    "no biases": {"fit_intercept": False, "normalization": "layer"},
}


class Reader(HTMLParser):
    """Reads the tags and the text of a page, and that every tag is closed."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self._open = [], [], []
        self.feed(page)
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def section(model):
    return model.summary().to_html()


def curves(page):
    """The points of every curve, by the title of its picture."""
    found = {}
    for part in page.split("<svg")[1:]:
        picture = ElementTree.fromstring("<svg" + part.split("</svg>")[0] + "</svg>")
        lines = [line.get("points").split()[:-1] for line in picture.iter("polyline")]
        found[picture.get("aria-label").split()[0]] = [
            [tuple(map(float, p.split(","))) for p in line] for line in lines
        ]
    return found


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS)
def test_every_layer_is_listed_with_all_of_its_parameters(classifier, three_classes, settings):
    model = classifier(**settings).fit(*three_classes)
    summary = model.summary()
    assert [(layer.inputs, layer.units) for layer in summary.layers] == [W.shape for W in model.coefs_]
    assert summary.parameters == sum(
        array.size for name, array in model.arrays().items() if not name.startswith("running")
    )
    for k, layer in enumerate(summary.layers):
        own = [a for n, a in model.arrays().items() if n.endswith(f".{k}") and not n.startswith("running")]
        assert layer.parameters == sum(array.size for array in own)
    frame = summary.to_frame()
    assert frame["parameters"].sum() == summary.parameters
    assert frame["activation"].iloc[-1] == "softmax"
    for text in (str(summary), "".join(Reader(summary.to_html()).text)):
        assert f"{summary.parameters:,} parameters" in text


def test_the_text_is_a_table(classifier, three_classes):
    model = classifier(hidden_layer_sizes=(1000, 5), normalization="batch").fit(*three_classes)
    lines = str(model.summary()).splitlines()
    assert lines[0] == "NeuralNetworkClassifier: 12,033 parameters"
    assert lines[2:6] == [
        "layer     inputs  units  activation  normalization  parameters",
        "hidden 1       4  1,000        relu          batch       7,000",
        "hidden 2   1,000      5        relu          batch       5,015",
        "output         5      3     softmax                         18",
    ]
    assert lines[7] == "3 classes: 0, 1, 2"
    assert lines[8].startswith("4 epochs on 90 rows, ")
    last = model.history_.epochs[-1]
    assert (
        lines[9]
        == f"training in the last epoch: loss {last.train_loss:.4g}, accuracy {100 * last.train_accuracy:.2f} %"
    )


def test_it_is_there_after_fit_only(classifier, three_classes):
    with pytest.raises(NotFittedError):
        classifier().summary()
    assert "mlplab" not in classifier()._repr_mimebundle_()["text/html"].split("</style>")[-1]
    model = classifier().fit(*three_classes)
    shown = model._repr_mimebundle_()["text/html"]
    assert shown.startswith(estimator_html_repr(model)[:100])
    assert shown.endswith(section(model))
    assert model._repr_html_().endswith(section(model))
    with config_context(display="text"):
        assert "text/html" not in model._repr_mimebundle_()
    pipeline = make_pipeline(StandardScaler(), model)
    assert "NeuralNetworkClassifier" in pipeline._repr_html_()


def test_the_curves_are_those_of_the_history(classifier, three_classes):
    X, y = three_classes
    model = classifier(max_iter=6).fit(X, y, X_val=X, y_val=y)
    found = curves(section(model))
    assert list(found) == ["Loss", "Accuracy"]
    for name, lines in found.items():
        values = [model.history_[f"{part}_{name.lower()}"] for part in ("train", "val")]
        low, high = np.min(values), np.max(values)
        for line, expected in zip(lines, values, strict=True):
            x, height = np.array(line).T
            np.testing.assert_allclose(np.diff(x), np.diff(x)[0], atol=0.11)
            drawn = high - (height - 22) / 88 * (high - low)
            np.testing.assert_allclose(drawn, expected, atol=(high - low) / 80)


def test_long_histories_are_thinned_out_and_end_where_they_end():
    history = History([Epoch(k, 1 / k, 0.5) for k in range(1, 5001)])
    (line,) = curves(Summary("", (), (), history).to_html())["Loss"]
    assert 150 <= len(line) <= 201
    assert line[0][0] == 45
    assert line[-1] == (290, 110)


def test_what_is_no_number_is_left_out(three_classes, classifier, tmp_path):
    X, y = three_classes
    regressor = NeuralNetworkRegressor(max_iter=2, tol=None).fit(X, X[:, :2])
    assert list(curves(section(regressor))) == ["Loss"]
    assert "2 values" in section(regressor)
    from_elsewhere = from_state_dict({"weight": np.ones((3, 4))}, classes=[0, 1, 2])
    assert curves(section(from_elsewhere)) == {}
    assert "no epoch was finished" in str(from_elsewhere.summary())
    save_model(classifier().fit(X, y), tmp_path / "model.safetensors")
    assert list(curves(section(load_model(tmp_path / "model.safetensors")))) == ["Loss", "Accuracy"]
    one = classifier(max_iter=1).fit(X, y)
    assert "1 epoch on 90 rows" in str(one.summary())
    assert len(curves(section(one))["Loss"][0]) == 1


@pytest.mark.filterwarnings("ignore:Training interrupted")
def test_an_interrupted_first_epoch_is_shown(classifier, three_classes):
    class Stop(Callback):
        def on_batch_end(self, estimator, loss):
            raise KeyboardInterrupt

    assert "no epoch was finished" in Reader(section(classifier(callbacks=[Stop()]).fit(*three_classes))).text


@given(st.text(min_size=1))
def test_hostile_names_are_only_text(name):
    layer = LayerSummary(name, 1, 1, name, name, 1)
    page = Summary(name, (layer,), (name,), History([Epoch(1, 0.5, 0.5)])).to_html()
    plain = Reader(
        Summary("a", (LayerSummary("a", 1, 1, "a", "a", 1),), ("a",), History([Epoch(1, 0.5, 0.5)])).to_html()
    )
    assert Reader(page).tags == plain.tags


def test_classes_and_parts_of_ones_own_are_only_text(classifier, three_classes):
    own = type("<b>Own", (Tanh,), {})()
    model = classifier(activation=own).fit(three_classes[0], np.array(["<script>", "b", "c"])[three_classes[1]])
    assert "script" not in Reader(section(model)).tags
    assert "b" not in Reader(section(model)).tags
    assert "<b>Own" in Reader(section(model)).text
