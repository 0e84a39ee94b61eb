"""A search as it runs: rounds of proposals, trained rung by rung, until the budget is used up; then the finalists."""

from __future__ import annotations

from collections import deque
from time import monotonic

import numpy as np

from mlplab.lab.execution.dispatch import Throttle, TrainingContext
from mlplab.lab.execution.schedule import longest_first
from mlplab.lab.execution.timing import makespan
from mlplab.lab.search.budget import epochs_left, epochs_of, first_round, measure_pace
from mlplab.lab.search.halving import WORST, TrialProgress, cost, next_round, promote
from mlplab.lab.search.log import Round, digest_of_search, expand_search, progress_of, read_log, trial_of
from mlplab.lab.search.samplers import ObservedTrial, Proposal, propose
from mlplab.lab.spec.job import Job
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.suite import Suite
from mlplab.lab.spec.trial import Trial, TrialResult


def run_search(crew: TrainingContext, processes: int) -> tuple[Suite, int]:
    """Search until the budget is used up, and choose the finalists.

    Args:
        processes: how many train at a time, to reckon how long it takes.

    Returns:
        The suite, what was found being experiments of it, and how many trainings were made.

    Raises:
        SettingError: for a budget that is not even enough for one round.
        RunFolderError: where the folder holds another search.
        MissingExtraError: without Optuna.
    """
    running = _Running(crew, processes)
    made = running.go_on()
    return expand_search(crew.suite, crew.folder), made


class _Running:
    """A search at work: its log, and how far its trials have come."""

    def __init__(self, crew: TrainingContext, processes: int) -> None:
        assert crew.suite.search
        self._crew, self._processes = crew, processes
        self._suite, self._search = crew.suite, crew.suite.search
        self._epochs = epochs_of(self._suite)
        self._log = read_log(crew.folder, self._suite)
        self._digest = digest_of_search(self._suite, budget=True)
        self._started, self._seconds_before = monotonic(), self._log.seconds
        self._trials: dict[str, tuple[Trial, Proposal]] = {}
        self._progress: dict[str, TrialProgress] = {}
        self._paces: dict[str, float] = {}
        self._failed: set[str] = set()  # in a run before this one
        self._rounds: list[tuple[tuple[int, ...], list[str]]] = []  # those of the log, with the ids of their trials

    def go_on(self) -> int:
        """Search on, or if it has its finalists make what got lost again; return how many trainings were made."""
        for one in self._log.rounds:
            self._take(one)
        self._over = self._log.chosen_for == self._digest
        self._lost = {trial for trial, progress in self._progress.items() if progress == TrialProgress()}
        if self._over and not self._lost:
            return 0
        self._crew.note_damage(self._lost - self._failed)
        try:
            return self._train()
        finally:
            self._keep()

    def _train(self) -> int:
        waiting: deque[Job] = deque()
        at_work, made, keep = self._put_next(waiting), 0, Throttle(self._keep)
        for event in self._crew.train(waiting) if waiting else ():
            if isinstance(event.payload, TrialResult):
                self._learn(event.payload)
            elif event.payload is None:
                at_work, made = at_work - 1, made + 1
                if not at_work:  # what comes next depends on all of them
                    self._crew.display.end()
                    at_work = self._put_next(waiting)
            keep()
        if not self._over:
            self._choose_finalists()
        return made

    def _keep(self) -> None:
        """Write how far the search is, and the results so far."""
        folder = self._crew.folder
        self._log.seconds = self._seconds_before + monotonic() - self._started
        self._log.write(folder)
        suite = expand_search(self._suite, folder)
        labels = suite.labels(self._crew.dataset)
        folder.write_results(folder.rows(suite, labels), suite.varying())

    def _take(self, one: Round) -> None:
        """Take a round of the log in, with what its trials have left."""
        trials = [trial_of(proposal, self._suite) for proposal in one.proposals]
        self._rounds.append((one.rungs, [trial.id for trial in trials]))
        for trial, proposal in zip(trials, one.proposals, strict=True):
            self._trials[trial.id] = trial, proposal
            self._progress[trial.id] = TrialProgress()
            result = self._crew.folder.read_result(trial.id, thorough=True)
            if result and result.status == Status.FAILED:  # to be tried again
                self._failed.add(trial.id)
            elif result:
                self._learn(result)

    def _learn(self, result: TrialResult) -> None:
        self._progress[result.id] = progress_of(result, self._crew.folder)
        self._paces[result.id] = result.seconds / max(1, result.epochs)

    def _put_next(self, waiting: deque[Job]) -> int:
        """Put in what is to be trained next, and return how many jobs that is: none when the search is over."""
        self._keep()
        steps = self._promote()
        while not steps and not self._over and self._begin_round():
            steps = self._promote()
        if self._over:  # by its minutes, perhaps, before all were trained as far as they might have been
            steps = [(trial, level) for trial, level in steps if trial in self._lost]
        if not steps or (not self._over and self._time_is_over(steps)):
            return 0
        jobs = self._jobs(steps)
        level, levels = steps[0][1], self._log.rounds[-1].rungs
        what = "networks are tried for" if level == levels[0] else "of them are trained on to"
        unit = "epoch" if level == 1 else "epochs"
        self._crew.announce(jobs, 0, len(jobs))
        self._crew.display.note(f"Round {len(self._log.rounds)} of the search: {len(jobs)} {what} {level} {unit}")
        waiting.extend(jobs)
        return len(jobs)

    def _promote(self) -> list[tuple[str, int]]:
        return promote(self._rounds, self._progress, self._search.reduction_factor)

    def _begin_round(self) -> bool:
        """Ask for the proposals of another round and keep them; return whether there was one."""
        number = len(self._log.rounds)
        if number:
            found = next_round(self._search, self._epochs, number, self._epochs_left())
        else:
            found = first_round(self._search, self._suite, self._rate(), self._processes)
        if found is None:
            return False
        levels, size = found
        known = [ObservedTrial(proposal, self._progress[trial]) for trial, (_, proposal) in self._trials.items()]
        proposals = propose(self._search, known, number, size)
        if proposals:
            self._log.rounds.append(Round(levels, tuple(proposals)))
            self._log.write(self._crew.folder)
            self._take(self._log.rounds[-1])
        return bool(proposals)

    def _epochs_left(self) -> int:
        factor = self._search.reduction_factor
        spent = sum(cost(len(one.proposals), one.rungs, factor) for one in self._log.rounds)
        return epochs_left(self._search, self._suite, spent, self._log.seconds, self._rate(), self._processes)

    def _rate(self) -> float:
        """Return the epochs a second that were made, or before there are any, will be; a budget in epochs needs none.

        It is of all processes together.
        """
        if self._search.minutes is None:
            return 0.0
        if made := sum(len(progress.scores) for progress in self._progress.values()):
            return made / self._log.seconds
        return self._processes / measure_pace(self._search, self._suite, self._crew.dataset)

    def _time_is_over(self, steps: list[tuple[str, int]]) -> bool:
        """Return whether these steps, and the finalists after them, would take longer than there is time."""
        if self._search.minutes is None or not self._paces:
            return False
        usual = float(np.mean(list(self._paces.values())))
        next_ones = [
            (level - len(self._progress[trial].scores)) * self._paces.get(trial, usual) for trial, level in steps
        ]
        finalists = [self._paces[trial] * self._epochs for trial in self._best() for _ in range(self._suite.seeds)]
        seconds = sum(makespan(sorted(some, reverse=True), self._processes) for some in (next_ones, finalists))
        return self._log.seconds + seconds > 60 * self._search.minutes

    def _jobs(self, steps: list[tuple[str, int]]) -> list[Job]:
        trials = [self._trials[trial][0] for trial, _ in steps]
        labels = self._suite.labels_of(trials, self._crew.dataset)
        jobs = [
            Job((trial,), (labels[trial.id],), None if level == self._epochs else level)
            for trial, (_, level) in zip(trials, steps, strict=True)
        ]
        return longest_first(jobs, self._crew.dataset)

    def _best(self) -> list[str]:
        """Return as many trials as there are to be finalists, the best first."""
        progress = self._progress

        def rank(trial: str) -> tuple[float, int, float]:
            """Of the same accuracy, the one that was trained further: a loss grows with the epochs."""
            accuracy, loss = progress[trial].best_known
            return accuracy, len(progress[trial].scores), loss

        ranked = sorted(progress, key=rank, reverse=True)
        return [trial for trial in ranked[: self._search.finalists] if progress[trial].best_known != WORST]

    def _choose_finalists(self) -> None:
        self._log.finalists = tuple(self._trials[trial][1] for trial in self._best())
        self._log.chosen_for = self._digest
        self._log.write(self._crew.folder)
