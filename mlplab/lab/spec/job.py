"""Jobs: each is one training that gives the results of all trials of a lineage."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from mlplab.lab.spec.trial import Trial


@dataclass(frozen=True)
class Job:
    """One training for the trials of a lineage.

    Attributes:
        trials: the trials, the one with the fewest epochs first.
        labels: the labels of the trials.
        pause_after: the epoch after which the only trial is paused; it can be resumed from its checkpoint. None trains
            it to its end.
    """

    trials: tuple[Trial, ...]
    labels: tuple[str, ...]
    pause_after: int | None = None

    @property
    def epochs(self) -> int:
        """The number of epochs to train."""
        return self.pause_after or int(self.trials[-1]["max_iter"])

    def without(self, finished: Container[str]) -> Job:
        """Return the job without the trials with these ids; at least one trial must remain."""
        left = [(t, label) for t, label in zip(self.trials, self.labels, strict=True) if t.id not in finished]
        return replace(self, trials=tuple(t for t, _ in left), labels=tuple(label for _, label in left))


def group_into_jobs(trials: Sequence[Trial], labels: Sequence[str]) -> list[Job]:
    """Group trials by lineage into jobs; duplicate trials are merged."""
    lineages: dict[str, list[tuple[Trial, str]]] = {}
    for trial, label in {t.id: (t, label) for t, label in zip(trials, labels, strict=True)}.values():
        lineages.setdefault(trial.lineage, []).append((trial, label))
    jobs = []
    for members in lineages.values():
        members.sort(key=lambda member: member[0]["max_iter"])
        jobs.append(Job(tuple(t for t, _ in members), tuple(label for _, label in members)))
    return jobs
