"""Makes the run folders and the models beside this file, with the mlplab that lies in the same working tree.

They are what an earlier mlplab left, so do not make them anew to have a test pass: that would test nothing. They were
made at commit 0c8bba5, with tests/earlier.py and this folder added to it, by `python -m tests.data.earlier.make`.
Linux only: it kills the processes that it started.

The suites run in a folder of a neutral name, because the path of a table is kept in its run folder.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from tests.earlier import (
    EARLIER,
    MODELS,
    UNFINISHED,
    describe,
    fixed_environment,
    mlplab,
    predict,
    read_checkpoints,
    read_rows,
    read_trials,
)

WORK = Path("/tmp/mlplab-earlier")
COMMIT = "0c8bba5"


def main():
    """Make everything and put it beside this file."""
    environment = fixed_environment()
    assert "OPENBLAS_CORETYPE" in environment, "this takes an x86 processor with AVX2"
    if os.environ.get("OPENBLAS_CORETYPE") != environment["OPENBLAS_CORETYPE"]:  # once more, in that environment
        sys.exit(subprocess.call([sys.executable, "-m", "tests.data.earlier.make"], env=environment))
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    make_table(WORK / "table.csv")
    for suite in EARLIER.glob("*.toml"):
        shutil.copy(suite, WORK)
    run_without_figures("finished")
    kill("killed", is_in_mid_training)
    kill("search", has_promoted)
    run_without_figures("table")
    lose_a_trial(WORK / "table")
    for name in ("finished", *UNFINISHED):
        shutil.rmtree(WORK / name / ".data", ignore_errors=True)
        (WORK / name / ".lock").unlink(missing_ok=True)
    make_models(WORK / "models")
    expected = {"commit": COMMIT, "environment": describe(), "folders": {}}
    expected["folders"]["finished"] = facts_of(WORK / "finished")
    for name in UNFINISHED:
        out = Path(shutil.copytree(WORK / name, WORK / "ends" / name))
        run(name, out)
        expected["folders"][name] = facts_of(out)
        shutil.rmtree(WORK / "undisturbed", ignore_errors=True)
        run(name, WORK / "undisturbed")
        assert facts_of(WORK / "undisturbed") == facts_of(out), f"{name}: an undisturbed run ends otherwise"
    (WORK / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    for name in ("table.csv", "expected.json"):
        shutil.copy(WORK / name, EARLIER)
    for name in ("finished", *UNFINISHED, "models"):
        shutil.rmtree(EARLIER / name, ignore_errors=True)
        shutil.copytree(WORK / name, EARLIER / name)


def facts_of(out):
    """Return what a finished folder is to hold."""
    best = json.loads((out / "conclusion.json").read_bytes())["best"]["trial"]
    return {"best": best, "rows": read_rows(out), "trials": read_trials(out)}


def run(name, out=None):
    """Run a suite to its end."""
    done = mlplab("run", WORK / f"{name}.toml", "--out", out or WORK / name, "--jobs", "2")
    assert done.returncode == 0, done.stderr


def run_without_figures(name):
    """Run a suite to its end by mlplab's function, which draws nothing: figures would take most of the room."""
    from mlplab import run_suite

    run_suite(WORK / f"{name}.toml", WORK / name, jobs=2)


def kill(name, is_time):
    """Run a suite and kill it, its workers too, when it is time, until it was killed at such a moment."""
    command = [sys.executable, "-m", "mlplab", "run", f"{name}.toml", "--out", name, "--jobs", "2"]
    out = WORK / name
    for _ in range(50):
        shutil.rmtree(out, ignore_errors=True)
        process = subprocess.Popen(
            [*command, "--checkpoint-seconds", "0"],
            cwd=WORK,
            env=fixed_environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while process.poll() is None and not is_time(out):
            time.sleep(0.005)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(0.5)
        if process.returncode == -signal.SIGKILL and is_time(out) and not list(out.rglob("*.unfinished")):
            return
    raise AssertionError(f"{name} was never killed at the right moment")


def is_in_mid_training(out):
    """Return whether some trainings are done, two of 40 epochs are half-way and others have not begun."""
    made = [len(records) for records in _checkpoints(out).values()]
    done = [trial["status"] for trial in _trials(out).values()]
    return len(done) == 2 and len(made) == 3 and len([count for count in made if 5 <= count < 35 and count != 12]) == 2


def has_promoted(out):
    """Return whether a search is in its first round, and has trained on some of those that it paused, and not all."""
    found = sorted((trial["status"], trial["epochs"]) for trial in _trials(out).values())
    return found[:1] == [("paused", 1)] and found[-1] == ("paused", 3)


def _trials(out):
    try:
        return read_trials(out)
    except (OSError, ValueError):  # one is being replaced
        return {}


def _checkpoints(out):
    try:
        return read_checkpoints(out)
    except Exception:  # one is being replaced
        return {}


def lose_a_trial(out):
    """Delete a trial that was not chosen."""
    best = json.loads((out / "conclusion.json").read_bytes())["best"]["trial"]
    trials = {row[1] for row in read_rows(out)}
    settings = {trial: json.loads((out / "trials" / trial / "trial.json").read_bytes())["settings"] for trial in trials}
    others = sorted(trial for trial in trials if settings[trial] != settings[best])
    shutil.rmtree(out / "trials" / others[0])


def make_table(path):
    """Write 120 rows of three overlapping classes."""
    rng = np.random.default_rng(5)
    kinds = np.arange(120) % 3
    features = rng.normal(size=(3, 4))[kinds] * 1.2 + rng.normal(size=(120, 4))
    lines = [
        ",".join([*(f"{value:.3f}" for value in row), ("ant", "bee", "cicada")[kind]])
        for row, kind in zip(features, kinds, strict=True)
    ]
    path.write_text("\n".join(["length,width,weight,age,kind", *lines]) + "\n")


def make_models(folder):
    """Save a classifier and a regressor, and what they predict."""
    from mlplab import NeuralNetworkClassifier, NeuralNetworkRegressor, save_model

    folder.mkdir()
    rng = np.random.default_rng(6)
    X = rng.normal(size=(200, 5))
    score = X[:, 0] - X[:, 1] * X[:, 2]
    labels = np.array(["low", "middle", "high"])[np.digitize(score, [-0.5, 0.5])]
    classifier = NeuralNetworkClassifier(
        (12, 8), activation="tanh", normalization="batch", dropout=0.1, max_iter=15, tol=None, dtype="float32"
    )
    regressor = NeuralNetworkRegressor((12,), max_iter=30, learning_rate_init=0.01, tol=None)
    for name, model, answers in zip(MODELS, (classifier, regressor), (labels, score), strict=True):
        save_model(model.set_params(random_state=0).fit(X, answers), folder / f"{name}.safetensors")
    asked = rng.normal(size=(40, 5))
    np.savez_compressed(folder / "rows.npz", X=asked)
    np.savez_compressed(folder / "rows.npz", X=asked, **predict(folder))


if __name__ == "__main__":
    main()
