import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pandas
import pytest
from safetensors.numpy import load_file

from mlplab import NeuralNetworkRegressor, evaluate, load_dataset, load_model, save_model
from mlplab.cli import run as mlplab
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.utils.hashing import hash_json


@pytest.fixture
def table(tmp_path):
    """A CSV file of 300 digits with text labels."""
    dataset = load_dataset("digits")
    frame = pandas.DataFrame(dataset.X[:300], columns=[f"pixel{k}" for k in range(64)])
    frame["digit"] = [f"d{label}" for label in dataset.y[:300]]
    path = tmp_path / "table.csv"
    frame.to_csv(path, index=False)
    return path


def test_a_suite_from_start_to_report(suite_file, tmp_path, capsys):
    out = str(tmp_path / "out")
    command = ["run", str(suite_file), "--out", out, "--jobs", "2", "--set", "max_iter=1", "--samples", "300"]
    assert mlplab([*command, "--dry-run"]) == 0
    assert re.search(
        r"small: 4 trials, 0 done; 4 networks to train for 4 epochs in total, about .* with 2 processes",
        capsys.readouterr().out,
    )
    assert not (tmp_path / "out").exists()
    assert mlplab(command) == 0
    said = capsys.readouterr()
    assert "The best configuration is" in said.out
    assert "[4/4]" in said.err
    assert (tmp_path / "out" / "figures" / "all-trials.png").stat().st_size > 10_000
    assert mlplab(command) == 0
    said = capsys.readouterr()
    assert "Nothing left to train" in said.out
    assert not said.err
    assert mlplab(["status", out]) == 0
    assert "small: 4 trials: 4 done; finished" in capsys.readouterr().out
    assert mlplab(["status", out, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "suite": "small",
        "at_work": False,
        "finished": True,
        "trials": 4,
        "done": 4,
    }
    assert mlplab(["compare", out]) == 0
    said = capsys.readouterr().out
    assert "Tied with the best" in said or "The best is" in said
    assert "With one seed" in said
    assert mlplab(["compare", out, "--experiment", "width", "--margin", "99", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert sorted(found["names"]) == ["16", "4"]
    assert found["smallest"] == "4"
    (tmp_path / "out" / "figures" / "all-trials.png").unlink()
    assert mlplab(["report", out]) == 0
    assert (tmp_path / "out" / "figures" / "all-trials.png").exists()
    capsys.readouterr()
    assert mlplab([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["suite"] == "small"


def test_status_counts_the_trials_that_have_begun(suite, tmp_path, capsys):
    folder = RunFolder(tmp_path)
    folder.write_suite(suite)
    lineage = suite.bind().cells()[0][1].lineage
    folder.checkpoints.mkdir()
    folder.checkpoint(lineage).write_bytes(b"")
    assert mlplab(["status", str(tmp_path)]) == 0
    assert "6 waiting (2 of them started); not finished" in capsys.readouterr().out  # one training serves two of them
    assert mlplab(["status", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"suite": "small", "at_work": False, "finished": False, "trials": 6, "waiting": 6, "begun": 2}


def test_status_shows_that_a_run_is_at_work(suite, tmp_path, capsys):
    folder = RunFolder(tmp_path)
    folder.write_suite(suite)
    assert not folder.is_locked()
    assert not (tmp_path / ".lock").exists()
    with folder.locked():
        assert mlplab(["status", str(tmp_path)]) == 0
        assert mlplab(["status", str(tmp_path), "--json"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("; in progress")
    assert json.loads(said[-1])["at_work"]
    assert not folder.is_locked()


def test_a_setting_that_replaces_a_grid_gives_a_warning(suite_file, tmp_path, capsys):
    command = ["run", str(suite_file), "--out", str(tmp_path / "out"), "--dry-run"]
    assert mlplab([*command, "--set", "learning_rate_init=0.1", "--set", "max_iter=1"]) == 0
    assert "--set learning_rate_init=0.1 overrides the values compared in experiment rate." in capsys.readouterr().err
    assert mlplab([*command, "--set", "dropout=0.1"]) == 0
    assert not capsys.readouterr().err


def test_seeds_from_the_command_line(suite_file, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["run", str(suite_file), "--out", str(out), "--set", "max_iter=1", "--samples", "300", "--seeds", "2"]
    assert mlplab(command) == 0
    assert "mean of 2 seeds" in capsys.readouterr().out
    with (out / "results.csv").open(newline="") as file:
        assert [row["seed"] for row in csv.DictReader(file)] == ["0", "1"] * 6


def test_train_predict_and_evaluate_a_users_own_table(table, tmp_path, capsys):
    model = str(tmp_path / "m.safetensors")
    assert mlplab(["train", str(table), "--target", "digit", "--out", model, "--set", "max_iter=30"]) == 0
    said = capsys.readouterr()
    assert "epochs on 270 rows; accuracy " in said.out
    assert "Iteration 30, loss = " in said.err
    loaded = load_model(model)
    assert loaded.classes_.tolist() == [f"d{k}" for k in range(10)]

    assert mlplab(["predict", model, str(table), "--probabilities"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    frame = pandas.read_csv(table)
    features = frame.drop(columns="digit")
    assert [row["prediction"] for row in rows] == loaded.predict(features).tolist()
    shares = np.array([[float(row[f"probability_{label}"]) for label in loaded.classes_] for row in rows])
    np.testing.assert_allclose(shares, loaded.predict_proba(features), atol=1e-5)

    # rows to predict may lack the target, and their columns may stand in any order
    shuffled = tmp_path / "shuffled.csv"
    features[features.columns[::-1]].to_csv(shuffled, index=False)
    assert mlplab(["predict", model, str(shuffled), "--out", str(tmp_path / "p.csv")]) == 0
    assert pandas.read_csv(tmp_path / "p.csv")["prediction"].tolist() == loaded.predict(features).tolist()

    picture = tmp_path / "confusion.png"
    assert mlplab(["evaluate", model, str(table), "--target", "digit", "--figure", str(picture)]) == 0
    text = capsys.readouterr().out
    accuracy = (loaded.predict(features) == frame["digit"]).mean()
    assert text.startswith(f"{table}: accuracy {100 * accuracy:.2f} % on 300 rows, log loss ")
    assert "Confusion matrix" in text
    assert picture.stat().st_size > 5000
    assert mlplab(["evaluate", model, str(table), "--target", "digit", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert np.trace(facts["confusion_matrix"]) == round(accuracy * 300)
    assert facts == json.loads(json.dumps(evaluate(loaded, features, frame["digit"]).to_dict()))


def test_a_model_of_mnist_is_evaluated_on_the_official_test_rows(tmp_path, capsys):
    model = str(tmp_path / "m.safetensors")
    command = ["train", "mnist", "--samples", "1200", "--set", "max_iter=3", "--out", model]
    assert mlplab(command) == 0
    assert mlplab(["evaluate", model, "mnist"]) == 0
    assert re.search(
        r"^official test rows of mnist: accuracy [\d.]+ % on 10,000 rows", capsys.readouterr().out, re.MULTILINE
    )


NOTE = "Note: the model file does not record its training rows; some of these may have been used for training.\n"


def test_only_rows_that_may_have_been_trained_on_get_a_note(tmp_path, capsys, monkeypatch, digits_model):
    monkeypatch.chdir(tmp_path)
    assert mlplab(["evaluate", str(digits_model), "digits"]) == 0
    assert capsys.readouterr().err == NOTE
    for part, rows in (("train", 60), ("t10k", 30)):  # an MNIST-like folder, which has official test rows
        X, y = load_dataset("digits").X[:rows].reshape(rows, 8, 8), load_dataset("digits").y[:rows]
        for kind, array in (("images-idx3", X), ("labels-idx1", y.astype(np.uint8))):
            sizes = b"".join(size.to_bytes(4) for size in array.shape)
            (tmp_path / f"{part}-{kind}-ubyte").write_bytes(bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes())
    assert mlplab(["evaluate", str(digits_model), "."]) == 0
    said = capsys.readouterr()
    assert said.out.startswith("official test rows of .: accuracy ")
    assert "on 30 rows" in said.out
    assert not said.err


def test_status_shows_that_a_search_is_finished(tmp_path, capsys):
    settings = [part for setting in ("max_iter=3", "batch_size=100") for part in ("--set", setting)]
    options = ["--epochs", "12", "--finalists", "1", "--seeds", "1", "--samples", "300", "--out", str(tmp_path / "out")]
    search = ["search", "digits", *settings, *options, "--space", "hidden_layer_sizes=[4, 8]", "--jobs", "1"]
    assert mlplab(search) == 0
    folder = RunFolder(tmp_path / "out")
    capsys.readouterr()
    assert mlplab(["status", str(folder.path)]) == 0
    summary, tried, finalists = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"search-digits: \d+ trials: \d+ done, \d+ stopped early; finished", summary)
    assert re.fullmatch(r"  search +\d+ tried  .*", tried)
    assert re.fullmatch(r"  finalists +1 of 1  .*", finalists)
    assert mlplab(["status", str(folder.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["finished"]
    content = json.loads(folder.search_file.read_text())
    del content["sha256"]
    content |= {"finalists": [], "chosen_for": ""}  # as it is before the finalists are chosen
    folder.search_file.write_text(json.dumps({**content, "sha256": hash_json(content)}))
    assert mlplab(["status", str(folder.path)]) == 0
    assert re.search(r" paused; not finished\n", capsys.readouterr().out)


@pytest.fixture(scope="module")
def digits_model(tmp_path_factory):
    """A network for digits, saved by the command."""
    path = tmp_path_factory.mktemp("model") / "digits.safetensors"
    settings = [part for setting in ("max_iter=1", "activation=gelu") for part in ("--set", setting)]
    assert mlplab(["train", "digits", "--out", str(path), *settings]) == 0
    return path


@pytest.mark.parametrize("suffix", ["onnx", "json", "safetensors"])
def test_a_model_is_exported_in_the_format_of_its_file_extension(digits_model, tmp_path, capsys, suffix):
    out = tmp_path / f"network.{suffix}"
    assert mlplab(["export", str(digits_model), str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: 64 features, 10 outputs (softmax)\n"
    reading = {
        "onnx": lambda: onnxruntime.InferenceSession(str(out)).get_outputs()[0].shape[1],
        "json": lambda: len(json.loads(out.read_text())["classes"]),
        "safetensors": lambda: len(load_file(out)["2.bias"]),
    }
    assert reading[suffix]() == 10


def test_unknown_export_formats_and_the_model_as_out_are_refused(digits_model, tmp_path, capsys):
    before = digits_model.read_bytes()
    assert mlplab(["export", str(digits_model), str(tmp_path / "network.pt")]) == 2
    assert "OUT must end with '.onnx', '.json' or '.safetensors'" in capsys.readouterr().err
    assert mlplab(["export", str(digits_model), str(digits_model)]) == 2
    assert "OUT must not be MODEL" in capsys.readouterr().err
    assert digits_model.read_bytes() == before


@pytest.mark.parametrize("columns", [1, 2])
def test_values_are_predicted(columns, tmp_path, capsys):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)).astype(np.float32)
    regressor = NeuralNetworkRegressor((5,), max_iter=2, tol=None).fit(X, X[:, 0] if columns == 1 else X[:, :2])
    save_model(regressor, tmp_path / "m.safetensors")
    np.save(tmp_path / "rows.npy", X)
    assert mlplab(["predict", str(tmp_path / "m.safetensors"), str(tmp_path / "rows.npy")]) == 0
    frame = pandas.read_csv(io.StringIO(capsys.readouterr().out))
    assert list(frame) == (["prediction"] if columns == 1 else ["prediction_0", "prediction_1"])
    np.testing.assert_allclose(frame.to_numpy().reshape(regressor.predict(X).shape), regressor.predict(X), rtol=1e-6)
    for command in (["predict", "--probabilities"], ["evaluate"]):
        assert mlplab([*command, str(tmp_path / "m.safetensors"), str(tmp_path / "rows.npy")]) == 2
        assert "is a regressor" in capsys.readouterr().err


def test_lists(capsys):
    assert mlplab(["suites"]) == 0
    assert re.search(r"exercise6: .*\n  width +4 trials", capsys.readouterr().out)
    assert mlplab(["suites", "--json"]) == 0
    names = {s["name"] for s in json.loads(capsys.readouterr().out)}
    assert names == {"exercise6", "exercise6-raw", "parts", "mnist-best", "mnist-search"}
    assert mlplab(["data"]) == 0
    assert "mnist: 70,000" in capsys.readouterr().out
    assert mlplab(["data", "digits"]) == 0
    assert "digits: 1,797 rows, 64 features" in capsys.readouterr().out
    assert mlplab(["data", "digits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["classes"]["0"] == 178


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rum"], "unknown command 'rum' (did you mean 'run'?)"),
        (["run", "exercise7"], "did you mean 'exercise6'?"),
        (["run", "exercise6", "--set", "max_itr=3"], "unknown setting 'max_itr' (did you mean 'max_iter'?)"),
        (["run", "exercise6", "--set", "max_iter=0"], "max_iter must be a whole number of at least 1; got 0"),
        (["run", "exercise6", "--set", "max_iter"], "write KEY=VALUE"),
        (["run", "exercise6", "--jobs", "0"], "--jobs must be a whole number of at least 1; got 0"),
        (["run", "missing.toml"], "missing.toml: no such suite or file; the built-in suites are "),
        (["run", "TABLE"], "not valid TOML"),
        (["run", "exercise6", "--samples", "3"], "no training row has the class 2, which is among the validation rows"),
        (["run", "exercise6", "--samples", "two"], "'two' is not a valid integer"),
        (["run", "exercise6", "--set", "random_state=1"], "random_state cannot be set in a suite: use `seeds`"),
        (["run", "exercise6", "--jobs", "2", "--scheduler", "a:1"], "--jobs cannot be combined with --scheduler"),
        (["run", "exercise6", "--checkpoint-seconds", "-1"], "-1.0 is not in the range x>=0"),
        (["run", "exercise6", "--out", "TABLE"], "cannot be used as a run folder"),
        (["search", "exercise6"], "exercise6 has no [search] table; use `mlplab run`"),
        (["search", "digits", "--epochs", "0"], "epochs must be a whole number of at least 1; got 0"),
        (["search", "digits", "--minutes", "-1"], "minutes must be a number above 0; got -1.0"),
        (["search", "digits", "--sampler", "tpee"], "sampler must be 'tpe' or 'random'; got 'tpee' (did you mean"),
        (["search", "digits", "--pruning", "median"], "pruning must be 'halving', 'hyperband' or 'none'"),
        (
            ["search", "digits", "--space", "droput=[0.1]"],
            "--space: unknown setting 'droput' (did you mean 'dropout'?)",
        ),
        (["search", "digits", "--space", "dropout=[2]"], "--space: dropout must be a number of at least 0 and below 1"),
        (["search", "digits", "--finalists", "0"], "finalists must be a whole number of at least 1; got 0"),
        (["compare", "nowhere"], "nowhere is not a run folder"),
        (["compare", "nowhere", "--confidence", "2"], "2.0 is not in the range 0.5<=x<1"),
        (["data", "digits", "--target", "y"], "the built-in data set 'digits' has its own target"),
        (["train", "digits", "--samples", "4"], "samples=4 is too small"),
        (["train", "digits", "--out", "model.pt"], "--out must end with '.safetensors'; got model.pt"),
        (["predict", "nowhere.safetensors", "TABLE", "--out", "p.txt"], "--out must end with '.csv'; got p.txt"),
        (["evaluate", "nowhere.safetensors", "digits", "--figure", "f.gif"], "--figure must end with '.png', '.svg'"),
        (["export", "nowhere.safetensors", "network.pt"], "OUT must end with '.onnx', '.json' or '.safetensors'"),
        (["predict", "nowhere.safetensors"], "Missing argument 'DATA'"),
        (["run", "exercise6", "--samples", "-5"], "--samples must be a whole number of at least 1; got -5"),
        (
            ["run", "exercise6", "--samples", "99999999", "--dry-run"],
            "samples must be at most 60,000, the rows outside the test set",
        ),
        (["run", "exercise6", "--seeds", "0"], "--seeds must be a whole number of at least 1"),
        (["run", "exercise6", "--smaples", "5"], "--smaples"),
        (["status", "nowhere"], "nowhere is not a run folder"),
        (["report", "nowhere"], "nowhere is not a run folder"),
        (["data", "minst"], "did you mean 'mnist'?"),
        (["data", "nowhere.csv"], "nowhere.csv: no such file"),
        (["train", "TABLE"], "a target column is required; the columns are pixel0"),
        (["train", "TABLE", "--target", "digits"], "no column 'digits' (did you mean 'digit'?)"),
        (["train", "TABLE", "--target", "digit", "--seed", "-1"], "--seed must be a whole number of at least 0"),
        (["train", "TABLE", "--target", "digit", "--set", "solver=adan"], "(did you mean 'adam'?)"),
        (["train", "digits", "--set", "learning_rate_init=1e30", "--set", "solver=sgd"], "stopped being finite"),
        (["predict", "TABLE", "TABLE"], "is damaged, truncated or not a .safetensors file"),
        (["evaluate", "nowhere.safetensors", "digits"], "nowhere.safetensors: no such file"),
    ],
)
def test_wrong_input_gives_one_line_on_stderr_and_exit_code_2(arguments, message, table, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.iterdir())
    assert mlplab([str(table) if a == "TABLE" else a for a in arguments]) == 2
    said = capsys.readouterr()
    line = [text for text in said.err.splitlines() if not text.startswith("Iteration")]
    assert len(line) == 1
    assert line[0].startswith("mlplab: ")
    assert message in line[0]
    assert set(tmp_path.iterdir()) == before


def test_a_model_refuses_rows_of_another_width(table, tmp_path, capsys):
    model = str(tmp_path / "m.safetensors")
    assert mlplab(["train", "digits", "--set", "max_iter=1", "--out", model]) == 0
    np.savez(tmp_path / "narrow.npz", X=np.zeros((5, 3)), y=np.arange(5))
    capsys.readouterr()
    assert mlplab(["evaluate", model, str(tmp_path / "narrow.npz")]) == 2
    assert "rows have 3 features, but the model expects 64" in capsys.readouterr().err


def test_a_terminal_that_lacks_a_letter_gets_another(finished, tmp_path):
    out = shutil.copytree(finished.folder.path, tmp_path / "out")
    suite = tmp_path / "suite.toml"
    suite.write_text(finished.folder.suite_file.read_text().replace('"Width"', '"λ"'), encoding="utf-8")
    command = [sys.executable, "-m", "mlplab", "run", str(suite), "--out", str(out)]
    (out / "conclusion.md").unlink()
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert b"## ?" in done.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from mlplab.cli import run; run(['--help']); "
        "print([name for name in ('numpy', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.splitlines()[-1] == "[]"
    for command in ("run", "status", "report", "suites", "data", "train", "predict", "evaluate"):
        assert f"\n  {command} " in done.stdout


def test_the_module_is_the_command():
    done = subprocess.run([sys.executable, "-m", "mlplab", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("mlplab, version ")


def test_help_keeps_the_lines_of_its_examples(capsys):
    assert mlplab(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "\\b" not in shown
    assert "\n    mlplab train table.csv --target COLUMN\n" in shown
    assert mlplab(["search", "--help"]) == 0
    assert "\\b" not in capsys.readouterr().out


def test_report_restores_text_and_figures_but_no_damage(finished, tmp_path, capsys):
    out = shutil.copytree(finished.folder.path, tmp_path / "out")
    (out / "conclusion.md").write_text("changed")
    chosen = out / "chosen_predictions.npz"
    content = chosen.read_bytes()
    chosen.write_bytes(content[:-1])
    assert mlplab(["report", str(out)]) == 2
    assert "chosen_predictions.npz has been modified or damaged; run the suite again" in capsys.readouterr().err
    assert (out / ".seals.json").exists()
    assert (out / "conclusion.md").read_text() == "changed"
    chosen.write_bytes(content)
    assert mlplab(["report", str(out)]) == 0
    assert (out / "conclusion.md").read_text() == finished.folder.conclusion_md.read_text()
    assert (out / "figures" / "all-trials.png").exists()
    assert (out / ".seals.json").exists()


def test_report_without_its_data_changes_nothing(tmp_path, capsys):
    out = shutil.copytree(Path(__file__).parents[1] / "data" / "earlier" / "table", tmp_path / "out")
    suite_file = out / "suite.toml"
    suite_file.write_text(suite_file.read_text().replace("table.csv", "gone.npz"))
    (out / ".seals.json").unlink()
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert mlplab(["report", str(out)]) == 2
    assert "gone.npz" in capsys.readouterr().err
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != ".lock"}
    assert after == before


def test_report_of_an_unfinished_run_says_so(tmp_path, capsys):
    out = shutil.copytree(Path(__file__).parents[1] / "data" / "earlier" / "killed", tmp_path / "out")
    assert mlplab(["report", str(out)]) == 0
    assert "The run is not finished: there is no conclusion to write yet." in capsys.readouterr().err
