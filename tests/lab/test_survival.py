"""Whatever is killed, filled up or damaged, a run ends with the bits of one that nothing happened to."""

import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from mlplab import load_dataset, load_model, load_results, load_suite
from mlplab.errors import RunFolderError
from mlplab.lab.execution.process_worker import save_data
from mlplab.lab.storage.integrity import verify_manifest
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.checkpoint import Checkpoint
from tests.small_suite import Listening, read_results, run_suite

LINUX = Path("/proc/self/task").exists()


def _environment():
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def _start(suite_file, out, *more):
    command = [sys.executable, "-m", "mlplab", "run", str(suite_file), "--out", str(out), "--jobs", "2", *more]
    return subprocess.Popen(
        command,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def assert_same(out, expected):
    """Compare results and weights of two run folders, bit for bit."""
    assert read_results(out) == read_results(expected)
    trials = [path.name for path in (expected / "trials").iterdir()]
    assert sorted(path.name for path in (out / "trials").iterdir()) == sorted(trials)
    for name in trials:
        mine, theirs = (load_model(folder / "trials" / name / "model.safetensors") for folder in (out, expected))
        for key, array in theirs.arrays().items():
            np.testing.assert_array_equal(mine.arrays()[key], array)
        files = [folder / "trials" / name / "validation_predictions.npz" for folder in (out, expected)]
        predictions = [np.load(file)["predicted"] for file in files]
        np.testing.assert_array_equal(*predictions)
    assert not list(out.rglob("*.unfinished"))


@pytest.fixture(scope="module")
def slow_suite_file(tmp_path_factory):
    """Trials that take long enough to be interrupted."""
    path = tmp_path_factory.mktemp("slow") / "slow.toml"
    path.write_text(
        'name = "slow"\ndataset = "digits"\nsettings.max_iter = 60\n'
        '[[experiment]]\nname = "width"\ngrid.hidden_layer_sizes = [[256], [128], [64], [32], [16], [8]]\n'
    )
    return path


@pytest.fixture(scope="module")
def undisturbed(slow_suite_file, tmp_path_factory):
    return run_suite(load_suite(slow_suite_file), tmp_path_factory.mktemp("undisturbed") / "out", jobs=2)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_resumes_and_gives_the_same_results(slow_suite_file, undisturbed, tmp_path, how):
    out = tmp_path / "out"
    process = _start(slow_suite_file, out)
    _wait_for(lambda: any(out.glob("trials/[!.]*/trial.json")))
    children = _children(process.pid)
    os.kill(process.pid, how)
    _, errors = process.communicate(timeout=60)
    if how == signal.SIGKILL:
        assert process.returncode == -signal.SIGKILL
    else:
        assert process.returncode == 130
        assert "interrupted" in errors
    _wait_for(lambda: not any(_is_alive(child) for child in children))
    held = len(list(out.glob("trials/[!.]*/trial.json")))
    again = run_suite(load_suite(slow_suite_file), out, jobs=2)
    assert held + again.trained >= 6
    assert again.trained < 6
    assert_same(out, undisturbed.folder.path)


def _children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it has ended, or this is no Linux
        return []


def _is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def in_workers(tmp_path, monkeypatch):
    """Have every worker run some lines when it starts."""

    def run(lines):
        (tmp_path / "sitecustomize.py").write_text(lines)
        monkeypatch.syspath_prepend(tmp_path)

    return run


def test_a_worker_that_dies_is_replaced(slow_suite_file, undisturbed, tmp_path, in_workers):
    in_workers(
        "import os, pathlib, signal\nfrom mlplab.lab.execution import training as job\nreal = job._train\n"
        f"once = pathlib.Path({str(tmp_path / 'once')!r})\n"
        "def die(estimator, job, *rest):\n"
        "    if job.trials[-1]['hidden_layer_sizes'] == (32,) and not once.exists():\n"
        "        once.touch()\n"
        "        os._exit(9)\n"
        "    real(estimator, job, *rest)\n"
        "job._train = die\n"
    )
    shown = Listening()
    run = run_suite(load_suite(slow_suite_file), tmp_path / "out", jobs=2, observer=shown)
    assert "worker ended with exit status 9, while training [64-32-10]" in "\n".join(shown.notes)
    assert_same(run.folder.path, undisturbed.folder.path)


def test_a_full_disk_in_a_worker_ends_the_run_but_fails_no_trial(slow_suite_file, undisturbed, tmp_path, in_workers):
    in_workers(
        f"import os\nfrom pathlib import Path\nfull = Path({str(tmp_path / 'full')!r})\n"
        "from mlplab.lab.storage import run_folder as store\nreal = store.write_folder_whole\n"
        "def write(path, fill, **how):\n"
        "    if full.exists() and len(list(path.parent.glob('[!.]*'))) > 1:\n"
        "        raise OSError(28, 'No space left on device')\n"
        "    real(path, fill, **how)\n"
        "store.write_folder_whole = write\n"
    )
    (tmp_path / "full").touch()
    with pytest.raises(OSError, match="No space left on device"):
        run_suite(load_suite(slow_suite_file), tmp_path / "out", jobs=1)
    assert {row["status"] for row in read_results(tmp_path / "out")} == {"done", "waiting"}
    (tmp_path / "full").unlink()
    run_suite(load_suite(slow_suite_file), tmp_path / "out", jobs=2)
    assert_same(tmp_path / "out", undisturbed.folder.path)


@pytest.mark.parametrize("last", ["", '{"trials": [{"hal'])
def test_a_worker_ends_with_its_input_even_where_that_was_cut(tmp_path, last):
    data = save_data(load_dataset("digits"), tmp_path / ".data")
    command = [sys.executable, "-P", "-m", "mlplab.lab.execution.process_worker", str(tmp_path)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    message = json.dumps({**data, "checkpoint_seconds": 1.0})
    process.communicate(f"{message}\n{last}".encode(), timeout=60)
    assert process.returncode == 0


def test_a_job_that_kills_its_workers_fails_and_others_continue(suite, tmp_path, in_workers, monkeypatch):
    in_workers(
        "import os\nfrom mlplab.lab.execution import training as job\nreal = job._train\n"
        "def deadly(estimator, job, *rest):\n"
        "    return os._exit(9) if job.trials[-1]['hidden_layer_sizes'] == (4,) else real(estimator, job, *rest)\n"
        "job._train = deadly\n"
    )
    shown = Listening()
    run = run_suite(suite, tmp_path / "out", jobs=2, observer=shown)
    assert {row.status for row in run.rows if row.trial["hidden_layer_sizes"] == (4,)} == {"failed"}
    assert {row.status for row in run.rows if row.trial["hidden_layer_sizes"] == (16,)} == {"done"}
    assert "exit status 9" in run.failed[0].result.error
    assert len([note for note in shown.notes if "another worker resumes it" in note]) == 2 * 2  # of two jobs
    monkeypatch.undo()
    assert not run_suite(suite, tmp_path / "out", jobs=2).failed


# Checkpoints

LONG = """
name = "long"
dataset = "digits"
settings.max_iter = 900
settings.solver = "adam"
settings.dropout = 0.1
[[experiment]]
name = "width"
grid.hidden_layer_sizes = [[32], [16], [8]]
grid.learning_rate = ["constant", "cosine"]
"""


@pytest.fixture(scope="module")
def long_suite_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "long.toml"
    path.write_text(LONG)
    return path


@pytest.mark.skipif(not LINUX, reason="finds the workers through /proc")
def test_thirty_kills_at_random_moments_change_no_bit(long_suite_file, tmp_path):
    undisturbed = run_suite(load_suite(long_suite_file), tmp_path / "undisturbed", jobs=2).folder.path
    out, chance = tmp_path / "out", random.Random(0)
    kill = gone_on = 0
    while kill < 30 or not _checkpoints(out):
        held = _checkpoints(out)
        process = _start(long_suite_file, out, "--checkpoint-seconds", "0.02")
        if kill % 4 == 0:  # while it starts
            time.sleep(chance.uniform(0.1, 2))
        else:  # while it trains, or draws
            _wait_for(lambda held=held, it=process: _checkpoints(out) != held or it.poll() is not None)
            time.sleep(chance.uniform(0, 0.5))
        children = _children(process.pid)
        victims = {0: [process.pid], 1: children[:1] or [process.pid], 2: [process.pid, *children]}[kill % 3]
        at_work = process.poll() is None
        for victim in filter(_is_alive, victims):
            with suppress(ProcessLookupError):  # it came to its end just now
                os.kill(victim, signal.SIGKILL)
        if victims == children[:1]:  # the parent goes on with another worker, for a while
            time.sleep(0.3)
            process.kill()
        process.communicate(timeout=60)
        _wait_for(lambda gone=children: not any(map(_is_alive, gone)))
        kill += at_work
        gone_on += at_work and bool(held)
        if not at_work:  # this machine is fast: it had come to its end, and another one begins
            assert process.returncode == 0
            assert_same(out, undisturbed)
            shutil.rmtree(out)
    assert gone_on >= 10
    before = _epochs_in_checkpoints(out)
    process = _start(long_suite_file, out)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    # the very seconds of the epochs in the last checkpoints: they were not made again
    suite = load_suite(long_suite_file).bind()
    trials = {trial.lineage: trial.id for _, trial in suite.cells()}
    assert all(seconds_of(out, trials[lineage])[: len(made)] == made for lineage, made in before.items())
    assert_same(out, undisturbed)


def _epochs_in_checkpoints(out):
    """The seconds of every epoch that is in a checkpoint, by lineage, as they are in history.csv."""
    found = {path.stem: Checkpoint(path).read() for path in out.glob("checkpoints/[!.]*")}
    return {
        lineage: [record["seconds"] for record in saved["state"]["history_"]["records"]]
        for lineage, saved in found.items()
    }


def _checkpoints(out):
    found = {}
    for path in out.glob("checkpoints/[!.]*"):
        with suppress(FileNotFoundError):  # it is done with just now
            found[path.name] = path.stat().st_mtime_ns
    return found


def seconds_of(out, trial_id):
    return run_folder_history(out, trial_id)["seconds"]


def run_folder_history(out, trial_id):
    return RunFolder(out).read_history(trial_id)


def test_more_epochs_continue_from_fewer(suite, tmp_path):
    one = suite.with_setting("hidden_layer_sizes", (16,)).with_setting("learning_rate_init", 0.05)
    short = run_suite(one.with_setting("max_iter", 3), tmp_path / "out", jobs=1, checkpoint_seconds=0)
    longer = run_suite(one.with_setting("max_iter", 6), tmp_path / "out", jobs=1, checkpoint_seconds=0)
    alone = run_suite(one.with_setting("max_iter", 6), tmp_path / "alone", jobs=1)
    ids = [run.rows[0].trial.id for run in (short, longer)]
    assert ids[0] != ids[1]
    # the very seconds of the first epochs: they were not made again
    assert seconds_of(tmp_path / "out", ids[1])[:3] == seconds_of(tmp_path / "out", ids[0])
    weights = [load_model(run.folder.trial(ids[1]) / "model.safetensors").coefs_[0] for run in (longer, alone)]
    np.testing.assert_array_equal(*weights)


def test_a_shorter_training_keeps_the_checkpoint_of_a_longer_one(suite, tmp_path):
    one = suite.with_setting("hidden_layer_sizes", (16,)).with_setting("learning_rate_init", 0.05)
    six, three, nine = (
        run_suite(one.with_setting("max_iter", epochs), tmp_path / "out", jobs=1, checkpoint_seconds=0).rows[0].trial.id
        for epochs in (6, 3, 9)
    )
    assert seconds_of(tmp_path / "out", nine)[:6] == seconds_of(tmp_path / "out", six)
    assert len(_checkpoints(tmp_path / "out")) == 1
    alone = run_suite(one.with_setting("max_iter", 3), tmp_path / "alone", jobs=1)
    paths = [run / "trials" / three / "model.safetensors" for run in (tmp_path / "out", alone.folder.path)]
    np.testing.assert_array_equal(*(load_model(path).coefs_[0] for path in paths))


def test_checkpoints_that_no_training_can_resume_are_not_kept(suite, tmp_path):
    one = suite.with_setting("learning_rate", "cosine")
    run_suite(one, tmp_path / "out", jobs=1, checkpoint_seconds=0)
    assert not _checkpoints(tmp_path / "out")


def test_a_schedule_over_max_iter_starts_over_with_more_epochs(suite, tmp_path):
    one = suite.with_setting("learning_rate", "cosine").with_setting("hidden_layer_sizes", (16,))
    short = run_suite(one.with_setting("max_iter", 3), tmp_path / "out", jobs=1, checkpoint_seconds=0)
    longer = run_suite(one.with_setting("max_iter", 6), tmp_path / "out", jobs=1, checkpoint_seconds=0)
    ids = [run.rows[0].trial.id for run in (short, longer)]
    assert (
        run_folder_history(tmp_path / "out", ids[1])["train_loss"][1]
        != (run_folder_history(tmp_path / "out", ids[0])["train_loss"][1])
    )


@pytest.mark.parametrize("damage", ["flipped", "cut", "another"])
def test_a_damaged_checkpoint_is_named_and_training_starts_over(suite, tmp_path, damage):
    one = suite.with_setting("max_iter", 3)
    run = run_suite(one, tmp_path / "out", jobs=1, checkpoint_seconds=0)
    first, second = sorted(run.folder.checkpoints.iterdir())[:2]
    content = first.read_bytes()
    middle = len(content) // 2
    first.write_bytes(
        {
            "flipped": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "cut": content[:-9],
            "another": second.read_bytes(),
        }[damage]
    )
    shown = Listening()
    run_suite(suite.with_setting("max_iter", 5), tmp_path / "out", jobs=1, observer=shown)
    assert [note for note in shown.notes if str(first) in note and "from its first epoch" in note]
    run_suite(suite.with_setting("max_iter", 5), tmp_path / "alone", jobs=1)
    assert read_results(tmp_path / "out") == read_results(tmp_path / "alone")


def test_a_lost_trial_is_trained_though_its_checkpoint_is_later(suite, tmp_path):
    one = suite.with_setting("hidden_layer_sizes", (16,)).with_setting("learning_rate_init", 0.05)
    run = run_suite(one, tmp_path / "out", jobs=1, checkpoint_seconds=0)
    expected = read_results(tmp_path / "out")
    short = next(row.trial for row in run.rows if row.trial["max_iter"] == 2)
    shutil.rmtree(run.folder.trial(short.id))
    assert run_suite(one, tmp_path / "out", jobs=1).trained == 1
    assert read_results(tmp_path / "out") == expected


# The disk


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 300 kB, and how to make it larger."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a file system")
    yield disk, lambda: subprocess.run(["mount", "-o", "remount,size=100m", str(disk)], check=True)
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_named_and_with_more_room_the_run_resumes(small_disk, slow_suite_file, undisturbed):
    disk, enlarge = small_disk
    process = _start(slow_suite_file, disk / "out", "--checkpoint-seconds", "0.1")
    _, errors = process.communicate(timeout=120)
    assert process.returncode in (1, 2)
    assert "No space left on device" in errors
    enlarge()
    process = _start(slow_suite_file, disk / "out")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert_same(disk / "out", undisturbed.folder.path)


# Damage


@pytest.fixture(scope="module")
def whole(suite_file, tmp_path_factory):
    """A finished run with its figures, of two trials."""
    from mlplab.cli import run

    path = tmp_path_factory.mktemp("whole")
    lines = suite_file.read_text().split("[[experiment]]")
    (path / "two.toml").write_text(lines[0] + "[[experiment]]" + lines[1])
    command = ["run", str(path / "two.toml"), "--out", str(path / "out"), "--jobs", "2", "--checkpoint-seconds", "0"]
    assert run(command) == 0
    return path / "out", command


def _contents(out):
    files = [path for path in sorted(out.rglob("*")) if path.is_file() and path.name != ".lock"]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


#: What a conclusion says of times and dates.
_MOMENT = re.compile(r"\d+ h \d\d min|[\d.]+ (s|min)\b|\d{4}-\d\d-\d\d")
#: What holds times or dates, so that its digest is another one in every run.
_MOMENTOUS = ("results.csv", "conclusion.json", "conclusion.md")


def _timeless(facts):
    """Without seconds and dates, wherever they stand."""
    if isinstance(facts, dict):
        return {key: _timeless(value) for key, value in facts.items() if key not in ("seconds", "opened")}
    return [_timeless(value) for value in facts] if isinstance(facts, list) else facts


def _comparable(name, content):
    """Without what another run cannot have the same: seconds, dates and the digests of what holds them."""
    if name.startswith("checkpoints"):
        return None
    if name.endswith(".csv"):
        return [_timeless(row) for row in csv.DictReader(content.decode().splitlines())]
    if name.endswith(".md"):
        return _MOMENT.sub("", content.decode())
    if name == ".seals.json":
        return {file: None if file in _MOMENTOUS else digest for file, digest in json.loads(content).items()}
    if name.endswith("trial.json"):
        return {key: value for key, value in _timeless(json.loads(content)).items() if key not in ("sha256", "files")}
    if name == "conclusion.json":
        return _timeless(json.loads(content))
    if name.endswith(".safetensors"):  # whose metadata come in any order
        return {key: array.tobytes() for key, array in safetensors.numpy.load(content).items()}
    return content


def test_damage_in_each_file_is_named_and_made_good(whole, capsys):
    from mlplab.cli import run

    out, command = whole
    before = _contents(out)
    damaged = [name for name in before if not name.startswith("checkpoints")]
    assert len(damaged) >= 19
    for name in damaged:
        content = (out / name).read_bytes()
        middle = len(content) // 2
        (out / name).write_bytes(content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :])
        capsys.readouterr()
        assert run(command) == 0, name
        said = capsys.readouterr().err
        trial = name.split("/")[1] if name.startswith("trials/") else None
        if name != ".seals.json":  # which are for the others, and written in every run
            assert (f"trials/{trial} is damaged" if trial else f"{name} has been modified or damaged") in said, name
        assert verify_manifest(RunFolder(out)) == []
        after = _contents(out)
        assert set(after) == set(before), name
        for other in before:
            assert _comparable(other, after[other]) == _comparable(other, before[other]), (name, other)


@pytest.mark.parametrize("content", [b"name = ", b"\xff", None])
def test_an_unreadable_suite_file_is_regenerated_for_its_trials(whole, tmp_path, content):
    """Without seals, that is, as a run that was killed leaves a folder."""
    out = Path(shutil.copytree(whole[0], tmp_path / "out"))
    expected = (out / "suite.toml").read_bytes()
    (out / ".seals.json").unlink()
    (out / "suite.toml").unlink() if content is None else (out / "suite.toml").write_bytes(content)
    shown = Listening()
    assert run_suite(load_suite(whole[1][1]), out, observer=shown).trained == 0
    assert shown.notes == [f"{out / 'suite.toml'} has been modified or damaged; regenerating it"]
    assert (out / "suite.toml").read_bytes() == expected


def test_an_unreadable_suite_file_without_trials_is_refused(suite, tmp_path):
    (tmp_path / "suite.toml").write_text("mine")
    with pytest.raises(RunFolderError, match="not valid TOML"):
        run_suite(suite, tmp_path)
    assert (tmp_path / "suite.toml").read_text() == "mine"


def _without(name):
    return lambda test: {key: value for key, value in test.items() if key != name}


@pytest.mark.parametrize(
    ("damage", "kept"),
    [
        (lambda test: {**test, "unknown": 3}, 2),
        (_without("spread"), 2),
        (_without("interval"), 1),
        (_without("trial"), 1),
        (lambda test: {**test, "interval": [0.5]}, 1),
        (lambda test: {**test, "right": "many"}, 1),
        (lambda test: None, 1),
    ],
)
def test_only_unreadable_test_evaluations_are_dropped(suite, tmp_path, damage, kept):
    small, large = (suite.with_setting("hidden_layer_sizes", (width,)) for width in (1, 32))
    run_suite(small, tmp_path, jobs=1)
    file = tmp_path / "conclusion.json"
    facts = json.loads(file.read_text())
    other = {**facts["test_evaluations"][0], "trial": "another"}
    file.write_text(json.dumps({**facts, "test_evaluations": [damage(other), *facts["test_evaluations"]]}))
    (tmp_path / ".seals.json").unlink()
    run_suite(large, tmp_path, jobs=1)
    assert len(json.loads(file.read_text())["test_evaluations"]) == kept + 1


def test_a_foreign_manifest_deletes_none_of_the_users_files(whole, tmp_path):
    out = Path(shutil.copytree(whole[0], tmp_path / "out"))
    mine = tmp_path / "mine.txt"
    mine.write_text("precious")
    names = ["../mine.txt", str(mine), "trials", "figures/../../mine.txt", "figures"]
    (out / ".seals.json").write_text(json.dumps(dict.fromkeys(names, "0")))
    shown = Listening()
    assert run_suite(load_suite(whole[1][1]), out, observer=shown).trained == 0
    assert mine.read_text() == "precious"
    assert not shown.notes


def test_the_data_left_by_a_killed_run_are_removed_by_the_next(whole, tmp_path):
    out = Path(shutil.copytree(whole[0], tmp_path / "out"))
    (out / ".data").mkdir()
    (out / ".data" / "X.npy").write_bytes(b"x")
    run_suite(load_suite(whole[1][1]), out)
    assert not (out / ".data").exists()


def test_a_folder_can_be_moved(whole, tmp_path):
    out, command = whole
    shutil.copytree(out, tmp_path / "elsewhere")
    suite = load_suite(command[1])
    shown = Listening()
    assert run_suite(suite, tmp_path / "elsewhere", observer=shown).trained == 0
    assert not shown.notes


@pytest.fixture
def project(tmp_path):
    """A folder with a table, a suite that says where it lies, and a finished run."""
    rng = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(60, 2))]
    path = tmp_path / "project"
    path.mkdir()
    (path / "table.csv").write_text("\n".join(["a,b,label", *rows]))
    (path / "suite.toml").write_text(
        'name = "table"\ndataset = "table.csv"\ntarget = "label"\nsettings.max_iter = 2\n'
        '[[experiment]]\nname = "width"\ngrid.hidden_layer_sizes = [[4], [2]]\n'
    )
    assert run_suite(path / "suite.toml", path / "out", jobs=1).trained == 2
    return path


def test_a_folder_moved_with_its_table_is_resumed(project, tmp_path):
    moved = project.rename(tmp_path / "moved")
    shown = Listening()
    run = run_suite(moved / "suite.toml", moved / "out", observer=shown)
    assert run.trained == 0
    assert not shown.notes
    assert run.folder.suite().source.name == str(moved / "table.csv")


def test_what_looks_at_a_folder_needs_no_data(project, tmp_path, capsys):
    from mlplab.cli import run

    out = str(project.rename(tmp_path / "moved") / "out")
    (tmp_path / "moved" / "table.csv").unlink()
    assert run(["status", out]) == 0
    assert "2 trials: 2 done" in capsys.readouterr().out
    assert run(["compare", out]) == 0
    assert len(load_results(out)[0]) == 2
    assert run(["report", out]) == 0
    assert (tmp_path / "moved" / "out" / "figures" / "all-trials.png").exists()
    assert run(["run", str(tmp_path / "moved" / "out" / "suite.toml"), "--out", out]) == 2
    assert f"mlplab: {project / 'table.csv'}: no such file" in capsys.readouterr().err


def test_a_folder_made_from_another_table_is_refused(project, tmp_path):
    other = Path(shutil.copytree(project, tmp_path / "other"))
    table = other / "table.csv"
    table.write_text(table.read_text().replace("yes", "YES"))
    with pytest.raises(RunFolderError) as caught:
        run_suite(other / "suite.toml", project / "out")
    assert f"with source {project / 'table.csv'} (target 'label'), not {table} (target 'label')" in str(caught.value)
    text = (project / "suite.toml").read_text().replace('"label"', '"a"')
    (project / "suite.toml").write_text(text)
    with pytest.raises(RunFolderError, match=r"table\.csv \(target 'label'\), not .*table\.csv \(target 'a'\)"):
        run_suite(project / "suite.toml", project / "out")


def test_report_names_missing_images_and_keeps_their_pictures(tmp_path, capsys):
    from mlplab.cli import run

    images = tmp_path / "images.npz"
    np.savez(images, X=np.random.default_rng(0).integers(0, 255, (40, 4, 4), np.uint8), y=np.arange(40) % 2)
    suite = tmp_path / "suite.toml"
    suite.write_text('name = "i"\ndataset = "images.npz"\nsettings.max_iter = 1\n[[experiment]]\nname = "e"\n')
    out = tmp_path / "out"
    assert run(["run", str(suite), "--out", str(out), "--jobs", "1"]) == 0
    images.unlink()
    capsys.readouterr()
    assert run(["report", str(out)]) == 2
    assert capsys.readouterr().err == f"mlplab: {images}: no such file, folder or built-in data set\n"
    assert (out / "figures" / "samples.png").exists()


def test_to_see_that_a_suite_is_finished_imports_no_scikit_learn(whole):
    code = "import sys; from mlplab.cli import run; print(run(sys.argv[1:]), 'sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, *whole[1]], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False"
