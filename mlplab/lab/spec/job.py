"""A job: one training that serves every trial of a lineage, from the shortest to the longest."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from mlplab.lab.spec.trial import Trial


@dataclass(frozen=True)
class Job:
    """Trials of one lineage, the one with the fewest epochs first, with their labels.

    pause_after: the epoch after which its only trial is paused, to go on later from its checkpoint; None trains it to
        its end.
    """

    trials: tuple[Trial, ...]
    labels: tuple[str, ...]
    pause_after: int | None = None

    @property
    def epochs(self) -> int:
        """How many epochs serve them all."""
        return self.pause_after or int(self.trials[-1]["max_iter"])

    def without(self, finished: Container[str]) -> Job:
        """Return the job for the trials whose ids are not among these; there must be one."""
        left = [(t, label) for t, label in zip(self.trials, self.labels, strict=True) if t.id not in finished]
        return replace(self, trials=tuple(t for t, _ in left), labels=tuple(label for _, label in left))


def group_into_jobs(trials: Sequence[Trial], labels: Sequence[str]) -> list[Job]:
    """Group trials, each once, by what one training can serve."""
    lineages: dict[str, list[tuple[Trial, str]]] = {}
    for trial, label in {t.id: (t, label) for t, label in zip(trials, labels, strict=True)}.values():
        lineages.setdefault(trial.lineage, []).append((trial, label))
    jobs = []
    for members in lineages.values():
        members.sort(key=lambda member: member[0]["max_iter"])
        jobs.append(Job(tuple(t for t, _ in members), tuple(label for _, label in members)))
    return jobs
