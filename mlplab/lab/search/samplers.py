"""Proposals of configurations by Optuna's samplers. No other module imports Optuna."""

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
    return {name: dimension.value(name, proposal) for name, dimension in space.items()}


def propose(search: Search, known: Sequence[ObservedTrial], number: int, count: int) -> list[Proposal]:
    """Return new proposals for a round; the same arguments always give the same proposals.

    There are fewer than `count` if the space does not have so many new ones.

    Args:
        search: holds the space, the sampler and the seed.
        known: the trials of the earlier rounds.
        number: the number of the round, from 0.
        count: the number of proposals.

    Raises:
        MissingExtraError: if Optuna is not installed.
    """
    space = search.space
    parameters = {
        name: parameter
        for setting, dimension in space.items()
        for name, parameter in dimension.parameters(setting).items()
    }
    found: list[Proposal] = []
    seen = [settings_of(one.proposal, space) for one in known]
    with _optuna() as optuna:
        distributions = {name: _distribution(optuna, parameter) for name, parameter in parameters.items()}
        study = optuna.create_study(direction="maximize", sampler=_sampler(optuna, search, number))
        worst = min([0.0, *(value for one in known for value, _ in one.progress.scores)])
        study.add_trials([to_optuna_trial(optuna, one, distributions, worst) for one in known])
        for _ in range(10 * count):  # a sampler may repeat an earlier proposal
            chosen = study.ask(distributions).params
            proposal = {
                name: parameter.round(chosen[name]) if isinstance(parameter, Range) else chosen[name]
                for name, parameter in parameters.items()
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
            "a search requires Optuna, which is not installed: pip install 'mlplab[search]'"
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


#: The constructors of the samplers by name; the names are `mlplab.lab.spec.search.SAMPLERS`.
CONSTRUCTORS: dict[str, Callable[[Any, int], Any]] = {"tpe": _tpe, "random": _random}


def _sampler(optuna: Any, search: Search, number: int) -> Any:
    """Return a new sampler for a round. All its information is in the study, so that a search can be resumed."""
    seed = int(generator(search.seed, f"round {number} of a search").integers(2**31))
    return CONSTRUCTORS[search.sampler](optuna, seed)


def _distribution(optuna: Any, parameter: Choices | Range) -> Any:
    if isinstance(parameter, Choices):
        return optuna.distributions.CategoricalDistribution(list(parameter.by_name()))
    kind = optuna.distributions.IntDistribution if parameter.whole else optuna.distributions.FloatDistribution
    return kind(parameter.low, parameter.high, log=parameter.log)


def to_optuna_trial(optuna: Any, one: ObservedTrial, distributions: Mapping[str, Any], worst: float) -> Any:
    """Return an earlier trial as an Optuna trial, which is pruned if the trial was paused, diverged or failed.

    Args:
        optuna: the module.
        one: the trial.
        distributions: the distributions of the parameters, by name.
        worst: the value for a trial without a score.
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
