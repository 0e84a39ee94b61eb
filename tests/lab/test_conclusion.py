import json
import math
import shutil
from dataclasses import replace

import numpy as np
import pytest

from mlplab import load_dataset, load_model, run_suite
from mlplab.data import split_rows
from mlplab.lab.conclusion import _difference, _trend, write_conclusion
from mlplab.lab.conclusion_text import to_markdown
from mlplab.lab.store import RunFolder
from mlplab.text import percent


@pytest.fixture
def facts(finished):
    return json.loads(finished.folder.conclusion_json.read_text())


def test_the_best_is_the_highest_validation_accuracy_and_ties_go_to_the_smaller_network(finished, facts):
    ranked = sorted(finished.rows, key=lambda r: (-r.result.val_accuracy, r.result.parameters, r.result.val_loss))
    assert facts["best"]["trial"] == ranked[0].trial.id
    assert facts["best"]["val_accuracy"] == ranked[0].result.val_accuracy
    accuracies = [rival["val_accuracy"] for rival, _ in facts["rivals"]]
    assert accuracies == sorted(accuracies, reverse=True)


def test_the_test_accuracy_is_that_of_the_chosen_network_with_wilsons_interval(finished, facts):
    dataset = load_dataset("digits")
    test = split_rows(dataset, "random").test
    model = load_model(finished.folder.trial(facts["test"]["trial"]) / "model.safetensors")
    right = int((model.predict(dataset.X[test]) == dataset.y[test]).sum())
    assert (facts["test"]["right"], facts["test"]["rows"]) == (right, len(test))
    # Wilson 1927, written out
    n, p, z = len(test), right / len(test), 1.959963984540054
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    expected = [(centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)]
    assert facts["test"]["interval"] == pytest.approx(expected, rel=1e-9)


def test_the_difference_of_the_runner_up_is_paired_over_the_rows(finished, facts):
    rival, difference = facts["rivals"][0]
    a, b = (finished.folder.read_correct(trial)[1] for trial in (facts["best"]["trial"], rival["trial"]))
    # McNemar's table: n10 rows only the best gets right, n01 only the rival
    n10, n01, n = int((a & ~b).sum()), int((~a & b).sum()), len(a)
    assert difference["points"] == pytest.approx(100 * (n10 - n01) / n)
    variance = (n10 + n01 - (n10 - n01) ** 2 / n) / (n - 1)
    assert difference["margin"] == pytest.approx(100 * 1.959964 * math.sqrt(variance / n))


def test_trials_on_other_rows_are_no_pair():
    answers = np.ones(4, bool)
    with pytest.raises(ValueError, match="no pair"):
        _difference([("a", "b")], lambda name: (np.arange(4) + (name == "b"), answers))


def test_one_row_tells_nothing():
    difference = _difference([("a", "b")], lambda name: (np.arange(1), np.array([name == "a"])))
    assert not difference.clear


def test_pairs_on_the_same_rows_are_averaged_row_by_row_and_others_put_behind_one_another():
    rng = np.random.default_rng(0)
    rows = np.arange(500)
    answers = {name: rng.random(500) < 0.8 for name in "abcd"}
    same = _difference([("a", "b"), ("c", "d")], lambda name: (rows, answers[name]))
    d = (answers["a"].astype(float) - answers["b"] + answers["c"] - answers["d"]) / 2
    assert same.points == pytest.approx(100 * d.mean())
    assert same.margin == pytest.approx(196 * d.std(ddof=1) / math.sqrt(500), rel=1e-4)
    other = _difference([("a", "b"), ("c", "d")], lambda name: (rows + 500 * (name > "b"), answers[name]))
    assert other.points == pytest.approx(same.points)
    d = np.concatenate([answers["a"].astype(float) - answers["b"], answers["c"].astype(float) - answers["d"]])
    assert other.margin == pytest.approx(196 * d.std(ddof=1) / math.sqrt(1000), rel=1e-4)


def test_an_effect_is_the_mean_over_everything_the_value_was_combined_with(finished, facts):
    effect = next(e for e in facts["answers"][1]["effects"] if e["setting"] == "learning_rate_init")
    rows = [row for row in finished.rows if row.experiment.name == "rate"]
    for value, mean in effect["values"]:
        mine = [r.result.val_accuracy for r in rows if f"{r.trial['learning_rate_init']:g}" == value]
        assert len(mine) == 2
        assert mean == pytest.approx(np.mean(mine))


@pytest.mark.parametrize(
    ("setting", "means", "expected"),
    [
        ("alpha", {0.1: 0.5, 0.01: 0.4, 1.0: 0.6}, "rises"),
        ("alpha", {0.1: 0.5, 0.01: 0.6, 1.0: 0.4}, "falls"),
        ("alpha", {0.1: 0.7, 0.01: 0.6, 1.0: 0.4}, "mixed"),
        ("hidden_layer_sizes", {(8,): 0.5, (16,): 0.6, (32, 8): 0.7}, "rises"),
        ("hidden_layer_sizes", {(8, 8): 0.5, (16,): 0.6}, None),
        ("activation", {"tanh": 0.5, "relu": 0.6}, None),
        ("shuffle", {True: 0.5, False: 0.6}, None),
    ],
)
def test_trends(setting, means, expected):
    assert _trend(setting, means) == expected


def test_depths_are_compared_where_all_else_is_the_same(tmp_path):
    path = tmp_path / "depth.toml"
    path.write_text(
        'name = "depth"\ndataset = "digits"\nsamples = 300\nsettings.max_iter = 2\n'
        '[[experiment]]\nname = "one"\ngrid.hidden_layer_sizes = [[8], [4]]\ngrid.alpha = [0.1, 0.2]\n'
        '[[experiment]]\nname = "two"\ngrid.hidden_layer_sizes = [[8, 4], []]\nsettings.alpha = 0.1\n'
    )
    run = run_suite(path, tmp_path / "out", jobs=1)
    (comparison,) = json.loads(run.folder.conclusion_json.read_text())["depths"]
    accuracy = {(r.trial["hidden_layer_sizes"], r.trial["alpha"]): r.result.val_accuracy for r in run.rows}
    one = (accuracy[(8,), 0.1] + accuracy[(4,), 0.1]) / 2
    assert comparison["others"] == "alpha 0.1"
    assert comparison["means"] == [[0, accuracy[(), 0.1], 1], [1, pytest.approx(one), 2], [2, accuracy[(8, 4), 0.1], 1]]
    assert f"1 hidden layer {percent(one)} (2)" in run.folder.conclusion_md.read_text()


def test_the_text_says_what_the_facts_say_and_that_one_seed_cannot_carry_much(finished, facts):
    text = finished.folder.conclusion_md.read_text()
    assert percent(facts["best"]["val_accuracy"]) in text
    assert percent(facts["test"]["accuracy"]) in text
    assert "one seed cannot carry much" in text
    for experiment in finished.suite.experiments:
        assert f"### {experiment.title}" in text


def test_every_table_of_the_text_is_rectangular(finished):
    rows = [line for line in finished.folder.conclusion_md.read_text().splitlines() if line.startswith("|")]
    assert rows
    assert len({line.count("|") for line in rows}) == 1


def test_of_more_configurations_than_anybody_reads_the_text_lists_the_best_and_counts_the_others(finished, tmp_path):
    folder = RunFolder(shutil.copytree(finished.folder.path, tmp_path / "copy"))
    conclusion = write_conclusion(folder, finished.suite, finished.rows, pytest.fail)
    many = tuple(replace(conclusion.best, name=f"number {k}") for k in range(1060))
    answer = replace(conclusion.answers[0], configurations=many)
    text = to_markdown(replace(conclusion, answers=(answer,)))
    assert [line.split()[2] for line in text.splitlines() if line.startswith("| number")] == list(map(str, range(50)))
    assert "And 1,010 more: see `results.csv`." in text
    assert "more: see" not in folder.conclusion_md.read_text()
