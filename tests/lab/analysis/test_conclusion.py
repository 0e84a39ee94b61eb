import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t

from mlplab import load_dataset, load_model
from mlplab.data import split_rows
from mlplab.data.datasets import Source
from mlplab.lab import compare_configurations
from mlplab.lab.analysis.conclusion import average_validation_curve, read_conclusion
from mlplab.lab.analysis.contrasts import Contrast, mean_of_contrasts
from mlplab.lab.analysis.depths import compare_depths
from mlplab.lab.analysis.effects import _effect, _interaction, _trend
from mlplab.lab.analysis.findings import Exploration, ValidationCurve
from mlplab.lab.analysis.ranking import ValidationValues
from mlplab.lab.report.conclusion import describe_conclusion
from mlplab.lab.report.experiments import describe_search
from mlplab.lab.report.markdown import inline, to_markdown
from mlplab.lab.report.wording import Wording
from mlplab.lab.spec.trial import Trial
from mlplab.lab.storage.results_csv import ResultRow
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.metrics import METRICS
from mlplab.stats.variance_components import mean_difference
from mlplab.training.history import Epoch, History
from mlplab.utils.text import percent
from tests.small_suite import result_of, run_suite


@pytest.fixture
def conclusion(finished):
    return read_conclusion(finished.folder)


WORDING = Wording(METRICS["accuracy"])


def str_of(paragraph):
    return " ".join(map(inline, paragraph.sentences))


def correct_of(run, trial):
    found = run.folder.read_predictions(trial)
    return found.true == found.predicted


def text_of(conclusion):
    return to_markdown(describe_conclusion(conclusion))


def reading(values):
    """Row values by the names of trials."""
    return ValidationValues(METRICS["accuracy"], lambda name: (None, np.asarray(values(name))))


def test_the_best_is_the_most_accurate_then_the_smallest_network(finished, conclusion):
    ranked = sorted(finished.rows, key=lambda r: (-r.result.val_accuracy, r.result.parameters, r.result.val_loss))
    assert conclusion.best.trial == ranked[0].trial.id
    assert conclusion.best.value == ranked[0].result.val_accuracy
    accuracies = [rival.value for rival, _ in conclusion.comparison.rivals]
    assert accuracies == sorted(accuracies, reverse=True)


def test_the_winners_test_accuracy_has_a_wilson_interval(finished, conclusion):
    dataset = load_dataset("digits")
    test = split_rows(dataset, "random").test
    model = load_model(finished.folder.trial(conclusion.winner.test.trial) / "model.safetensors")
    right = int((model.predict(dataset.X[test]) == dataset.y[test]).sum())
    assert (conclusion.winner.test.right, conclusion.winner.test.rows) == (right, len(test))
    # Wilson 1927, written out
    n, p, z = len(test), right / len(test), 1.959963984540054
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    expected = [(centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)]
    assert conclusion.winner.test.interval == pytest.approx(
        expected, abs=5e-4
    )  # whose variance is that of a known share
    assert conclusion.winner.test.seeds == 1
    assert conclusion.winner.test.spread is None


def test_the_test_accuracy_is_the_mean_over_the_winners_seeds(suite, tmp_path):
    run = run_suite(replace(suite, seeds=3), tmp_path / "out", jobs=2)
    conclusion = read_conclusion(run.folder)
    chosen = next(row.trial.configuration for row in run.rows if row.trial.id == conclusion.best.trial)
    trials = sorted({row.trial.seed: row.trial.id for row in run.rows if row.trial.configuration == chosen}.items())
    dataset = load_dataset("digits")
    test = split_rows(dataset, "random").test
    models = [load_model(run.folder.trial(trial) / "model.safetensors") for _, trial in trials]
    correct = np.array([model.predict(dataset.X[test]) == dataset.y[test] for model in models])
    assert (conclusion.winner.test.trial, conclusion.winner.test.seeds) == (trials[0][1], 3)
    assert conclusion.winner.test.right == correct[0].sum()
    assert conclusion.winner.test.value == pytest.approx(correct.mean())
    assert conclusion.winner.test.spread == pytest.approx(correct.mean(axis=1).std(ddof=1))
    assert conclusion.winner.test.interval == pytest.approx(compare_configurations(correct[None], ["it"]).intervals[0])
    text = run.folder.conclusion_md.read_text()
    assert f"its 3 networks got **{percent(correct.mean())}** of {len(test):,} right on average" in text
    more = run_suite(replace(suite, seeds=4), tmp_path / "out", jobs=2)
    again = read_conclusion(more.folder)
    assert [test.seeds for test in again.test_evaluations] == [3, 4]  # what was opened is not forgotten


def test_the_best_is_compared_with_all_others_at_once(finished, conclusion):
    trials = [conclusion.best.trial, *(rival.trial for rival, _ in conclusion.comparison.rivals)]
    correct = np.array([[correct_of(finished, trial)] for trial in trials])
    parameters = [conclusion.best.parameters, *(rival.parameters for rival, _ in conclusion.comparison.rivals)]
    expected = compare_configurations(correct, trials, parameters=parameters)
    assert list(conclusion.comparison.tied) == expected.tied
    assert conclusion.comparison.smallest.trial == expected.smallest
    assert conclusion.comparison.seeds_needed == expected.seeds_needed
    for k, (rival, difference) in enumerate(conclusion.comparison.rivals, start=1):
        assert difference.value == pytest.approx(expected.behind[k])
        assert difference.margin == pytest.approx(expected.margins[k])
        assert rival.interval == pytest.approx(expected.intervals[k])
        assert rival.chance == pytest.approx(expected.probability_best[k])


def test_with_one_seed_a_difference_is_mcnemars():
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 500)) < 0.8
    difference = mean_of_contrasts([Contrast(0, {"a": 1, "b": -1})], reading(lambda name: {"a": a, "b": b}[name]))
    n10, n01, n = int((a & ~b).sum()), int((~a & b).sum()), len(a)
    assert difference.value == pytest.approx((n10 - n01) / n)
    # with the answer more that differs, of Agresti and Min 2005
    variance = (n10 + n01 + 1 - (n10 - n01) ** 2 / n) / (n - 1)
    assert difference.margin == pytest.approx(t.isf(0.025, n - 1) * math.sqrt(variance / n))


def test_a_contrast_of_one_row_is_not_clear():
    assert not mean_of_contrasts([Contrast(0, {"a": 1, "b": -1})], reading(lambda name: np.array([name == "a"]))).clear


def test_contrasts_are_averaged_per_seed_then_crossed_with_rows():
    rng = np.random.default_rng(0)
    answers = {name: rng.random(500) < 0.8 for name in "abcd"}
    of_one = mean_of_contrasts(
        [Contrast(0, {"a": 1, "b": -1}), Contrast(0, {"c": 1, "d": -1})], reading(lambda name: answers[name])
    )
    d = (answers["a"].astype(float) - answers["b"] + answers["c"] - answers["d"]) / 2
    assert of_one.value == pytest.approx(d.mean())
    assert of_one.margin == pytest.approx(t.isf(0.025, 499) * math.sqrt((d.var(ddof=1) + 1 / 499) / 500))
    of_two = mean_of_contrasts(
        [Contrast(0, {"a": 1, "b": -1}), Contrast(1, {"c": 1, "d": -1})], reading(lambda name: answers[name])
    )
    both = np.stack([answers["a"].astype(float) - answers["b"], answers["c"].astype(float) - answers["d"]])
    mean, margin = mean_difference(both)
    assert (of_two.value, of_two.margin) == (pytest.approx(mean), pytest.approx(margin))


def test_only_steps_of_a_trend_that_are_clear_alone_are_counted(suite):
    experiment = replace(suite.experiments[1], grid={"alpha": (0.1, 0.2, 0.3)})
    rng, answers, found = np.random.default_rng(0), {}, []
    for alpha, share in ((0.1, 0.9), (0.2, 0.7), (0.3, 0.699)):
        trial = Trial({"alpha": alpha}, 0, "", "random", None)
        answers[trial.id] = rng.permutation(1000) < 1000 * share
        found.append(ResultRow(experiment, trial, "", result_of(trial, val_accuracy=share)))
    effect = _effect("alpha", experiment, found, reading(lambda trial: answers[trial]))
    assert (effect.trend, effect.clear_steps) == ("falls", 1)
    assert effect.difference.value == pytest.approx(0.201)


def test_an_effect_averages_over_configurations_crossed_with_it(suite):
    experiment = replace(suite.experiments[1], grid={"alpha": (0.1, 0.2)})
    rng, answers, found = np.random.default_rng(0), {}, []
    for dropout, shares in ((0.0, (0.9, 0.5)), (0.5, (0.6, 0.61))):
        for alpha, share in zip((0.1, 0.2), shares, strict=True):
            trial = Trial({"alpha": alpha, "dropout": dropout}, 0, "", "random", None)
            answers[trial.id] = rng.permutation(1000) < 1000 * share
            found.append(ResultRow(experiment, trial, "", result_of(trial, val_accuracy=share)))
    effect = _effect("alpha", experiment, found, reading(lambda trial: answers[trial]))
    assert [(value, pytest.approx(mean)) for value, mean in effect.values] == [("0.1", 0.75), ("0.2", 0.555)]
    assert effect.difference.value == pytest.approx(0.195)


def test_depths_differ_by_the_row_wise_mean_of_configurations():
    rng, suite_rows, answers = np.random.default_rng(0), [], {}
    for widths in ((8,), (4,), (8, 8)):
        for seed in range(2):
            trial = Trial({"hidden_layer_sizes": widths}, seed, "", "random", None)
            answers[trial.id] = rng.random(400) < 0.5 + 0.1 * len(widths)
            result = result_of(trial, val_accuracy=float(answers[trial.id].mean()))
            suite_rows.append(ResultRow(None, trial, "", result))
    (depths,) = compare_depths(suite_rows, [], reading(lambda trial: answers[trial]))
    a, b, c = np.array(list(answers.values()), float).reshape(3, 2, 400)
    mean, margin = mean_difference(c - (a + b) / 2)
    assert depths.best == 2
    assert (depths.difference.value, depths.difference.margin) == pytest.approx((mean, margin))


def test_only_a_clear_interaction_is_reported(suite):
    experiment = replace(suite.experiments[1], grid={"alpha": (0.1, 0.2), "learning_rate_init": (1.0, 2.0)})
    rng, rows = np.random.default_rng(0), 2000
    shares = {(0.1, 1.0): 0.9, (0.1, 2.0): 0.7, (0.2, 1.0): 0.7, (0.2, 2.0): 0.9}
    answers = {}

    def make(shares):
        found = []
        for seed in range(5):
            for (alpha, rate), share in shares.items():
                settings = {"alpha": alpha, "learning_rate_init": rate}
                trial = Trial(settings, seed, "", "random", None)
                answers[trial.id] = rng.random(rows) < share
                result = result_of(trial, val_accuracy=float(answers[trial.id].mean()))
                found.append(ResultRow(experiment, trial, "", result))
        return found

    def correct(trial):
        return answers[trial]

    # how much the rate matters depends on alpha, but that another one is the best is not shown
    found = make({**shares, (0.2, 1.0): 0.8, (0.2, 2.0): 0.803})
    assert _interaction("learning_rate_init", "alpha", experiment, found, reading(correct)) is None
    found = make(shares)
    told = _interaction("learning_rate_init", "alpha", experiment, found, reading(correct))
    assert told.best == (("0.1", "1"), ("0.2", "2"))
    assert told.difference.value == pytest.approx(0.4, abs=0.03)
    flat = [replace(row, result=replace(row.result, val_accuracy=0.8 + 0.01 * k)) for k, row in enumerate(found)]
    for key in answers:
        answers[key] = rng.random(rows) < 0.8
    assert _interaction("learning_rate_init", "alpha", experiment, flat, reading(correct)) is None


def test_seeds_are_in_every_claim(suite, tmp_path):
    run = run_suite(replace(suite, seeds=3), tmp_path / "out", jobs=2)
    conclusion = read_conclusion(run.folder)
    splits = {run.folder.read_predictions(row.trial.id).rows.tobytes() for row in run.rows}
    assert len(splits) == 1  # the same rows for all
    assert conclusion.best.seeds == 3
    text = run.folder.conclusion_md.read_text()
    assert "mean of 3 seeds, which scatter by" in text
    assert "scatter of seeds (points)" in text
    assert "the same 3 seeds" in text
    by_name = {c.trial: c.interval for c in (conclusion.best, *(rival for rival, _ in conclusion.comparison.rivals))}
    for low, high in by_name.values():
        assert f"{100 * low:.2f} to {100 * high:.2f}" in text
    for experiment in conclusion.experiments:
        assert all(c.interval == by_name[c.trial] for c in experiment.configurations)


def test_an_effect_averages_over_the_other_settings_of_the_grid(finished, conclusion):
    effect = next(e for e in conclusion.experiments[1].effects if e.setting == "learning_rate_init")
    rows = [row for row in finished.rows if row.experiment.name == "rate"]
    for value, mean in effect.values:
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
    (comparison,) = read_conclusion(run.folder).depths
    accuracy = {(r.trial["hidden_layer_sizes"], r.trial["alpha"]): r.result.val_accuracy for r in run.rows}
    one = (accuracy[(8,), 0.1] + accuracy[(4,), 0.1]) / 2
    assert comparison.others == "alpha 0.1"
    assert comparison.means == ((0, accuracy[(), 0.1], 1), (1, pytest.approx(one), 2), (2, accuracy[(8, 4), 0.1], 1))
    assert f"1 hidden layer {percent(one)} (2)" in run.folder.conclusion_md.read_text()


def test_the_text_shows_the_facts_and_the_limit_of_one_seed(finished, conclusion):
    text = finished.folder.conclusion_md.read_text()
    assert percent(conclusion.best.value) in text
    assert percent(conclusion.winner.test.value) in text
    assert "one seed cannot carry much" in text
    for experiment in finished.suite.experiments:
        assert f"### {experiment.title}" in text


def test_every_table_of_the_text_is_rectangular(finished):
    parts = finished.folder.conclusion_md.read_text().split("\n\n")
    tables = [part.splitlines() for part in parts if part.startswith("|")]
    assert len(tables) == 3
    for lines in tables:
        assert len({line.count("|") for line in lines}) == 1


def test_the_text_lists_the_50_best_and_counts_the_others(conclusion, finished):
    many = tuple(replace(conclusion.best, name=f"number {k}") for k in range(1060))
    answer = replace(conclusion.experiments[0], configurations=many)
    text = text_of(replace(conclusion, experiments=(answer,)))
    assert [line.split()[2] for line in text.splitlines() if line.startswith("| number")] == list(map(str, range(50)))
    assert "And 1,010 more: see `results.csv`." in text
    assert "more: see" not in finished.folder.conclusion_md.read_text()


def test_a_test_evaluation_is_recorded_before_it_is_reported(suite, tmp_path, monkeypatch):
    small, large = (suite.with_setting("hidden_layer_sizes", (width,)) for width in (1, 32))

    class Killed(Exception):
        pass

    def die(conclusion):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("mlplab.lab.report.writing.describe_conclusion", die)
        with pytest.raises(Killed):
            run_suite(small, tmp_path, jobs=1)
    run_suite(large, tmp_path, jobs=1)
    assert len(read_conclusion(RunFolder(tmp_path)).test_evaluations) == 2


def _history(*val_losses):
    return History([Epoch(k + 1, 0.1, 1.0, val_loss=loss, val_accuracy=0.9) for k, loss in enumerate(val_losses)])


def test_training_the_best_too_long_or_too_short_is_reported(finished, conclusion):
    # the small suite's four epochs are too few
    losses = finished.folder.read_history(conclusion.best.trial)["val_loss"]
    assert losses == sorted(losses, reverse=True)
    assert conclusion.winner.validation_curve == ValidationCurve(
        epochs=4, best_epoch=4, lowest=losses[-1], last=losses[-1]
    )
    assert "validation loss was lowest at the end of its 4 epochs: more" in finished.folder.conclusion_md.read_text()

    overfitted = average_validation_curve([_history(0.5, 0.2, 0.3, 0.4), _history(0.5, 0.3, 0.1, 0.6)])
    assert overfitted == ValidationCurve(epochs=4, best_epoch=3, lowest=0.2, last=0.5)
    text = text_of(replace(conclusion, winner=replace(conclusion.winner, validation_curve=overfitted)))
    assert "lowest after 3 of its 4 epochs, 0.2000 nats, and has risen to 0.5000 since: **it overfits**" in text
    steady = text_of(
        replace(
            conclusion,
            winner=replace(conclusion.winner, validation_curve=average_validation_curve([_history(0.5, 0.2, 0.201)])),
        )
    )
    assert "lowest after 2 of its 3 epochs, 0.2000 nats, and has hardly changed since." in steady
    # early stopping ends each where it is best
    assert average_validation_curve([_history(0.5, 0.4), _history(0.5, 0.4, 0.3)]) is None
    assert average_validation_curve([]) is None


def test_the_smallest_tied_one_is_shown_even_if_not_a_rival(conclusion):
    best, (rival, difference) = conclusion.best, conclusion.comparison.rivals[0]
    small = replace(rival, trial="another", name="the small one", parameters=1, value=best.value - 0.015)
    tied = (best.trial, rival.trial, small.trial)
    text = text_of(
        replace(
            conclusion,
            comparison=replace(conclusion.comparison, rivals=((rival, difference),), tied=tied, smallest=small),
        )
    )
    assert "The smallest of them is the small one: 1 parameters" in text
    assert "1.50 points behind: not shown to be worse" in text


def test_few_validation_rows_give_a_caution(conclusion):
    few = text_of(replace(conclusion, validation_rows=29))
    assert "All was measured on 29 validation rows, and so few cannot show much**: one row more is 3.4 points" in few
    assert "so few cannot show much" not in text_of(replace(conclusion, validation_rows=5000))


def test_what_is_to_be_known_of_the_data_is_in_the_conclusion(suite, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 3
    y[0] = 7
    table = pd.DataFrame({"small": y + rng.normal(0, 0.1, 120), "large": rng.normal(0, 1e4, 120), "kind": y})
    table.to_csv(tmp_path / "table.csv", index=False)
    source = Source(str(tmp_path / "table.csv"), "kind")
    run = run_suite(replace(suite, source=source, experiments=suite.experiments[:1]), tmp_path / "out", jobs=1)
    text = run.folder.conclusion_md.read_text()
    assert "- Of the data: the features of table.csv differ in scale by a factor of" in text
    assert "- Of the data: 1 of the 4 classes of table.csv has fewer than 3 rows" in text
    assert len(read_conclusion(run.folder).cautions) == 2


def test_a_search_without_a_complete_training_is_reported():
    tried = Exploration(tried=54, epochs=378, reached=((7, 54),), whole=200, configurations=())
    told = str_of(next(describe_search(tried, WORDING)))
    assert "All were trained for 7 epochs, none for more." in told
    assert "No configuration came to the end of a training, 200 epochs" in told
    whole = str_of(next(describe_search(replace(tried, reached=((200, 2), (7, 52))), WORDING)))
    assert "they stand where they were left: 52 after 7, 2 after 200 epochs" in whole
    assert "budget" not in whole
