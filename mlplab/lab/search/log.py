"""What a search has proposed, kept in the run folder: with the trials' results, all that it takes to go on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from mlplab.atomic import write_text_whole
from mlplab.errors import RunFolderError
from mlplab.lab.search.proposals import Proposal, settings_of
from mlplab.lab.search.rounds import WORST, Standing
from mlplab.lab.search.spec import Search
from mlplab.lab.store import RunFolder
from mlplab.lab.suite import Experiment, Suite
from mlplab.lab.trial import Trial, TrialResult, lab_settings

#: The seed of all trials of a search; the finalists get others.
SEED = 0


@dataclass(frozen=True)
class Round:
    """A round: the epochs after which the better ones are chosen, and the proposals it began with."""

    rungs: tuple[int, ...]
    proposals: tuple[Proposal, ...]


@dataclass
class SearchLog:
    """What a search has done so far.

    Attributes:
        digest: of what determines its proposals; see `Search.digest`.
        rounds: in the order in which they were made.
        seconds: on the wall, of all runs.
        finalists: the proposals to be trained again; empty until they are chosen.
        chosen_for: the digest, budget included, that they were chosen for.
    """

    digest: str
    rounds: list[Round] = field(default_factory=list)
    seconds: float = 0.0
    finalists: tuple[Proposal, ...] = ()
    chosen_for: str = ""

    @property
    def proposals(self) -> list[Proposal]:
        """All proposals, in the order in which they were made."""
        return [proposal for one in self.rounds for proposal in one.proposals]

    def write(self, folder: RunFolder) -> None:
        """Write it into the run folder."""
        rounds = [{"rungs": one.rungs, "proposals": one.proposals} for one in self.rounds]
        write_text_whole(folder.search_file, json.dumps({**vars(self), "rounds": rounds}) + "\n")


def read_log(folder: RunFolder, search: Search, suite: Suite) -> SearchLog:
    """Read what the search has done in a run folder; nothing, where there is none.

    Raises:
        RunFolderError: for a file that is damaged, or of a search for something else.
    """
    path, digest = folder.search_file, search.digest(suite.settings, budget=False)
    if not path.is_file():
        return SearchLog(digest)
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        rounds = [Round(tuple(one["rungs"]), tuple(one["proposals"])) for one in content.pop("rounds")]
        log = SearchLog(**{**content, "rounds": rounds, "finalists": tuple(content["finalists"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunFolderError(
            f"{path} is damaged: delete it, and the search begins anew with the trials there are"
        ) from error
    if log.digest != digest:
        raise RunFolderError(
            f"{folder.path} holds a search with other settings, another space or another seed; choose another --out "
            "(only its budget, its finalists and their seeds may change)"
        )
    return log


def with_findings(suite: Suite, folder: RunFolder) -> Suite:
    """Return a suite whose search has become experiments: what it tried, and its finalists once they are chosen.

    A suite without a search is returned as it is.

    Raises:
        RunFolderError: where the folder holds another search.
    """
    search = suite.search
    if search is None:
        return suite
    log = read_log(folder, search, suite)
    tried = tuple(settings_of(proposal, search.space) for proposal in log.proposals)
    experiments = []
    if tried:
        experiments.append(Experiment("search", "What the search tried", {}, {}, tried, (SEED,), explored=True))
    if log.chosen_for == search.digest(suite.settings, budget=True):
        finalists = tuple(settings_of(proposal, search.space) for proposal in log.finalists)
        seeds = tuple(range(SEED + 1, SEED + 1 + suite.seeds))
        experiments.append(Experiment("finalists", "The finalists, with fresh seeds", {}, {}, finalists, seeds))
    return replace(suite, experiments=tuple(experiments))


def trial_of(proposal: Proposal, suite: Suite, fingerprint: str) -> Trial:
    """Return the trial that the search makes of a proposal."""
    assert suite.search
    settings = {**suite.settings, **settings_of(proposal, suite.search.space)}
    return Trial(lab_settings(settings), SEED, fingerprint, suite.split, suite.samples)


def standing_of(result: TrialResult | None, folder: RunFolder) -> Standing:
    """Return how far a trial has come, by what it left."""
    if result is None:
        return Standing()
    scores = [(epoch.val_accuracy, -epoch.val_loss) for epoch in folder.read_history(result.id)]
    if result.status == "paused":
        return Standing(scores)
    if result.status != "done" or result.val_accuracy is None or result.val_loss is None:
        return Standing(ended=True, final=WORST)
    return Standing(scores, ended=True, final=(result.val_accuracy, -result.val_loss))
