import numpy as np
import pytest

from mlplab import Callback, NeuralNetworkClassifier
from mlplab.engine.numpy_engine import NumpyEngine
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.network import Network
from mlplab.training.averaging import ExponentialAverage, LastEpochsAverage


class Weights(Callback):
    """Keeps what the estimator shows of its weights after every epoch."""

    def __init__(self):
        self.seen = []

    def on_epoch_end(self, estimator, epoch):
        self.seen.append(estimator.coefs_[0].copy())


def network():
    return Network(NumpyEngine("float64"), (2, 3, 2), ACTIVATIONS["tanh"])


def test_the_exponential_average_follows_its_formula():
    net, average, rng = network(), ExponentialAverage(0.9), np.random.default_rng(0)
    expected = None
    for t in range(1, 200):
        net.theta.flat[...] = rng.normal(size=net.theta.flat.shape)
        average.on_step(net)
        decay = min(0.9, (1 + t) / (10 + t))
        expected = net.theta.flat.copy() if expected is None else decay * expected + (1 - decay) * net.theta.flat
    own = net.theta.flat.copy()
    average.swap_in(net)
    np.testing.assert_allclose(net.theta.flat, expected)
    average.swap_out(net)
    np.testing.assert_array_equal(net.theta.flat, own)


def test_the_mean_starts_with_the_first_of_the_last_epochs():
    net, average, thetas = network(), LastEpochsAverage(3), []
    for epoch in range(1, 6):
        average.swap_out(net)
        net.theta.flat[...] = np.random.default_rng(epoch).normal(size=net.theta.flat.shape)
        thetas.append(net.theta.flat.copy())
        average.on_epoch_end(net, epoch)
        average.swap_in(net)
        np.testing.assert_allclose(net.theta.flat, np.mean(thetas[2:], axis=0) if epoch >= 3 else thetas[-1])


@pytest.mark.parametrize("given", [{"ema_decay": 0.95}, {"average_epochs": 3}])
def test_averaging_changes_the_kept_weights_not_the_training(three_classes, given):
    X, y = three_classes
    settings = {"max_iter": 6, "tol": None, "random_state": 0, "batch_size": 10, "solver": "sgd"}
    own, shown = Weights(), Weights()
    plain = NeuralNetworkClassifier((5,), callbacks=[own], **settings).fit(X, y)
    averaged = NeuralNetworkClassifier((5,), callbacks=[shown], **settings, **given).fit(X, y)
    # each batch's loss is measured with the weights of the training, which the average must not have touched
    assert averaged.loss_curve_ == plain.loss_curve_
    np.testing.assert_array_equal(averaged.coefs_[0], shown.seen[-1])
    if "average_epochs" in given:
        np.testing.assert_allclose(averaged.coefs_[0], np.mean(own.seen[-3:], axis=0), rtol=1e-5)
        np.testing.assert_array_equal(shown.seen[2], own.seen[2])
    else:
        assert (averaged.coefs_[0] != plain.coefs_[0]).any()


@pytest.mark.filterwarnings("ignore:Training interrupted")
@pytest.mark.parametrize("interrupt", [True, False])
def test_what_an_epoch_that_is_broken_off_leaves_is_the_average(three_classes, interrupt):
    X, y = three_classes

    class Breaking(Callback):
        def __init__(self):
            self.seen = []

        def on_batch_end(self, estimator, loss):
            self.seen.append(estimator.coefs_[0].copy())
            if len(self.seen) == 5 and interrupt:
                raise KeyboardInterrupt
            return len(self.seen) == 5

    breaking = Breaking()
    settings = {"max_iter": 6, "tol": None, "random_state": 0, "batch_size": 30, "ema_decay": 0.9}
    model = NeuralNetworkClassifier((5,), callbacks=[breaking], **settings).fit(X, y)
    expected = breaking.seen[0]
    for t, own in enumerate(breaking.seen[1:], start=2):
        decay = min(0.9, (1 + t) / (10 + t))
        expected = decay * expected + (1 - decay) * own
    np.testing.assert_allclose(model.coefs_[0], expected)
    assert model.n_iter_ == 1


def test_averaged_weights_get_batch_statistics_of_their_own(three_classes):
    X, y = three_classes
    settings = {"max_iter": 6, "tol": None, "random_state": 0, "batch_size": 90, "normalization": "batch"}
    settings |= {"hidden_noise": 0.2, "learning_rate_init": 0.05}
    plain = NeuralNetworkClassifier((5,), **settings).fit(X, y)
    averaged = NeuralNetworkClassifier((5,), average_epochs=4, **settings).fit(X, y)
    assert averaged.loss_curve_ == plain.loss_curve_
    z = X @ averaged.coefs_[0] + averaged.intercepts_[0]
    running = averaged.network_.network.running[0]
    np.testing.assert_allclose(running.mean[0, 0], z.mean(axis=0))
    np.testing.assert_allclose(running.variance[0, 0], z.var(axis=0, ddof=1))
    averaged.partial_fit(X, y)
    plain.partial_fit(X, y)
    assert averaged.loss_curve_ == plain.loss_curve_
