"""What mlplab is to reach beside its peers, and whether it did."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean, median

from benchmarks.cases import DEEP, SMALL, TABLE, network_name
from benchmarks.contenders import COMPILED, JAX, NOTEBOOK, ONNX, OURS, PYTORCH, SCIKIT_LEARN, Contender
from benchmarks.results import Predictions, Results, Steps, best_rates, lowest_of_each_round, ratio, share


@dataclass(frozen=True)
class Target:
    """A figure and its limit.

    Attributes:
        what: in words.
        found: the figure, or None where it was not measured.
        limit: what it has to reach or, with `at_most`, must not exceed.
        unit: how both are written, a format of one number.
    """

    what: str
    found: float | None
    limit: float
    unit: str = "{:.2f}×"
    at_most: bool = False

    @property
    def verdict(self) -> str:
        """Whether it is met, in words."""
        if self.found is None:
            return "not measured"
        return "met" if (self.found <= self.limit if self.at_most else self.found >= self.limit) else "not met"


_TORCH = (PYTORCH, COMPILED)


def targets(results: Results) -> list[Target]:
    """Return every target with what was found."""
    deep, deep_adam = _steps(results, DEEP, "sgd"), _steps(results, DEEP, "adam")
    small, table = _steps(results, SMALL, "sgd"), _steps(results, TABLE, "sgd")
    predicted = {p.sizes: p for p in results.predictions}
    core, study = results.one_core, results.study
    one_thread = median(best_rates(core.gemm))
    percent, of_best = "{:.0%}", f"{core.case.name}, one thread, share of the best matrix product: "
    return [
        Target(f"{deep.case.name}: faster than JAX", _speed_up(deep, JAX), 1.1),
        Target("the same: faster than PyTorch, eager or compiled", _speed_up(deep, *_TORCH), 2),
        Target("the same: faster than scikit-learn", _speed_up(deep, SCIKIT_LEARN), 4),
        Target("the same: faster than the notebook", _speed_up(deep, NOTEBOOK), 5),
        Target(f"{of_best}two processes at once", pair_share(results), 0.8, percent),
        Target(f"{of_best}in the study's epochs", study and study.flagship_gflops / one_thread, 0.8, percent),
        Target(f"{deep_adam.case.name}: as fast as PyTorch's fused Adam", _speed_up(deep_adam, *_TORCH), 1),
        Target(f"{small.case.name}: faster than JAX", _speed_up(small, JAX), 1.5),
        Target("the same: faster than PyTorch, eager or compiled", _speed_up(small, *_TORCH), 1.5),
        Target(f"{table.case.name}: faster than scikit-learn", _speed_up(table, SCIKIT_LEARN), 2),
        *(
            Target(f"{network_name(sizes)}, predictions: as fast as ONNX Runtime", _prediction(predicted[sizes]), 1)
            for sizes in (SMALL, DEEP)
        ),
        Target("one worker to two: trainings a second", median(scaling(results)), 1.85),
        Target("the study in full, with all its epochs, in minutes", None, 17, "{:.0f}", at_most=True),
        Target("the study: peak memory", study and study.peak_mb, 900, "{:.0f} MB", at_most=True),
        Target("mlplab --help", median(results.help_seconds), 0.3, "{:.2f} s", at_most=True),
    ]


def scaling(results: Results) -> list[float]:
    """Return, for every round, how many times as many steps a second two processes make as one."""
    core = results.one_core
    return [alone / a + alone / b for alone, (a, b) in zip(core.alone, core.pair, strict=True)]


def pair_share(results: Results) -> float:
    """Return the share of one thread's best matrix product that each of two processes reaches, their mean."""
    core = results.one_core
    return mean(share(core.case, milliseconds, core.gemm) for milliseconds in zip(*core.pair, strict=True))


def _steps(results: Results, sizes: tuple[int, ...], solver: str) -> Steps:
    """Return the case with batches of 100 rows."""
    cases = {(s.case.sizes, s.case.solver, s.case.batch_size): s for s in results.steps}
    return cases[sizes, solver, 100]


def _speed_up(steps: Steps, *others: Contender) -> float | None:
    """Return how many times as fast mlplab is as the fastest of the others, or None where none took part."""
    fastest = lowest_of_each_round(steps.milliseconds, [contender.name for contender in others])
    return fastest and ratio(fastest, steps.milliseconds[OURS.name])


def _prediction(predictions: Predictions) -> float | None:
    ours, theirs = (predictions.images.get(contender.name) for contender in (OURS, ONNX))
    return ours and theirs and ratio(ours, theirs)
