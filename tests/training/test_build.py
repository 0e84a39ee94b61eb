import numpy as np
import pytest

from mlplab.engine.numpy_engine import NumpyEngine
from mlplab.errors import SettingError
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.initializers import INITIALIZERS
from mlplab.nn.losses import LOSSES
from mlplab.nn.optimizers import OPTIMIZERS, SGD, Adam, Momentum
from mlplab.training.build import build_loss, build_network, layer_sizes
from mlplab.training.settings import SETTINGS, Settings
from mlplab.training.tasks import classify
from mlplab.utils.randomness import WEIGHTS, generator


@pytest.mark.parametrize(
    ("hidden", "classes", "expected"),
    [
        ((), 10, (4, 10)),
        ((), 2, (4, 1)),
        ((7,), 3, (4, 7, 3)),
        (7, 2, (4, 7, 1)),
        (np.int64(7), 3, (4, 7, 3)),
        ([7, 6, 5], 2, (4, 7, 6, 5, 1)),
        (np.array([7, 6]), 3, (4, 7, 6, 3)),
    ],
)
def test_two_classes_need_one_output_and_more_need_one_each(hidden, classes, expected):
    sizes = layer_sizes(hidden, 4, classify(classes).outputs)
    assert sizes == expected
    assert all(type(size) is int for size in sizes)


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("name", SETTINGS["loss"].metadata["check"].names)
def test_every_named_loss_is_zero_where_logits_fit_its_targets(name, classes):
    task = classify(classes)
    targets = task.table(smooth=False)
    loss, sure = build_loss(Settings(loss=name), task), np.where(targets > 0, 100.0, -100.0)
    np.testing.assert_array_equal(task.decide(np, sure[None])[0], np.arange(classes))
    assert task.right(np, sure[None], np.arange(classes)[None]).all()
    np.testing.assert_allclose(loss.value_and_delta(np, sure[None].copy(), targets[None]), 0, atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_smoothed_targets_give_each_class_its_share(classes):
    task = classify(classes, label_smoothing=0.3)
    smooth, hard = task.table(smooth=True), task.table(smooth=False)
    np.testing.assert_allclose(smooth, 0.7 * hard + 0.3 / classes)
    np.testing.assert_array_equal(hard, classify(classes).table(smooth=True))


def test_a_loss_of_ones_own_is_taken_as_it_is():
    own = LOSSES["cross_entropy"]["softmax"]
    assert build_loss(Settings(loss=own), classify(2)) is own


def test_a_loss_unfit_for_the_task_is_refused_with_alternatives():
    with pytest.raises(SettingError, match="use 'cross_entropy', 'squared_error' or 'focal'"):
        build_loss(Settings(loss="poisson"), classify(3))


@pytest.mark.parametrize("name", INITIALIZERS)
def test_every_initializer_draws_from_the_seeds_own_generator(name):
    network = build_network(Settings((7, 6), initializer=name), 4, 3, NumpyEngine("float64"), [5, 9])
    for m, seed in enumerate((5, 9)):
        rng = generator(seed, WEIGHTS)
        for W in network.theta.weights:
            np.testing.assert_array_equal(W[m], INITIALIZERS[name](rng, *W.shape[1:]))
    assert all((b == 0).all() for b in network.theta.biases)


WANTED = {"scaled_tanh": "lecun_normal", "selu": "lecun_normal"}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_auto_is_what_the_activation_wants(activation):
    automatic, named = (
        build_network(Settings((7,), activation, initializer=name), 4, 3, NumpyEngine("float64"), [0])
        for name in ("auto", WANTED.get(activation, "glorot_uniform"))
    )
    np.testing.assert_array_equal(automatic.theta.flat, named.theta.flat)


def test_float32_weights_are_the_float64_ones_rounded():
    exact, rounded = (build_network(Settings((7,)), 4, 3, NumpyEngine(dtype), [0]) for dtype in ("float64", "float32"))
    np.testing.assert_array_equal(rounded.theta.flat, exact.theta.flat.astype(np.float32))


@pytest.mark.parametrize(
    ("settings", "kind"),
    [({"momentum": 0, "solver": "sgd"}, SGD), ({"solver": "sgd"}, Momentum), ({"solver": "adam"}, Adam)],
)
def test_the_solver_names_the_optimizer(settings, kind):
    made = Settings(**settings)
    assert type(OPTIMIZERS[made.solver](build_network(made, 2, 2, NumpyEngine(), [0]), made)) is kind


@pytest.mark.parametrize(("rows", "expected"), [(500, 200), (150, 150)])
def test_batch_size_auto_is_200_or_all_rows(trainer, rows, expected):
    made = trainer([{"batch_size": "auto"}], [0], np.ones((rows, 2)), np.arange(rows) % 2)
    assert made.training.batch_size == expected


def test_a_batch_larger_than_the_rows_is_cut_with_a_warning(trainer):
    with pytest.warns(UserWarning, match="batch_size=40 is reduced to the 30 training rows"):
        made = trainer([{"batch_size": 40}], [0], np.ones((30, 2)), np.arange(30) % 2)
    assert made.training.batch_size == 30


@pytest.mark.parametrize(
    "settings",
    [
        {"dropout": 0.1},
        {"input_noise": 0.1},
        {"normalization": "batch"},
        {"max_norm": 3},
        {"clip_norm": 1},
        {"ema_decay": 0.9},
        {"average_epochs": 2},
        {"warmup_epochs": 1},
    ],
)
def test_lbfgs_refuses_what_it_would_leave_out_in_silence(refuses, settings):
    with refuses(SettingError, "solver='lbfgs'"):
        build_network(Settings((7,), solver="lbfgs", **settings), 4, 3, NumpyEngine(), [0])


@pytest.mark.parametrize("given", [["relu"], ["relu"] * 3])
def test_a_list_of_activations_needs_one_per_hidden_layer(refuses, given):
    with refuses(SettingError, "2 hidden layers", f"got {len(given)}"):
        build_network(Settings((7, 6), given), 4, 3, NumpyEngine(), [0])
