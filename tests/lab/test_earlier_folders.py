"""Run folders and models that an earlier mlplab left are read and finished as it would have finished them.

What lies in tests/data/earlier was made at commit 0c8bba5; the README there tells what it is. All that computes
runs in processes of its own, in an environment in which all x86 processors with AVX2 compute the same bits. Where
something else that determines the bits is another than it was then, another NumPy say, numbers are compared with a
tolerance.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mlplab import load_results
from mlplab.lab.analysis.conclusion import read_conclusion
from mlplab.lab.storage.run_folder import RunFolder
from tests.earlier import (
    EARLIER,
    UNFINISHED,
    mlplab,
    python,
    read_checkpoints,
    read_files,
    read_history,
    read_rows,
    read_trials,
)

EXPECTED = json.loads((EARLIER / "expected.json").read_bytes())
#: Other kernels add in another order: losses differ in the seventh digit at first, and more from epoch to epoch.
CLOSE = {"rtol": 1e-3, "atol": 1e-4}
#: Accuracies are shares of a few hundred rows: some that lie on the border may fall to the other side.
CLOSE_SHARE = {"rtol": 0, "atol": 0.01}


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """What determines the bits on this machine, and what the earlier models predict on it."""
    file = tmp_path_factory.mktemp("here") / "here.npz"
    done = python("-m", "tests.earlier", file)
    assert done.returncode == 0, done.stderr
    found = dict(np.load(file))
    return json.loads(str(found.pop("environment"))), found


def read_evaluations(folder):
    """Return the evaluations on the test set that a conclusion has recorded, as plain data."""
    return [vars(test) for test in read_conclusion(RunFolder(folder)).test_evaluations]


def has_same_bits(environment, *, optuna=False):
    """Return whether the numbers of this machine must be those of then, bit for bit."""
    matters = [name for name in EXPECTED["environment"] if optuna or name != "optuna"]
    return all(environment[name] == EXPECTED["environment"][name] for name in matters)


@pytest.mark.parametrize("name", UNFINISHED)
def test_an_earlier_folder_is_finished_with_the_same_bits(name, here, tmp_path):
    before, expected = EARLIER / name, EXPECTED["folders"][name]
    out = Path(shutil.copytree(before, tmp_path / name))
    finish(name, out)
    assert_what_was_done_is_untouched(before, out)
    assert_no_epoch_was_made_twice(before, out)
    assert_test_rows_are_opened_once(before, out)
    if has_same_bits(here[0], optuna=name == "search"):
        assert_same_bits(out, expected)
    else:
        assert_close(out, expected, is_search=name == "search")


def finish(name, out):
    """Finish a run folder: one by the command, the others by the function, which draws nothing and is quicker."""
    if name == "table":
        done = mlplab("run", EARLIER / f"{name}.toml", "--out", out, "--jobs", 1)
    else:
        code = "import sys, mlplab; mlplab.run_suite(sys.argv[1], sys.argv[2], jobs=1)"
        done = python("-c", code, EARLIER / f"{name}.toml", out)
    assert done.returncode == 0, done.stderr


def assert_what_was_done_is_untouched(before, after):
    """Compare the bytes of the trials that had come to their end."""
    for trial, facts in read_trials(before).items():
        if facts["status"] != "paused":
            assert read_files(after / "trials" / trial) == read_files(before / "trials" / trial)


def assert_no_epoch_was_made_twice(before, after):
    """See that epochs that had been made, in trials or in checkpoints, are there with their very seconds."""
    for trial in read_trials(before):
        made = read_history(before / "trials" / trial)
        found = read_history(after / "trials" / trial)[: len(made)]
        # later versions add columns
        assert [{name: epoch[name] for name in old} for old, epoch in zip(made, found, strict=True)] == made
    seconds = [[float(epoch["seconds"]) for epoch in read_history(path)] for path in after.glob("trials/[!.]*")]
    for epochs in read_checkpoints(before).values():
        made = [epoch["seconds"] for epoch in epochs]
        assert made in [epochs[: len(made)] for epochs in seconds]


def assert_test_rows_are_opened_once(before, after):
    """See that what a conclusion had seen of the test rows is not forgotten, nor seen again."""
    found = read_evaluations(after)
    assert len(found) == 1
    if (before / "conclusion.json").is_file():
        held = read_evaluations(before)
        assert [one["opened"] for one in found] == [one["opened"] for one in held]


def assert_same_bits(out, expected):
    """Compare a finished folder with what it was to become."""
    assert read_rows(out) == expected["rows"]
    assert read_conclusion(RunFolder(out)).best.trial == expected["best"]
    trials = read_trials(out)
    assert list(trials) == list(expected["trials"])
    for trial, facts in expected["trials"].items():
        arrays = {name: trials[trial]["arrays"].get(name) for name in facts["arrays"]}
        assert {**trials[trial], "arrays": arrays} == facts


def assert_close(out, expected, *, is_search):
    """Compare a finished folder with what it was to become elsewhere, with a tolerance.

    Of a search only what it tried then: from its second round on it may try something else, and pause it elsewhere.
    """
    trials = read_trials(out)
    assert is_search or list(trials) == list(expected["trials"])
    assert len(trials) >= len(expected["trials"]) // 2
    for trial, facts in expected["trials"].items():
        if is_search and trial not in trials:
            continue
        found = trials[trial]
        assert is_search or found["status"] == facts["status"]
        if found["status"] == facts["status"]:
            assert {name: array["shape"] for name, array in found["arrays"].items()} == {
                name: array["shape"] for name, array in facts["arrays"].items()
            }
        epochs = min(found["epochs"], facts["epochs"])  # early stopping may have ended one of them earlier
        for measure, values in facts["history"].items():
            tolerance = CLOSE_SHARE if measure.endswith("accuracy") else CLOSE
            np.testing.assert_allclose(found["history"][measure][:epochs], values[:epochs], **tolerance)


def test_the_earlier_folders_have_much_left_to_finish():
    """Else the test above would show little."""
    killed, begun = read_trials(EARLIER / "killed"), read_checkpoints(EARLIER / "killed")
    assert {trial["status"] for trial in killed.values()} == {"done"}
    half_way = {len(epochs) for epochs in begun.values()} - {trial["epochs"] for trial in killed.values()}
    assert len(half_way) == 2
    assert len(killed) + len(half_way) < len(EXPECTED["folders"]["killed"]["trials"])
    assert {trial["status"] for trial in read_trials(EARLIER / "search").values()} == {"paused"}
    assert json.loads((EARLIER / "search" / "search.json").read_bytes())["finalists"] == []
    assert len(read_trials(EARLIER / "table")) == len(EXPECTED["folders"]["table"]["trials"]) - 1


def test_an_earlier_folder_that_is_finished_stays_as_it_is(tmp_path):
    expected = EXPECTED["folders"]["finished"]
    out = Path(shutil.copytree(EARLIER / "finished", tmp_path / "finished"))
    before, written = read_files(out / "trials"), times(out)
    run = ["run", EARLIER / "finished.toml", "--out", out]
    for command in (["status", out], ["compare", out], ["report", out], run):
        done = mlplab(*command)
        assert done.returncode == 0, done.stderr
    assert list(out.glob("figures/*.png"))
    assert read_files(out / "trials") == before
    assert times(out) == written
    assert_same_bits(out, expected)


def times(out):
    """Return when each file of a trial was written."""
    return {path: path.stat().st_mtime_ns for path in out.glob("trials/*/*")}


def test_the_results_of_an_earlier_folder_are_read():
    expected = EXPECTED["folders"]["finished"]
    trials, epochs = load_results(EARLIER / "finished")
    assert trials[["experiment", "trial", "seed", "status"]].astype(str).to_numpy().tolist() == expected["rows"]
    for trial, facts in expected["trials"].items():
        mine = epochs[epochs["trial"] == trial]
        assert {name: mine[name].astype(float).tolist() for name in facts["history"]} == facts["history"]


def test_earlier_models_predict_the_same(here):
    environment, found = here
    expected = np.load(EARLIER / "models" / "rows.npz")
    assert sorted(found) == ["labels", "probabilities", "values"]
    for name, values in found.items():
        assert values.dtype == expected[name].dtype
        if has_same_bits(environment) or name == "labels":
            np.testing.assert_array_equal(values, expected[name])
        else:
            np.testing.assert_allclose(values, expected[name], rtol=1e-3, atol=1e-5)
