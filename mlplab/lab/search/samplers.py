"""Proposals of configurations by Optuna's samplers. The only file that needs Optuna."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mlplab.errors import MissingExtraError
from mlplab.lab.search.halving import WORST, TrialProgress
from mlplab.lab.spec.search import Search
from mlplab.lab.spec.space import Choices, Range, Space
from mlplab.utils.randomness import generator

#: The parameters that a sampler chose, by name: plain data.
Proposal = Mapping[str, Any]


@dataclass(frozen=True)
class ObservedTrial:
    """An earlier proposal and the progress of its trial."""

    proposal: Proposal
    progress: TrialProgress


def settings_of(proposal: Proposal, space: Space) -> dict[str, Any]:
    """Return the settings of a proposal."""
    return {name: what.value(name, proposal) for name, what in space.items()}


def propose(search: Search, known: Sequence[ObservedTrial], number: int, count: int) -> list[Proposal]:
    """Return new proposals for a round, always the same for the same arguments.

    They are fewer than `count` if the space does not have so many that are new.

    Args:
        known: the trials of the rounds before. number: of the round.

    Raises:
        MissingExtraError: without Optuna.
    """
    space = search.space
    parameters = {name: what for setting, d in space.items() for name, what in d.parameters(setting).items()}
    found: list[Proposal] = []
    seen = [settings_of(one.proposal, space) for one in known]
    with _optuna() as optuna:
        distributions = {name: _distribution(optuna, what) for name, what in parameters.items()}
        study = optuna.create_study(direction="maximize", sampler=_sampler(optuna, search, number))
        worst = min([0.0, *(value for one in known for value, _ in one.progress.scores)])
        study.add_trials([to_optuna_trial(optuna, one, distributions, worst) for one in known])
        for _ in range(10 * count):  # a sampler may repeat an earlier proposal
            chosen = study.ask(distributions).params
            proposal = {
                n: what.round(chosen[n]) if isinstance(what, Range) else chosen[n] for n, what in parameters.items()
            }
            if (settings := settings_of(proposal, space)) not in seen:
                seen.append(settings)
                found.append(proposal)
            if len(found) == count:
                break
    return found


@contextmanager
def _optuna() -> Iterator[Any]:
    """Import Optuna and silence its log and its warnings."""
    try:
        import optuna
    except ImportError as error:
        raise MissingExtraError(
            "a search needs Optuna, which is not installed: pip install 'mlplab[search]'"
        ) from error
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield optuna
    finally:
        optuna.logging.set_verbosity(before)


def _tpe(optuna: Any, seed: int) -> Any:
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)


def _random(optuna: Any, seed: int) -> Any:
    return optuna.samplers.RandomSampler(seed=seed)


#: Constructors of samplers by the names that a suite gives them, `mlplab.lab.spec.search.SAMPLERS`.
CONSTRUCTORS: dict[str, Callable[[Any, int], Any]] = {"tpe": _tpe, "random": _random}


def _sampler(optuna: Any, search: Search, number: int) -> Any:
    """Return a new sampler for a round: all that it learns from is in the study, so that a search can be resumed."""
    seed = int(generator(search.seed, f"round {number} of a search").integers(2**31))
    return CONSTRUCTORS[search.sampler](optuna, seed)


def _distribution(optuna: Any, what: Choices | Range) -> Any:
    if isinstance(what, Choices):
        return optuna.distributions.CategoricalDistribution(list(what.by_name()))
    kind = optuna.distributions.IntDistribution if what.whole else optuna.distributions.FloatDistribution
    return kind(what.low, what.high, log=what.log)


def to_optuna_trial(optuna: Any, one: ObservedTrial, distributions: Mapping[str, Any], worst: float) -> Any:
    """Return an earlier trial as one of Optuna's, pruned if it was paused, diverged or failed.

    worst: the value of a trial that has none.
    """
    progress, states = one.progress, optuna.trial.TrialState
    scores = {epoch: value for epoch, (value, _) in enumerate(progress.scores, start=1)}
    if progress.best_known == WORST:
        scores = {1: worst}
    done = progress.ended and progress.best_known != WORST
    return optuna.trial.create_trial(
        state=states.COMPLETE if done else states.PRUNED,
        value=progress.best_known[0] if done else None,
        params=dict(one.proposal),
        distributions=distributions,
        intermediate_values=scores,
    )
