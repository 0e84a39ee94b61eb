"""The log of a search in the run folder: its proposals. A search resumes from them and the results of its trials."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace

from mlplab.errors import RunFolderError
from mlplab.lab.search.halving import WORST, TrialProgress
from mlplab.lab.search.samplers import Proposal, settings_of
from mlplab.lab.spec.status import Status
from mlplab.lab.spec.suite import Experiment, Suite
from mlplab.lab.spec.trial import Trial, TrialResult, lab_settings
from mlplab.lab.storage.integrity import decode_json, encode_json
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.metrics import Metric
from mlplab.utils.atomic import write_text_whole
from mlplab.utils.hashing import hash_text
from mlplab.version import NUMERICS

#: The seed of all trials of a search; the finalists have other seeds.
SEED = 0


@dataclass(frozen=True)
class Round:
    """A round: the numbers of epochs after which its best trials are promoted, and its proposals."""

    rungs: tuple[int, ...]
    proposals: tuple[Proposal, ...]


@dataclass
class SearchLog:
    """The log of a search.

    Attributes:
        digest: the hash of everything that determines its proposals; see `digest_of_search`.
        rounds: the rounds, in the order in which they began.
        seconds: the wall-clock time of all runs.
        finalists: the proposals to be trained with other seeds; empty until they are chosen.
        chosen_for: the hash of the search, including the budget, for which they were chosen.
    """

    digest: str
    rounds: list[Round] = field(default_factory=list)
    seconds: float = 0.0
    finalists: tuple[Proposal, ...] = ()
    chosen_for: str = ""

    @property
    def proposals(self) -> list[Proposal]:
        """All proposals, in their order."""
        return [proposal for one in self.rounds for proposal in one.proposals]

    def write(self, folder: RunFolder) -> None:
        """Write the log into the run folder."""
        rounds = [{"rungs": one.rungs, "proposals": one.proposals} for one in self.rounds]
        content = {**vars(self), "rounds": rounds}
        write_text_whole(folder.search_file, encode_json(content))


def digest_of_search(suite: Suite, *, budget: bool) -> str:
    """Return a hash of everything that determines the configurations that a search tries.

    Args:
        suite: a bound suite with a search.
        budget: whether the hash includes the budget and the number of finalists.
    """
    assert suite.search
    assert suite.fingerprint
    data = [suite.fingerprint, suite.split, suite.samples, NUMERICS]
    plain = json.dumps([suite.search.determining(budget=budget), suite.settings, data], sort_keys=True, default=list)
    return hash_text(plain)[:16]


def is_damaged(folder: RunFolder) -> bool:
    """Return whether the folder has a log that cannot be read or has been modified."""
    return folder.search_file.is_file() and _read(folder) is None


def _read(folder: RunFolder) -> SearchLog | None:
    try:
        content = decode_json(folder.search_file.read_bytes())
        rounds = [Round(tuple(one["rungs"]), tuple(one["proposals"])) for one in content.pop("rounds")]
        return SearchLog(**{**content, "rounds": rounds, "finalists": tuple(content["finalists"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_log(folder: RunFolder, suite: Suite) -> SearchLog:
    """Return the log in a run folder, an empty one if there is none.

    Raises:
        RunFolderError: if the file is damaged or belongs to another search.
    """
    path, digest = folder.search_file, digest_of_search(suite, budget=False)
    if not path.is_file():
        return SearchLog(digest)
    log = _read(folder)
    if log is None:
        raise RunFolderError(f"{path} is damaged; run the search again to restore it from the trials")
    if log.digest != digest:
        raise RunFolderError(
            f"{folder.path} holds a search with other data, other settings, another space or another seed; choose "
            "another --out (only the budget, the number of finalists and their seeds may change)"
        )
    return log


def expand_search(suite: Suite, folder: RunFolder) -> Suite:
    """Return a bound suite with the experiments of its search: its trials, and its finalists once they are chosen.

    A suite without a search is returned unchanged.

    Raises:
        RunFolderError: if the folder holds another search.
    """
    search = suite.search
    if search is None:
        return suite
    log = read_log(folder, suite)
    tried = tuple(settings_of(proposal, search.space) for proposal in log.proposals)
    experiments = []
    if tried:
        experiments.append(Experiment("search", "What the search tried", {}, {}, tried, (SEED,), from_search=True))
    if log.chosen_for == digest_of_search(suite, budget=True):
        finalists = tuple(settings_of(proposal, search.space) for proposal in log.finalists)
        seeds = tuple(range(SEED + 1, SEED + 1 + suite.seeds))
        experiments.append(Experiment("finalists", "The finalists, with fresh seeds", {}, {}, finalists, seeds))
    return replace(suite, experiments=tuple(experiments))


def trial_of(proposal: Proposal, suite: Suite) -> Trial:
    """Return the trial of a proposal in a bound suite with a search."""
    assert suite.search
    assert suite.fingerprint
    settings = {**suite.settings, **settings_of(proposal, suite.search.space)}
    return Trial(lab_settings(settings), SEED, suite.fingerprint, suite.split, suite.samples)


def progress_of(result: TrialResult, folder: RunFolder, metric: Metric) -> TrialProgress:
    """Return the progress of a trial, from its result and its history in the run folder, with scores of a metric."""
    pace = result.seconds / max(1, result.epochs)
    scores = [(epoch.score(metric), -epoch.val_loss) for epoch in folder.read_history(result.id)]
    if result.status == Status.PAUSED:
        return TrialProgress(scores, seconds_per_epoch=pace)
    value: float | None = getattr(result, metric.column)
    if result.status != Status.DONE or value is None or result.val_loss is None:
        return TrialProgress(ended=True, final=WORST, seconds_per_epoch=pace)
    return TrialProgress(scores, ended=True, final=(metric.score(value), -result.val_loss), seconds_per_epoch=pace)
