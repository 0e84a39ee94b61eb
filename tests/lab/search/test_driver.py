"""A search from end to end, on digits."""

import json
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from time import monotonic, sleep

import numpy as np
import pandas
import pytest

from mlplab import load_dataset, load_model, load_results, load_suite
from mlplab.cli import run as mlplab
from mlplab.data.datasets import Source
from mlplab.errors import MissingExtraError, RunFolderError, SettingError
from mlplab.lab import compare_results
from mlplab.lab.analysis.conclusion import read_conclusion
from mlplab.lab.execution.dispatch import TrainingContext
from mlplab.lab.execution.executor import Event
from mlplab.lab.monitoring.observer import NullObserver
from mlplab.lab.search.driver import run_search
from mlplab.lab.search.log import read_log
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.history import History
from tests.small_suite import read_results, read_weights, run_suite

SUITE = """
name = "look"
dataset = "digits"
seeds = 2
[settings]
max_iter = 9
learning_rate = "cosine"
[search]
epochs = 90
finalists = 2
space.hidden_layer_sizes = { depth = [0, 2], width = [4, 32] }
space.learning_rate_init = { low = 0.001, high = 0.1, log = true }
space.dropout = [0.0, 0.2]
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "look.toml"
    path.write_text(SUITE)
    return path


class Epochs(NullObserver):
    """Counts the epochs that are made."""

    def __init__(self):
        self.made, self.notes = [], []

    def note(self, text):
        self.notes.append(text)

    def epoch(self, job, epoch):
        self.made.append((job.trials[-1].id, epoch.epoch))


@pytest.fixture(scope="module")
def searched(file, tmp_path_factory):
    """A finished search, not to be written to, and the epochs that were made for it."""
    display = Epochs()
    outcome = run_suite(load_suite(file), tmp_path_factory.mktemp("search") / "out", jobs=1, observer=display)
    return outcome, display.made


def test_a_paused_trial_is_resumed_and_no_epoch_repeated(searched):
    outcome, made = searched
    assert len(made) == len(set(made))
    assert len(made) <= 90
    stopped = {trial: max(epoch for t, epoch in made if t == trial) for trial, _ in made}
    assert set(stopped.values()) == {1, 3, 9}
    for row in outcome.rows:
        assert row.result.epochs == stopped[row.trial.id]
        assert row.status == ("done" if row.result.epochs == 9 else "paused")


def test_pauses_change_no_bit_of_a_network(searched, tmp_path):
    outcome, _ = searched
    row = next(row for row in outcome.rows if row.experiment.from_search and row.status == "done")
    settings = {name: list(v) if isinstance(v, tuple) else v for name, v in row.trial.settings.items() if v is not None}
    grid = "\n".join(f"grid.{name} = {json.dumps([value])}" for name, value in settings.items())
    (tmp_path / "one.toml").write_text(f'name = "one"\ndataset = "digits"\n[[experiment]]\nname = "one"\n{grid}\n')
    alone = run_suite(tmp_path / "one.toml", tmp_path / "alone", jobs=1)
    assert read_weights(alone.folder.path)[row.trial.id] == read_weights(outcome.folder.path)[row.trial.id]


def test_the_conclusion_uses_only_the_seeds_of_the_finalists(searched):
    outcome, _ = searched
    finalists = [row for row in outcome.rows if row.experiment.name == "finalists"]
    assert [row.trial.seed for row in finalists] == [1, 2, 1, 2]
    held = read_conclusion(outcome.folder)
    assert held.best.seeds == 2
    assert held.best.trial in {row.trial.id for row in finalists}
    mine = [row.result.val_accuracy for row in finalists if row.result.settings == _settings(outcome, held.best)]
    assert held.best.value == pytest.approx(np.mean(mine))
    tried = [row.result for row in outcome.rows if row.experiment.from_search]
    assert held.search.tried == len(tried)
    assert held.search.epochs == sum(result.epochs for result in tried)
    # the finalists are those with the highest accuracy that the search saw
    highest = sorted(tried, key=lambda r: (r.val_accuracy, r.epochs, -r.val_loss), reverse=True)[:2]
    assert [r.settings for r in highest] == [finalists[0].result.settings, finalists[2].result.settings]
    text = outcome.folder.conclusion_md.read_text()
    assert "### What the search tried" in text
    assert "trained with seeds that the search had not seen" in text


def _settings(outcome, best):
    return next(row.result.settings for row in outcome.rows if row.trial.id == best.trial)


def test_a_search_on_two_processes_is_the_same(searched, file, tmp_path):
    again = run_suite(file, tmp_path / "again", jobs=2)
    assert read_results(again.folder.path) == read_results(searched[0].folder.path)
    assert read_weights(again.folder.path) == read_weights(searched[0].folder.path)


def test_a_finished_search_makes_nothing_again(searched, file):
    display = Epochs()
    outcome = run_suite(load_suite(file), searched[0].folder.path, observer=display)
    assert (outcome.trained, display.made) == (0, [])


def test_a_search_killed_at_any_moment_ends_the_same(searched, file, tmp_path):
    out, rng = tmp_path / "out", np.random.default_rng(0)
    command = [sys.executable, "-m", "mlplab", "run", str(file), "--out", str(out), "--jobs", "2"]
    killed = attempts = 0
    while killed < 6:
        attempts += 1
        assert attempts < 30
        made = _made(out)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = monotonic() + 60
        while _made(out) == made and process.poll() is None and monotonic() < until:  # it starts
            sleep(0.01)
        sleep(rng.uniform(0, 0.1))
        alive = process.poll() is None
        killed += alive
        process.kill()
        process.wait()
        if not alive and killed < 6:  # it had come to its end before: from the beginning
            shutil.rmtree(out)
    run_suite(file, out, jobs=2)
    assert read_results(out) == read_results(searched[0].folder.path)
    assert read_weights(out) == read_weights(searched[0].folder.path)


def _made(out):
    made = {}
    for path in out.glob("trials/[!.]*/trial.json"):
        with suppress(OSError):  # it was just replaced
            made[path.parent.name] = path.stat().st_mtime_ns
    return made


def test_a_larger_budget_continues_a_smaller_one(file, tmp_path):
    suite = load_suite(file)
    first = run_suite(suite, tmp_path / "out", jobs=2)
    display = Epochs()
    larger = replace(suite, search=replace(suite.search, epochs=140))
    second = run_suite(larger, tmp_path / "out", jobs=2, observer=display)
    tried = [{row.trial.id for row in one.rows if row.experiment.from_search} for one in (first, second)]
    assert tried[0] < tried[1]
    before = {row.trial.id: row.result.epochs for row in first.rows}
    assert all(epoch > before.get(trial, 0) for trial, epoch in display.made)


def test_more_fresh_seeds_train_only_those(searched, file, tmp_path):
    out = shutil.copytree(searched[0].folder.path, tmp_path / "out")
    more = run_suite(replace(load_suite(file), seeds=5), out, jobs=2)
    assert more.trained == 2 * 3  # beyond the budget
    assert read_conclusion(more.folder).best.seeds == 5
    tried = [[row.trial.id for row in one.rows if row.experiment.from_search] for one in (searched[0], more)]
    assert tried[0] == tried[1]


def test_a_search_that_was_interrupted_has_results_and_its_time(file, tmp_path):
    class Interrupting(NullObserver):
        def __init__(self):
            self.left = 3

        def trial(self, result):
            self.left -= 1
            if not self.left:
                raise KeyboardInterrupt

    suite = load_suite(file)
    with pytest.raises(RunFolderError, match="is not a run folder"):
        load_results(tmp_path / "out")
    with pytest.raises(KeyboardInterrupt):
        run_suite(suite, tmp_path / "out", jobs=1, observer=Interrupting())
    trials, epochs = load_results(tmp_path / "out")
    assert (trials["status"] == "paused").sum() >= 3
    assert "waiting" in set(trials["status"])
    assert set(epochs["trial"]) == set(trials.loc[trials["status"] == "paused", "trial"])
    seconds = read_log(RunFolder(tmp_path / "out"), suite.bind()).seconds
    assert seconds > 0.01
    with pytest.raises(KeyboardInterrupt):
        run_suite(suite, tmp_path / "out", jobs=1, observer=Interrupting())
    assert read_log(RunFolder(tmp_path / "out"), suite.bind()).seconds > seconds + 0.01


def test_trials_that_failed_are_tried_again(searched, file, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        (tmp_path / "sitecustomize.py").write_text(
            "from mlplab.lab.execution import training as job\nreal = job._train\n"
            "def fail(estimator, job, *rest):\n"
            "    if len(job.trials[-1]['hidden_layer_sizes']) == 1 and job.trials[-1].seed == 0:\n"
            "        raise MemoryError\n"
            "    return real(estimator, job, *rest)\n"
            "job._train = fail\n"
        )
        patch.syspath_prepend(tmp_path)
        first = run_suite(file, tmp_path / "out", jobs=2)
    assert {row.status for row in first.rows if row.experiment.from_search} >= {"failed", "paused"}
    assert read_conclusion(first.folder).winner.test  # which is of the finalists
    again = run_suite(file, tmp_path / "out", jobs=2)
    assert again.trained >= len(first.failed)
    assert not again.failed
    assert not run_suite(file, tmp_path / "out", jobs=2).trained


@pytest.mark.parametrize(
    ("settings", "space", "why"),
    [
        ('activation = ["relu", "tanh"]', "hidden_layer_sizes = [[8], [8, 8]]", "activation"),
        ('activation = ["relu", "tanh"]', "hidden_layer_sizes = { depth = [1, 2], width = [4, 8] }", "activation"),
        ("dropout = 0.5", 'solver = ["adam", "lbfgs"]\nspace.alpha = [0.0, 0.1]', "lbfgs"),
    ],
)
def test_a_space_with_networks_that_cannot_be_built_is_refused(tmp_path, refuses, settings, space, why):
    pruning = 'pruning = "none"\n' if "lbfgs" in space else ""
    (tmp_path / "look.toml").write_text(
        f'name = "look"\ndataset = "digits"\n[settings]\n{settings}\n[search]\nepochs = 9000\n{pruning}space.{space}\n'
    )
    with refuses(SettingError, "search: ", why):
        run_suite(tmp_path / "look.toml", tmp_path / "out", jobs=1)
    assert not (tmp_path / "out").exists()


def test_a_search_for_something_else_in_the_folder_is_refused(searched, file):
    suite = load_suite(file)
    with pytest.raises(RunFolderError, match="other settings, another space or another seed"):
        run_suite(suite.with_setting("dropout", 0.1), searched[0].folder.path)


@pytest.mark.parametrize("sealed", [True, False])
def test_a_damaged_log_and_paused_trial_are_noted_and_restored(searched, file, tmp_path, sealed):
    out = shutil.copytree(searched[0].folder.path, tmp_path / "out")
    paused = [row.trial.id for row in searched[0].rows if row.status == "paused"]
    history = out / "trials" / paused[0] / "history.csv"
    history.write_bytes(history.read_bytes()[:-3])
    width = re.search(r'"finalists": \[\{[^]]*?(\d+)', (out / "search.json").read_text())
    changed = bytearray((out / "search.json").read_bytes())
    changed[width.start(1)] ^= 1  # a finalist that no search chose
    (out / "search.json").write_bytes(changed)
    if not sealed:
        (out / ".seals.json").unlink()
    with pytest.raises(RunFolderError, match=r"search\.json is damaged; run the search again"):
        compare_results(out)
    display = Epochs()
    run_suite(file, out, jobs=2, observer=display)
    assert any("search.json has been modified or damaged" in note for note in display.notes)
    assert read_results(out) == read_results(searched[0].folder.path)


def test_a_search_on_other_data_in_the_folder_is_refused(file, tmp_path):
    digits = load_dataset("digits")
    frame = pandas.DataFrame(digits.X[:300]).assign(label=digits.y[:300])
    frame.to_csv(tmp_path / "table.csv", index=False)
    suite = load_suite(file)
    suite = replace(suite, source=Source(str(tmp_path / "table.csv"), "label"), seeds=1)
    suite = replace(suite, search=replace(suite.search, epochs=30, finalists=1))
    run_suite(suite, tmp_path / "out", jobs=1)
    frame.assign(label=frame["label"].sample(frac=1, random_state=0).to_numpy()).to_csv(
        tmp_path / "table.csv", index=False
    )
    with pytest.raises(RunFolderError, match="holds a search with other data"):
        run_suite(suite, tmp_path / "out", jobs=1)


def test_a_pause_without_its_trial_repeats_no_epoch(searched, file, tmp_path):
    """Killed in the moment between the checkpoint of a pause and its trial.json."""
    copy = RunFolder(shutil.copytree(searched[0].folder.path, tmp_path / "copy"))
    first = [row.trial.id for row in searched[0].rows if row.status == "paused" and row.result.epochs == 1]
    for trial in first:
        shutil.rmtree(copy.trial(trial))
    display = Epochs()
    run_suite(file, copy.path, jobs=1, observer=display)
    assert first
    assert not display.made
    assert read_results(copy.path) == read_results(searched[0].folder.path)


def test_only_lost_trials_of_a_finished_search_are_repeated(searched, file, tmp_path):
    copy = RunFolder(shutil.copytree(searched[0].folder.path, tmp_path / "copy"))
    before = copy.search_file.read_bytes()
    row = next(row for row in searched[0].rows if row.status == "paused" and row.result.epochs == 3)
    trial = copy.trial(row.trial.id) / "trial.json"
    trial.write_bytes(trial.read_bytes().replace(b"paused", b"pausee"))
    display = Epochs()
    run_suite(file, copy.path, jobs=1, observer=display)
    assert display.made == [(row.trial.id, 1)]  # the rest is in its checkpoint
    assert any(f"{row.trial.id} is damaged or incomplete" in note for note in display.notes)
    assert copy.search_file.read_bytes().partition(b'"seconds"')[0] == before.partition(b'"seconds"')[0]
    assert read_results(copy.path) == read_results(searched[0].folder.path)
    assert not run_suite(file, copy.path, jobs=1).trained


def test_minutes_end_it_in_time(file, tmp_path):
    suite = load_suite(file)
    suite = replace(suite, search=replace(suite.search, epochs=None, minutes=0.1))
    started = monotonic()
    outcome = run_suite(suite, tmp_path / "out", jobs=2)
    assert monotonic() - started < 60
    assert read_conclusion(outcome.folder).best
    assert not outcome.failed


def test_minutes_are_as_many_epochs_as_there_is_time_for(file, tmp_path, monkeypatch):
    monkeypatch.setattr("mlplab.lab.search.driver.measure_pace", lambda *_: 1.99)  # seconds per epoch
    suite = load_suite(file)
    in_minutes = replace(suite, search=replace(suite.search, epochs=None, minutes=2.0))
    in_epochs = replace(suite, search=replace(suite.search, epochs=120))
    first = []
    for budget, name in ((in_minutes, "minutes"), (in_epochs, "epochs")):
        with pytest.raises(KeyboardInterrupt):
            run_suite(budget, tmp_path / name, jobs=2, observer=Interrupting())
        first.append(read_log(RunFolder(tmp_path / name), budget.bind()).rounds[0])
    assert first[0] == first[1]  # 2 processes × 120 seconds / 1.99 seconds an epoch


class Interrupting(NullObserver):
    def epoch(self, job, epoch):
        raise KeyboardInterrupt


def test_too_few_minutes_are_refused(file, tmp_path, refuses):
    suite = load_suite(file)
    suite = replace(suite, search=replace(suite.search, epochs=None, minutes=1e-4))
    with refuses(
        SettingError, "minutes must be at least", "on this machine, for 2 finalists × 2 seeds × 9 epochs", "got 0.0001"
    ):
        run_suite(suite, tmp_path / "out", jobs=1)


@pytest.mark.parametrize("pruning", ["hyperband", "none"])
@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_every_sampler_with_every_pruning(file, tmp_path, pruning, sampler):
    suite = load_suite(file)
    suite = replace(suite, seeds=1, search=replace(suite.search, pruning=pruning, sampler=sampler))
    outcome = run_suite(suite, tmp_path / "out", jobs=2)
    epochs = {row.result.epochs for row in outcome.rows if row.experiment.from_search}
    assert epochs == ({9} if pruning == "none" else {1, 3, 9})


def test_a_small_space_is_tried_once(file, tmp_path):
    suite = load_suite(file).with_setting("hidden_layer_sizes", (8,)).with_setting("learning_rate_init", 0.01)
    outcome = run_suite(suite, tmp_path / "out", jobs=1)
    assert sum(row.experiment.from_search for row in outcome.rows) == 2


def test_a_trial_that_fails_ends_nothing(file, tmp_path):
    text = SUITE.replace("dropout = [0.0, 0.2]", "learning_rate_step = [1, 2]").replace('"cosine"', '"step"')
    (tmp_path / "diverging.toml").write_text(
        text.replace("high = 0.1", "high = 1e30").replace("low = 0.001", "low = 1e-3")
    )
    outcome = run_suite(tmp_path / "diverging.toml", tmp_path / "out", jobs=2)
    assert {row.status for row in outcome.rows} >= {"diverged", "paused", "done"}
    assert not outcome.failed
    assert "diverged" in outcome.folder.conclusion_md.read_text()


def test_a_job_given_up_after_a_pause_has_failed(searched, file, tmp_path):
    """The workers die of one trial whenever it is trained on."""
    out = tmp_path / "out"
    shutil.copytree(searched[0].folder.path, out)
    suite, folder = load_suite(file).bind(), RunFolder(out)
    done = next(row.trial for row in searched[0].rows if row.experiment.from_search and row.status == "done")
    result = folder.read_result(done.id)
    history = History(folder.read_history(done.id).epochs[:3])
    folder.write_trial(replace(result, status="paused", epochs=3, val_accuracy=history["val_accuracy"][-1]), history)
    log = read_log(folder, suite)
    log.chosen_for = ""
    log.write(folder)

    class Crashing:
        slots = 1

        def run(self, jobs):
            for job in jobs:
                yield Event(job, None, "worker ended with exit status -9")

    _, trained = run_search(TrainingContext(suite, suite.source.load(), folder, Crashing(), NullObserver()))
    assert trained >= 1
    assert folder.read_result(done.id).status == "failed"
    assert "exit status -9" in folder.read_result(done.id).error


def test_without_optuna_the_error_names_the_extra(file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'mlplab\[search\]'"):
        run_suite(file, tmp_path / "out")


def test_a_budget_that_is_too_small_is_refused_at_once(file, tmp_path):
    suite = load_suite(file)
    with pytest.raises(SettingError, match="epochs must be at least 45, for 2 finalists × 2 seeds × 9 epochs"):
        run_suite(replace(suite, search=replace(suite.search, epochs=40)), tmp_path / "out")


def test_results_status_and_figures_of_a_search(searched, capsys):
    out = searched[0].folder.path
    trials, epochs = load_results(out)
    assert set(trials["experiment"]) == {"search", "finalists"}
    assert epochs.groupby("trial")["epoch"].max().to_dict() == dict(zip(trials["trial"], trials["epochs"], strict=True))
    assert mlplab(["status", str(out)]) == 0
    assert "finalists                   4 of 4" in capsys.readouterr().out
    assert mlplab(["report", str(out)]) == 0
    assert {"search.png", "experiment-2-finalists.svg"} <= {path.name for path in (out / "figures").iterdir()}
    best = read_conclusion(searched[0].folder).best.trial
    assert load_model(out / "trials" / best / "model.safetensors").n_iter_ == 9


def test_the_command_searches_for_a_network_for_a_table(tmp_path, capsys, monkeypatch):
    from sklearn.datasets import load_iris

    monkeypatch.chdir(tmp_path)
    load_iris(as_frame=True).frame.to_csv("flowers.csv", index=False)
    what = ["search", "flowers.csv", "--target", "target", "--set", "max_iter=3", "--seeds", "1", "--epochs", "20"]
    space = ["--space", "hidden_layer_sizes=[[4], [8]]", "--space", "learning_rate_init={low = 0.01, high = 0.1}"]
    assert mlplab([*what, *space, "--finalists", "1", "--dry-run"]) == 0
    assert "0 configurations tried" in capsys.readouterr().out
    assert mlplab([*what, *space, "--finalists", "1", "--json"]) == 0
    held = json.loads(capsys.readouterr().out)
    assert held["search"]["epochs"] + 3 <= 20
    assert (tmp_path / "runs" / "search-flowers" / "suite.toml").is_file()


def test_a_suite_without_a_search_is_refused_by_the_command(capsys):
    assert mlplab(["search", "exercise6"]) == 2
    assert "exercise6 has no [search] table; use `mlplab run`" in capsys.readouterr().err
