from itertools import product

import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax

import mlplab
from mlplab.errors import DataError, SettingError
from mlplab.nn import finite_differences
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.finite_differences import check_gradients
from mlplab.nn.losses import LOSSES
from mlplab.nn.network import GradientWriter, Workspace

ROWS = 7
PAIRS = [(name, out) for name, losses in LOSSES.items() for out in losses]
OUTPUTS = {"logistic": 1, "softmax": 3, "identity": 2, "exp": 2}
CROSS_ENTROPY = ("cross_entropy", "softmax")
#: Every activation, every loss, and everything else with one of them.
CASES = [
    *((activation, CROSS_ENTROPY, True, 0.3, 0.0, (4, 3)) for activation in ACTIVATIONS),
    *(("tanh", pair, True, 0.3, 0.0, (4, 3)) for pair in PAIRS),
    *product(["relu"], PAIRS, [False], [0.0], [0.0], [()]),
    *product(
        ["tanh"], [CROSS_ENTROPY, ("cross_entropy", "logistic")], (True, False), (0.0, 0.3), (0.0, 0.1), ((4, 3), ())
    ),
    (("relu", "gelu"), CROSS_ENTROPY, True, 0.3, 0.1, (4, 3)),
]
every_case = pytest.mark.parametrize(("activation", "loss", "fit_intercept", "decay", "l1", "hidden"), CASES)


def problem(out, hidden, seed=0):
    """Return layer sizes, rows and targets."""
    rng, outputs = np.random.default_rng(seed), OUTPUTS[out]
    X, codes = rng.normal(size=(ROWS, 5)), np.arange(ROWS)
    T = {
        "softmax": np.eye(outputs)[codes % outputs],
        "logistic": (codes % 2)[:, None].astype(float),
        "identity": rng.normal(size=(ROWS, outputs)),
        "exp": rng.poisson(2, (ROWS, outputs)).astype(float),
    }
    return (5, *hidden, outputs), X, T[out]


def of_classes(classes):
    """Return the cross-entropy for so many classes, and the name of its output's non-linearity."""
    out = "softmax" if classes > 2 else "logistic"
    return LOSSES["cross_entropy"][out], out


def parts(names):
    """Return the activation of that name, or those of several names."""
    return [ACTIVATIONS[name] for name in names] if isinstance(names, tuple) else ACTIVATIONS[names]


@every_case
def test_back_propagation_agrees_with_the_gradient_checker(network, activation, loss, fit_intercept, decay, l1, hidden):
    (name, out), (sizes, X, T) = loss, problem(loss[1], hidden)
    net = network(sizes, parts(activation), fit_intercept)
    outcome = check_gradients(net, LOSSES[name][out], X, T, weight_decay=decay, l1=l1, sample=None)
    assert outcome.passed, str(outcome)
    assert outcome.error < 1e-6
    assert outcome.checked == net.theta.flat.size


@every_case
def test_back_propagation_agrees_with_an_independent_objective(
    network, activation, loss, fit_intercept, decay, l1, hidden
):
    (name, out), (sizes, X, T) = loss, problem(loss[1], hidden)
    net, rule = network(sizes, parts(activation), fit_intercept), LOSSES[name][out]
    work, writer = Workspace(net, ROWS), GradientWriter(net, l1)
    dz = net.forward(X[None], work)
    rule.value_and_delta(np, dz, T[None])
    writer.begin(np.array([ROWS]), np.array([decay]))
    net.backward(dz, work, writer)
    of_layers = activation if isinstance(activation, tuple) else [activation] * len(hidden)

    def objective():
        a = X
        for layer, W in enumerate(net.theta.weights):
            a = a @ W[0] + (net.theta.biases[layer][0] if fit_intercept else 0)
            if layer < len(sizes) - 2:
                z, a = a, np.empty_like(a)
                ACTIVATIONS[of_layers[layer]].forward(np, z, a)
        penalty = sum(decay / 2 * (W**2).sum() + l1 * np.abs(W).sum() for W in net.theta.weights)
        return rule.value_and_delta(np, a.copy(), T).mean() + penalty

    theta, step, numeric = net.theta.flat[0], 1e-5, []
    for p in range(theta.size):
        kept = theta[p]
        theta[p] = kept + step
        above = objective()
        theta[p] = kept - step
        numeric.append((above - objective()) / (2 * step))
        theta[p] = kept
    np.testing.assert_allclose(writer.gradient.flat[0], numeric, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("classes", "log_p"), [(2, None), (3, log_softmax)])
def test_the_gradient_of_a_linear_model_is_the_textbooks(network, classes, log_p):
    # ∂loss/∂W = Xᵀ(p - T)/B, ∂loss/∂b = Σ(p - T)/B
    loss, out = of_classes(classes)
    sizes, X, T = problem(out, ())
    net = network(sizes)
    work, writer = Workspace(net, ROWS), GradientWriter(net)
    z = net.forward(X[None], work)
    p = np.exp(log_p(z[0], axis=-1)) if log_p else expit(z[0])
    expected_loss = -(T * np.log(p)).sum(axis=1) if log_p else -(log_expit(np.where(T, 1, -1) * z[0]))[:, 0]
    np.testing.assert_allclose(loss.value_and_delta(np, z, T[None])[0], expected_loss)
    writer.begin(np.array([ROWS]), np.zeros(1))
    net.backward(z, work, writer)
    np.testing.assert_allclose(writer.gradient.weights[0][0], X.T @ (p - T) / ROWS, atol=1e-14)
    np.testing.assert_allclose(writer.gradient.biases[0][0, 0], (p - T).mean(axis=0), atol=1e-14)


class WronglyScaled:
    """An activation whose derivative is off by a factor, for all units or for one."""

    def __init__(self, right, factor, unit=slice(None)):
        self.right, self.factor, self.unit, self.needs_z = right, factor, unit, right.needs_z
        self.forward = right.forward

    def backward(self, xp, z, a, da):
        self.right.backward(xp, z, a, da)
        da[..., self.unit] *= self.factor


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("factor", [1.0001, 0.0, -1.0])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_wrong_derivative_of_an_activation_is_caught(network, activation, factor, classes):
    loss, out = of_classes(classes)
    sizes, X, T = problem(out, (4,))
    net = network(sizes, WronglyScaled(ACTIVATIONS[activation], factor))
    outcome = check_gradients(net, loss, X, T)
    assert not outcome.passed
    assert "GRADIENTS DIFFER" in str(outcome)


@pytest.mark.parametrize(("name", "out"), PAIRS)
def test_a_wrong_derivative_of_a_loss_is_caught(network, name, out):
    right = LOSSES[name][out]

    class Wrong:
        def value_and_delta(self, xp, z, T):
            value = right.value_and_delta(xp, z, T)
            z *= 1.0001
            return value

    sizes, X, T = problem(out, (4,))
    assert not check_gradients(network(sizes), Wrong(), X, T).passed


@pytest.mark.parametrize("unit", [0, 3])
def test_the_wrong_parameter_is_named(network, unit):
    sizes, X, T = problem("softmax", (4,))
    net = network(sizes, WronglyScaled(ACTIVATIONS["tanh"], 0.5, unit))
    outcome = check_gradients(net, LOSSES["cross_entropy"]["softmax"], X, T, sample=None)
    # only what leads into that unit is wrong: a column of the first layer's weights, or its bias
    assert outcome.parameter.startswith("W[0][") or outcome.parameter == f"b[0][{unit}]"
    assert outcome.parameter.endswith(f"{unit}]")
    assert abs(outcome.numeric) == pytest.approx(2 * abs(outcome.analytic), rel=1e-6)


def test_both_numbers_are_shown(network):
    sizes, X, T = problem("softmax", (4,))
    outcome = check_gradients(network(sizes), LOSSES["cross_entropy"]["softmax"], X, T)
    assert f"{outcome.analytic:+.10e}" in str(outcome)
    assert f"{outcome.numeric:+.10e}" in str(outcome)
    assert "gradients agree" in str(outcome)


def test_the_parameters_are_put_back_bit_for_bit(network):
    sizes, X, T = problem("softmax", (4,))
    net = network(sizes)
    before = net.theta.flat.copy()
    check_gradients(net, LOSSES["cross_entropy"]["softmax"], X, T, sample=None)
    np.testing.assert_array_equal(net.theta.flat, before)


@pytest.mark.parametrize(("sample", "expected"), [(5, 5), (None, 39), (1000, 39)])
def test_as_many_parameters_are_compared_as_asked_for(network, sample, expected):
    sizes, X, T = problem("softmax", (4,))
    assert check_gradients(network(sizes), LOSSES["cross_entropy"]["softmax"], X, T, sample=sample).checked == expected


@pytest.mark.parametrize("made", [{"dtype": "float32"}, {"members": 2}])
def test_only_one_member_in_float64_can_be_checked(network, refuses, made):
    sizes, X, T = problem("softmax", ())
    with refuses(SettingError, "one member in float64"):
        check_gradients(network(sizes, **made), LOSSES["cross_entropy"]["softmax"], X, T)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("fixture", ["two_classes", "three_classes"])
def test_gradient_check_prints_its_result_and_fits_nothing(request, classifier, capsys, activation, fixture):
    estimator = classifier(activation=activation, alpha=0.1)
    outcome = mlplab.gradient_check(estimator, *request.getfixturevalue(fixture))
    assert outcome.passed
    assert capsys.readouterr().out == f"{outcome}\n"
    assert not hasattr(estimator, "coefs_")


def test_gradient_check_catches_a_wrong_activation_of_ones_own(classifier, three_classes):
    wrong = WronglyScaled(ACTIVATIONS["tanh"], 1.001)
    assert not mlplab.gradient_check(classifier(activation=wrong), *three_classes).passed


def test_gradient_check_needs_two_classes_among_the_rows(classifier, refuses):
    X, y = np.ones((200, 3)), np.repeat([0, 1], 100)
    with refuses(DataError, "one class only", "shuffle"):
        mlplab.gradient_check(classifier(), X, y)


def test_the_kinks_of_relu_raise_no_false_alarm():
    from sklearn.datasets import load_wine

    from mlplab import NeuralNetworkClassifier, gradient_check

    X, y = load_wine(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    # unscaled, with values up to 1,680: a step of one weight moves pre-activations far
    outcomes = [gradient_check(NeuralNetworkClassifier((16,), random_state=s), X[order], y[order]) for s in range(10)]
    assert all(outcome.passed for outcome in outcomes), [str(outcome) for outcome in outcomes]


def test_padding_between_rows_is_not_counted_as_parameters(network):
    net = network((2, 256, 2))  # 256 float64 are 2 KiB: the engine lays such rows apart
    count = 2 * 256 + 256 * 2 + 256 + 2
    assert net.theta.flat.size > count
    rng = np.random.default_rng(0)
    X, T = rng.normal(size=(ROWS, 2)), np.eye(2)[rng.integers(0, 2, ROWS)]
    outcome = check_gradients(net, LOSSES["cross_entropy"]["softmax"], X, T, sample=None)
    assert outcome.passed, str(outcome)
    assert outcome.checked == count


@pytest.mark.parametrize(("where", "name"), [((1, 3, 17), "W[0][3, 17]"), ((2, 200, 1), "W[1][200, 1]")])
def test_the_worst_parameter_is_named_by_its_layer_and_place(network, where, name):
    net = network((5, 256, 2))
    layer, i, o = where[0] - 1, *where[1:]
    positions = finite_differences._positions(net)
    assert finite_differences._parameter_name(positions, int(positions.weights[layer][0, i, o])) == name
    net.theta.flat[0, int(positions.weights[layer][0, i, o])] = 7
    assert net.theta.weights[layer][0, i, o] == 7
