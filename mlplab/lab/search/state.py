"""The state of a search: its rounds and the progress of their trials, and the decisions that follow from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mlplab.lab.search.budget import Budget, epochs_of
from mlplab.lab.search.halving import WORST, Step, TrialProgress, cost, promote
from mlplab.lab.search.log import Round, trial_of
from mlplab.lab.search.samplers import ObservedTrial, Proposal, propose
from mlplab.lab.spec.suite import Suite
from mlplab.lab.spec.trial import Trial


class SearchState:
    """The rounds of a search and the progress of their trials.

    It reads no files and no clock: the same rounds with the same results lead to the same decisions, however often
    the search is interrupted.

    Args:
        suite: a bound suite with a search.

    Attributes:
        trials: the trials by id, in the order in which they were proposed.
        progress: the progress of each trial, by id.
        lost: the ids of trials that had no result when their round was added: once a search has its finalists, those
            whose results were lost.
    """

    def __init__(self, suite: Suite) -> None:
        assert suite.search
        self._suite, self._search = suite, suite.search
        self._max_epochs = epochs_of(suite)
        self._rounds: list[tuple[tuple[int, ...], list[str]]] = []  # rungs and ids
        self._proposals: dict[str, Proposal] = {}
        self.trials: dict[str, Trial] = {}
        self.progress: dict[str, TrialProgress] = {}
        self.lost: set[str] = set()

    def add(self, one: Round, known: Mapping[str, TrialProgress]) -> None:
        """Add a round; `known` is the progress of its trials by id, without those that have no result."""
        trials = [trial_of(proposal, self._suite) for proposal in one.proposals]
        self._rounds.append((one.rungs, [trial.id for trial in trials]))
        for trial, proposal in zip(trials, one.proposals, strict=True):
            self._proposals[trial.id], self.trials[trial.id] = proposal, trial
            self.progress[trial.id] = known.get(trial.id, TrialProgress())
        self.lost |= {trial.id for trial in trials} - known.keys()

    def promotions(self) -> list[Step]:
        """Return the next steps of the rounds so far; an empty list if all of them are complete."""
        return promote(self._rounds, self.progress, self._search.reduction_factor)

    def repairs(self) -> list[Step]:
        """Return the next steps of the lost trials only."""
        return [step for step in self.promotions() if step.trial in self.lost]

    def next_round(self, budget: Budget, *, seconds: float, rate: float) -> Round | None:
        """Return another round, with its proposals; None if the budget is used up or the space is exhausted.

        Args:
            budget: the budget of the search.
            seconds: the time used so far; it is ignored for the first round.
            rate: see `Budget`.

        Raises:
            SettingError: if the budget does not suffice for the first round.
            MissingExtraError: if Optuna is not installed.
        """
        number = len(self._rounds)
        found = budget.plan_round(number, spent=self._planned_epochs(), seconds=seconds if number else 0.0, rate=rate)
        if found is None:
            return None
        rungs, size = found
        observed = [ObservedTrial(proposal, self.progress[trial]) for trial, proposal in self._proposals.items()]
        proposals = propose(self._search, observed, number, size)
        return Round(rungs, tuple(proposals)) if proposals else None

    def finalists(self) -> list[Proposal]:
        """Return the proposals of the finalists, the best first."""
        return [self._proposals[trial] for trial in self._best()]

    @property
    def is_timed(self) -> bool:
        """Whether the time of a training is known."""
        return bool(self._paces())

    def trained_epochs(self) -> int:
        """Return the number of epochs that all trials have been trained for."""
        return sum(len(progress.scores) for progress in self.progress.values())

    def seconds_of(self, steps: Sequence[Step]) -> list[float]:
        """Return an estimate of the seconds of each step; at least one trial must have been timed."""
        measured = self._paces()
        usual = float(np.mean(list(measured.values())))
        return [
            (step.epochs - len(self.progress[step.trial].scores)) * measured.get(step.trial, usual) for step in steps
        ]

    def seconds_of_finalists(self) -> list[float]:
        """Return an estimate of the seconds of each training of the present finalists."""
        measured = self._paces()
        return [measured[trial] * self._max_epochs for trial in self._best() for _ in range(self._suite.seeds)]

    def _planned_epochs(self) -> int:
        """Return the total number of epochs of the rounds when they are complete."""
        return sum(cost(len(trials), rungs, self._search.reduction_factor) for rungs, trials in self._rounds)

    def _paces(self) -> dict[str, float]:
        """Return the seconds per epoch of the trials that were timed."""
        found = {trial: progress.seconds_per_epoch for trial, progress in self.progress.items()}
        return {trial: seconds for trial, seconds in found.items() if seconds is not None}

    def _best(self) -> list[str]:
        """Return the ids of the finalists, the best first; fewer if fewer have a score."""

        def rank(trial: str) -> tuple[float, int, float]:
            # among equal values, the trial that was trained longest is first, although its loss may be higher
            value, loss = self.progress[trial].best_known
            return value, len(self.progress[trial].scores), loss

        ranked = sorted(self.progress, key=rank, reverse=True)
        return [trial for trial in ranked[: self._search.finalists] if self.progress[trial].best_known != WORST]
