"""scikit-learn's own callbacks and its protocol, on the estimators."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from mlplab import NeuralNetworkClassifier, NeuralNetworkRegressor

callback = pytest.importorskip("sklearn.callback", reason="scikit-learn before 1.9 has no callbacks")
X, y = load_iris(return_X_y=True)


class Recorder:
    """Keeps the name of every hook with its task, and the scores of the estimators that it was handed."""

    def __init__(self, stop_after=None):
        self.calls, self.scores, self.metadata, self._stop_after = [], [], [], stop_after

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.calls.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None):
        self.calls.append(f"end {context.task_name} {context.task_id}")
        self.scores.append(fitted_estimator.score(X, y))
        self.metadata.append(metadata)
        return context.task_name == "epoch" and context.task_id + 1 == self._stop_after


@pytest.mark.parametrize("kind", [NeuralNetworkClassifier, NeuralNetworkRegressor])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_tasks_are_the_fit_and_its_epochs(kind, solver):
    recorder = Recorder(stop_after=3)
    model = kind((6,), solver=solver, max_iter=8, tol=None, batch_size=10, learning_rate_init=0.02, random_state=0)
    model.set_callbacks(recorder)
    model.fit(X, y, sample_weight=np.ones(len(X)))
    epochs = [f"{what} epoch {k}" for k in range(3) for what in ("begin", "end")]
    assert recorder.calls == ["setup", "begin fit 0", *epochs, "end fit 0", "teardown"]
    assert model.n_iter_ == 3
    assert recorder.scores[-1] == recorder.scores[-2] == model.score(X, y)
    assert len(set(recorder.scores)) > 1
    assert list(recorder.metadata[0]) == ["sample_weight"]


def test_the_fit_ends_with_the_best_weights():
    recorder = Recorder()
    model = NeuralNetworkClassifier(
        (6,), max_iter=60, early_stopping=True, batch_size=5, learning_rate_init=0.03, random_state=0
    )
    model.set_callbacks(recorder).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert recorder.scores[-1] == model.score(X[::2], y[::2])
    assert recorder.scores[-1] != recorder.scores[-2]


def test_an_error_tears_them_down():
    recorder = Recorder()
    model = NeuralNetworkClassifier((6,), max_iter=-1).set_callbacks(recorder)
    with pytest.raises(ValueError, match="max_iter"):
        model.fit(X, y)
    assert recorder.calls in ([], ["setup", "teardown"])
    assert not hasattr(model, "_callback_fit_ctx")


def test_scikit_learns_own_monitor_agrees_with_the_history():
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = NeuralNetworkClassifier((6,), max_iter=4, tol=None, random_state=0).set_callbacks(monitor)
    model.fit(X, y, X_val=X, y_val=y)
    scores = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert scores == model.history_["val_accuracy"]


def test_a_search_hands_its_callbacks_down():
    class Propagated(Recorder):
        max_propagation_depth = None

        def on_fit_task_end(self, estimator, context):
            self.calls.append(f"end {context.task_name}")

    recorder = Propagated()
    model = NeuralNetworkClassifier((4,), max_iter=3, tol=None)
    GridSearchCV(model, {"alpha": [0.1, 1.0]}, cv=2).set_callbacks(recorder).fit(X, y)
    assert recorder.calls.count("end epoch") == 3 * (2 * 2 + 1)
    assert recorder.calls.count("setup") == recorder.calls.count("teardown") == 1


def test_a_fit_without_them_leaves_no_trace():
    model = NeuralNetworkClassifier((4,), max_iter=2, tol=None).fit(X, y)
    assert not [name for name in vars(model) if "callback" in name and name != "callbacks"]
