"""The driver of a search: trains the next steps of its state until the budget is used up, then chooses finalists."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from mlplab.lab.execution.dispatch import Throttle, TrainingContext
from mlplab.lab.execution.schedule import longest_first
from mlplab.lab.search.budget import Budget, epochs_of, measure_pace
from mlplab.lab.search.halving import Step, TrialProgress
from mlplab.lab.search.log import Round, digest_of_search, expand_search, progress_of, read_log, trial_of
from mlplab.lab.search.state import SearchState
from mlplab.lab.spec.job import Job
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.suite import Suite
from mlplab.lab.spec.trial import TrialResult


def run_search(context: TrainingContext) -> tuple[Suite, int]:
    """Search until the budget is used up, and choose the finalists.

    A search that has its finalists is not continued; only trials whose results were lost are trained again.

    Returns:
        The suite with the experiments of the search, and the number of jobs that were trained.

    Raises:
        SettingError: if the budget does not suffice for one round.
        RunFolderError: if the folder holds another search.
        MissingExtraError: without Optuna.
    """
    search, trained = _Search(context), 0
    if search.has_work:
        try:
            search.save()
            while steps := search.next_steps():
                jobs = search.make_jobs(steps)
                search.announce(jobs, steps)
                trained += search.train(jobs)
                search.save()
            search.choose_finalists()
        finally:
            search.save()
    return expand_search(context.suite, context.folder), trained


class _Search:
    """A search in its run folder: its log, its clock, and its state, which follows from the log and the results."""

    def __init__(self, context: TrainingContext) -> None:
        self._context, self._suite, self._folder = context, context.suite, context.folder
        self._log = read_log(self._folder, self._suite)
        self._start = monotonic() - self._log.seconds
        self._budget = Budget.of(self._suite, context.executor.slots)
        self._digest = digest_of_search(self._suite, budget=True)
        self._state = SearchState(self._suite)
        for one in self._log.rounds:
            self._state.add(one, self._read_progress(one))

    @property
    def _has_finalists(self) -> bool:
        return self._log.chosen_for == self._digest

    @property
    def has_work(self) -> bool:
        """Whether trials have to be trained or finalists have to be chosen."""
        return bool(not self._has_finalists or self._state.lost)

    def next_steps(self) -> list[Step]:
        """Return the next steps, from a new round if necessary; an empty list if the search is over."""
        if self._has_finalists:
            return self._state.repairs()
        steps = self._state.promotions()
        while not steps and (found := self._next_round()):
            self._begin_round(found)
            steps = self._state.promotions()
        return steps if self._has_time_for(steps) else []

    def make_jobs(self, steps: Sequence[Step]) -> list[Job]:
        """Return the jobs for these steps, the longest first."""
        trials = [self._state.trials[step.trial] for step in steps]
        labels, end = self._suite.labels_of(trials, self._context.dataset), epochs_of(self._suite)
        jobs = [
            Job((trial,), (labels[trial.id],), None if step.epochs == end else step.epochs)
            for trial, step in zip(trials, steps, strict=True)
        ]
        return longest_first(jobs, self._context.dataset)

    def announce(self, jobs: Sequence[Job], steps: Sequence[Step]) -> None:
        """Announce the next jobs to the observer."""
        networks = "1 network" if len(jobs) == 1 else f"{len(jobs)} networks"
        epochs = "1 epoch" if steps[0].epochs == 1 else f"{steps[0].epochs} epochs"
        is_first = steps[0].epochs == self._log.rounds[-1].rungs[0]
        self._context.announce(jobs, 0, len(jobs))
        self._context.observer.note(
            f"Search, round {len(self._log.rounds)}: "
            + (f"training {networks} for {epochs}" if is_first else f"promoting {networks} to {epochs}")
        )

    def train(self, jobs: Sequence[Job]) -> int:
        """Train jobs and add their results to the state; return the number of jobs that have ended."""
        ended, save = 0, Throttle(self.save)
        for event in self._context.train(jobs):
            if isinstance(event.payload, TrialResult):
                self._state.progress[event.payload.id] = progress_of(event.payload, self._folder, self._suite.measure)
            ended += event.payload is None
            save()
        return ended

    def choose_finalists(self) -> None:
        """Choose the finalists, unless this has been done."""
        if not self._has_finalists:
            self._log.finalists, self._log.chosen_for = tuple(self._state.finalists()), self._digest

    def save(self) -> None:
        """Write the log, and the results so far."""
        self._log.seconds = monotonic() - self._start
        self._log.write(self._folder)
        suite = expand_search(self._suite, self._folder)
        rows = self._folder.rows(suite, suite.labels(self._context.dataset))
        self._folder.write_results(rows, suite.varying())

    def _next_round(self) -> Round | None:
        return self._state.next_round(self._budget, seconds=self._log.seconds, rate=self._rate())

    def _begin_round(self, one: Round) -> None:
        """Write a round to the log, before any of its trials is trained, and add it to the state."""
        self._log.rounds.append(one)
        self._log.write(self._folder)
        self._state.add(one, self._read_progress(one))

    def _read_progress(self, one: Round) -> dict[str, TrialProgress]:
        """Return the progress of a round's trials by id, without those that failed: they are trained again."""
        trials = [trial_of(proposal, self._suite).id for proposal in one.proposals]
        results = {trial: self._folder.read_result(trial, thorough=True) for trial in trials}
        self._context.note_damage(trial for trial, result in results.items() if result is None)
        return {
            trial: progress_of(result, self._folder, self._suite.measure)
            for trial, result in results.items()
            if result and result.status != Status.FAILED
        }

    def _rate(self) -> float:
        """Return the epochs per second of all slots, so far or estimated; 0 if the budget does not need it."""
        if self._budget.search.minutes is None:
            return 0.0
        if trained := self._state.trained_epochs():
            return trained / self._log.seconds
        return self._budget.slots / measure_pace(self._suite, self._context.dataset)

    def _has_time_for(self, steps: Sequence[Step]) -> bool:
        state = self._state
        return not state.is_timed or self._budget.has_time_for(
            state.seconds_of(steps), state.seconds_of_finalists(), seconds=self._log.seconds
        )
