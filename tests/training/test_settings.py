import inspect
from math import inf, nan

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

from mlplab import Callback, NeuralNetworkClassifier
from mlplab.errors import SettingError
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.initializers import INITIALIZERS
from mlplab.nn.losses import LOSSES
from mlplab.nn.normalization import NORMALIZATIONS
from mlplab.nn.optimizers import OPTIMIZERS
from mlplab.nn.schedules import SCHEDULES, Schedule
from mlplab.training.settings import (
    DEFAULTS,
    SETTINGS,
    check_setting_name,
    check_settings,
    is_integer,
    is_number,
    layer_widths,
)

NOT_A_BOOLEAN = [0, 1, "True", None]
NOT_A_NUMBER = ["0.1", None, nan, True, [0.1], 1j]
#: For every setting: what it must not take.
BAD = {
    "hidden_layer_sizes": [0, -1, (0,), (3, -1), 2.5, (2.5,), "100", None, True, (True,), [[3]], iter([5])],
    "activation": ["rleu", None, 3, [], ["relu", "rleu"], ACTIVATIONS["relu"].forward, type(ACTIVATIONS["relu"])],
    "solver": ["sdg", None, 3],
    "alpha": [-1e-9, inf, *NOT_A_NUMBER],
    "batch_size": [0, -1, 2.5, "automatic", None, True],
    "learning_rate_init": [0, -0.1, inf, *NOT_A_NUMBER],
    "max_iter": [0, -1, 2.5, "20", None, True, inf],
    "shuffle": NOT_A_BOOLEAN,
    "random_state": [-1, 2.5, "0", True],
    "tol": [-1e-9, inf, nan, "0.1", True],
    "verbose": [-1, 2.5, "yes", None],
    "momentum": [-0.1, 1.1, *NOT_A_NUMBER],
    "nesterovs_momentum": NOT_A_BOOLEAN,
    "early_stopping": NOT_A_BOOLEAN,
    "validation_fraction": [0, 1, -0.1, 1.5, *NOT_A_NUMBER],
    "beta_1": [-0.1, 1, *NOT_A_NUMBER],
    "beta_2": [-0.1, 1, *NOT_A_NUMBER],
    "epsilon": [0, -1e-8, *NOT_A_NUMBER],
    "n_iter_no_change": [0, -1, 2.5, "10", None, -inf, nan],
    "initializer": ["glorot", None, 3, np.eye(2)],
    "fit_intercept": NOT_A_BOOLEAN,
    "weight_decay": [-1e-9, inf, *NOT_A_NUMBER],
    "loss": ["hinge", "poisson", None, 3, LOSSES["cross_entropy"]],
    "label_smoothing": [-0.1, 1, *NOT_A_NUMBER],
    "class_weight": ["balance", 3, [1, 2], True],
    "learning_rate": ["cosin", None, 0.1, Schedule],
    "power_t": [-0.1, inf, *NOT_A_NUMBER],
    "learning_rate_decay": [0, 1.1, "0.1", nan, True],
    "learning_rate_step": [0, -1, 2.5, "10", None, True],
    "warmup_epochs": [-1, inf, *NOT_A_NUMBER],
    "warm_start": NOT_A_BOOLEAN,
    "max_fun": [0, -1, 2.5, None, True],
    "l1": [-1e-9, inf, *NOT_A_NUMBER],
    "max_norm": [0, -1, inf, "3", nan, True],
    "clip_norm": [0, -1, inf, "3", nan, True],
    "rho": [-0.1, 1, *NOT_A_NUMBER],
    "dropout": [-0.1, 1, *NOT_A_NUMBER],
    "input_dropout": [-0.1, 1, *NOT_A_NUMBER],
    "input_noise": [-0.1, inf, *NOT_A_NUMBER],
    "hidden_noise": [-0.1, inf, *NOT_A_NUMBER],
    "normalization": ["group", 3, True],
    "ema_decay": [-0.1, 1, "0.9", nan, True],
    "average_epochs": [-1, 2.5, None, True],
    "input_scale": [0, -1, inf, *NOT_A_NUMBER],
    "callbacks": [None, 3, Callback(), [print], "callback"],
    "dtype": ["float16", "int32", int, 32, np.float16],
}
#: And what it must, beside its default.
GOOD = {
    "hidden_layer_sizes": [(), [], 1, np.int32(7), [1024, 512], np.array([3, 4]), (np.int64(3),)],
    "activation": [*ACTIVATIONS, *ACTIVATIONS.values(), ["relu", "tanh"], ("gelu", ACTIVATIONS["relu"])],
    "solver": [*OPTIMIZERS, "lbfgs", OPTIMIZERS["adam"]],
    "learning_rate": [*SCHEDULES, Schedule()],
    "learning_rate_decay": [None, 1, 0.5],
    "normalization": [None, *NORMALIZATIONS, *NORMALIZATIONS.values()],
    "class_weight": [None, "balanced", {"a": 2.0}, {0: 1, 1: 3}],
    "max_norm": [None, 3],
    "clip_norm": [None, 0.5],
    "ema_decay": [None, 0, 0.999],
    "alpha": [0, 1, np.float32(0.5)],
    "batch_size": ["auto", 1, np.int64(100)],
    "learning_rate_init": [1e-300, 10],
    "max_iter": [1, np.int64(20)],
    "random_state": [None, 0, np.int64(3), np.random.RandomState(0), np.random.default_rng(0)],
    "tol": [None, 0, 1.5],
    "verbose": [True, 0, 10, np.True_],
    "momentum": [0, 1],
    "beta_1": [0],
    "beta_2": [0],
    "n_iter_no_change": [1, inf],
    "initializer": ["auto", *INITIALIZERS, INITIALIZERS["he_normal"], lambda rng, inputs, outputs: None],
    "loss": ["cross_entropy", "squared_error", "focal", LOSSES["cross_entropy"]["softmax"]],
    "callbacks": [[], [Callback()], (Callback(), Callback())],
    "dtype": [None, "float32", "float64", np.float32, np.float64, np.dtype("float64")],
}


def pairs(table):
    return [(name, value) for name, values in table.items() for value in values]


def test_every_setting_has_values_that_it_must_not_take():
    assert set(BAD) == set(SETTINGS)


@pytest.mark.parametrize(("name", "value"), pairs(BAD))
def test_bad_values_are_refused_with_name_allowed_and_given(refuses, name, value):
    allowed = SETTINGS[name].metadata["check"].allowed
    with refuses(SettingError, f"{name} must be {allowed}; got {repr(value)[:6]}"):
        check_settings({name: value})


@pytest.mark.parametrize(("name", "value"), [*pairs(GOOD), *DEFAULTS.items()])
def test_a_good_value_is_taken(name, value):
    check_settings({name: value})


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("activation", "rleu", "relu"),
        ("activation", "sigmiod", "sigmoid"),
        ("solver", "adma", "adam"),
        ("initializer", "xavier_norml", "xavier_normal"),
        ("loss", "crossentropy", "cross_entropy"),
        ("batch_size", "atuo", "auto"),
    ],
)
def test_a_misspelt_value_brings_the_nearest_one(refuses, name, value, right):
    with refuses(SettingError, name, f"did you mean '{right}'?"):
        check_settings({name: value})


@pytest.mark.parametrize(
    ("name", "right"), [("learning_rate_int", "learning_rate_init"), ("hidden_layers", "hidden_layer_sizes")]
)
def test_a_misspelt_setting_brings_the_nearest_name(refuses, name, right):
    with refuses(SettingError, f"suite.toml: unknown setting '{name}'", f"did you mean '{right}'?"):
        check_setting_name(name, "suite.toml: ")
    with refuses(SettingError, f"unknown setting '{name}'"):
        check_settings({name: 1})


def test_the_place_goes_before_the_message(refuses):
    with refuses(SettingError, "suite.toml: alpha must be"):
        check_settings({"alpha": -1}, "suite.toml: ")


def test_the_estimators_parameters_are_the_settings_and_defaults():
    parameters = inspect.signature(NeuralNetworkClassifier).parameters
    assert {name: parameter.default for name, parameter in parameters.items()} == DEFAULTS


def test_as_in_scikit_learn_only_the_first_two_are_positional():
    ours, theirs = (inspect.signature(kind).parameters for kind in (NeuralNetworkClassifier, MLPClassifier))
    positional = [name for name, parameter in ours.items() if parameter.kind is parameter.POSITIONAL_OR_KEYWORD]
    assert positional == [name for name, p in theirs.items() if p.kind is p.POSITIONAL_OR_KEYWORD]


SHARED = list(MLPClassifier().get_params())


@pytest.mark.parametrize("name", SHARED)
def test_a_parameter_of_scikit_learn_has_its_default(name):
    assert DEFAULTS[name] == MLPClassifier().get_params()[name]


@pytest.mark.parametrize(("widths", "expected"), [((), ()), (7, (7,)), ([7, 6], (7, 6)), (np.array([7]), (7,))])
def test_widths_become_a_tuple_of_plain_integers(widths, expected):
    assert layer_widths(widths) == expected
    assert all(type(width) is int for width in layer_widths(widths))


@pytest.mark.parametrize(
    ("value", "integer", "number"),
    [
        (1, True, True),
        (np.int8(1), True, True),
        (1.0, False, True),
        (np.float32(1), False, True),
        (True, False, False),
        (inf, False, False),
        (nan, False, False),
        ("1", False, False),
        (None, False, False),
        (1j, False, False),
    ],
)
def test_what_counts_as_a_number(value, integer, number):
    assert (is_integer(value), is_number(value)) == (integer, number)
