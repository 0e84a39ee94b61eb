import re
from contextlib import nullcontext
from dataclasses import replace

import pytest

from mlplab import load_suite
from mlplab.errors import SettingError
from mlplab.lab.spec.suite import built_in_suites
from mlplab.training.settings import parse_assignment


def test_exercise6_holds_the_five_experiments_of_the_notebook():
    suite = load_suite("exercise6")
    cells = suite.cells()
    assert [sum(e == experiment for e, _ in cells) for experiment in suite.experiments] == [4, 4, 8, 8, 8]
    assert [t["hidden_layer_sizes"] for _, t in cells[:4]] == [(1024,), (512,), (256,), (128,)]
    assert {t["max_iter"] for e, t in cells if e.name in ("width", "depth")} == {20}
    assert {t["max_iter"] for e, t in cells if e.name not in ("width", "depth")} == {40}
    assert {t["learning_rate_init"] for e, t in cells if e.name == "learning-rate-2"} == {0.3, 0.01, 0.03, 0.001}
    assert {t["weight_decay"] for e, t in cells if e.name == "regularization"} == {0.01, 0.003, 0.001, 0.0003}
    assert {t["learning_rate_init"] for e, t in cells if e.name == "regularization"} == {0.03}


def test_exercise6_raw_is_exercise6_with_unscaled_pixels():
    scaled, raw = load_suite("exercise6"), load_suite("exercise6-raw")
    assert raw.experiments == scaled.experiments
    assert raw.settings == {**scaled.settings, "input_scale": 1}


def test_experiments_1_and_3_and_2_and_4_share_trainings():
    lineages = [
        {t.lineage for e, t in load_suite("exercise6").cells() if e.name == name}
        for name in ("width", "learning-rate-1", "depth", "learning-rate-2")
    ]
    assert len(lineages[0] & lineages[1]) == 2
    assert len(lineages[2] & lineages[3]) == 2


@pytest.mark.parametrize("name", built_in_suites())
def test_a_resolved_suite_reads_back_as_the_same_trials(name, tmp_path):
    suite = load_suite(name).with_setting("early_stopping", False)
    path = tmp_path / "suite.toml"
    path.write_text(suite.to_toml())
    again = load_suite(path)
    assert [t.id for _, t in again.cells()] == [t.id for _, t in suite.cells()]
    assert again == suite


def test_a_fingerprint_is_kept_and_makes_no_other_suite_of_it(suite, tmp_path):
    path = tmp_path / "suite.toml"
    path.write_text(replace(suite, fingerprint="abc").to_toml())
    assert load_suite(path) == suite
    assert load_suite(path).bind().fingerprint == "abc"
    assert load_suite(path).bind("def").fingerprint == "def"
    assert suite.bind().fingerprint == suite.source.fingerprint()


def test_binding_changes_the_ids_of_trials_and_nothing_else(suite):
    trials, bound = ([trial for _, trial in one.cells()] for one in (suite, suite.bind("abc")))
    assert not {t.id for t in trials} & {t.id for t in bound}
    assert [replace(t, data="abc") for t in trials] == bound
    assert suite.varying() == suite.bind("abc").varying()


def test_a_fixed_setting_collapses_the_grids_that_vary_it(suite):
    fixed = suite.with_setting("hidden_layer_sizes", (8,))
    assert [t["hidden_layer_sizes"] for _, t in fixed.cells()] == [(8,)] * 3


def test_seeds_multiply_the_trials_and_leave_the_configurations(suite_file, tmp_path):
    path = tmp_path / "seeds.toml"
    path.write_text(suite_file.read_text().replace('dataset = "digits"', 'dataset = "digits"\nseeds = 3'))
    cells = load_suite(path).cells()
    assert len(cells) == 18
    assert len({t.id for _, t in cells}) == 18
    assert len({t.configuration for _, t in cells}) == 6


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seeds", "sedes = 2\nseeds", "unknown key 'sedes' (did you mean 'seeds'?)"),
        ('"digits"', '"digitz"', "dataset 'digitz' is not a file or a built-in data set (did you mean 'digits'?)"),
        ("max_iter = 2", "max_itr = 2", "settings: unknown setting 'max_itr' (did you mean 'max_iter'?)"),
        ("max_iter = 2", "max_iter = 0", "settings: max_iter must be a whole number of at least 1; got 0"),
        ("max_iter = 2", "random_state = 2", "random_state cannot be set in a suite: use `seeds`"),
        ("grid.learning_rate_init = [0.05, 0.01]", "grid.learning_rate_init = 1", "experiment 'rate': grid: "),
        (
            "grid.learning_rate_init = [0.05, 0.01]",
            "grid.learning_rate_init = [-1]",
            "a number above 0; got -1",
        ),
        ("grid.learning_rate_init", "gird.learning_rate_init", "unknown key 'gird' (did you mean 'grid'?)"),
        ('name = "rate"', 'name = "width"', "names of experiments must be distinct; got 'width' twice"),
        ('name = "rate"', 'name = "../rate"', "names may contain only letters"),
        ("seeds = 1", "seeds = 0", "seeds must be a whole number of at least 1; got 0"),
        ("seeds = 1", 'split = "exercize6"', "(did you mean 'exercise6'?)"),
        ("seeds = 1", "fingerprint = 3", "fingerprint must be a non-empty string; got 3"),
        ("[settings]", "[settings", "not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_gets_one_line_with_the_place(suite_file, tmp_path, old, new, message):
    text = suite_file.read_text().replace('dataset = "digits"', 'dataset = "digits"\nseeds = 1')
    assert old in text
    path = tmp_path / "wrong.toml"
    path.write_text(text.replace(old, new, 1) if old != 'name = "rate"' else text.replace(old, new))
    with pytest.raises(SettingError, match=re.escape(message)) as caught:
        load_suite(path)
    assert "wrong.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_with_the_mark_that_notepad_writes_is_read(suite_file, suite, tmp_path):
    path = tmp_path / "marked.toml"
    path.write_bytes(b"\xef\xbb\xbf" + suite_file.read_bytes())
    assert load_suite(path) == suite


@pytest.mark.parametrize(("length", "allowed"), [(80, True), (81, False)])
def test_a_name_is_no_longer_than_a_file_system_can_take(suite_file, tmp_path, length, allowed, refuses):
    path = tmp_path / "long.toml"
    path.write_text(suite_file.read_text().replace('"rate"', f'"{"r" * length}"'))
    with nullcontext() if allowed else refuses(SettingError, "at most 80 characters", "got 81"):
        load_suite(path)


def test_a_misspelt_suite_names_the_nearest_one():
    with pytest.raises(SettingError, match="did you mean 'exercise6'"):
        load_suite("exercise66")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max_iter=2", ("max_iter", 2)),
        ("hidden_layer_sizes=[64, 32]", ("hidden_layer_sizes", (64, 32))),
        ("activation=tanh", ("activation", "tanh")),
        ("tol=none", ("tol", None)),
        ("shuffle=False", ("shuffle", False)),
        ("alpha = 1e-3", ("alpha", 1e-3)),
    ],
)
def test_assignments_of_the_command_line(text, expected):
    assert parse_assignment(text) == expected


@pytest.mark.parametrize("text", ["max_iter", "max_itr=3"])
def test_wrong_assignments(text):
    with pytest.raises(SettingError, match="--set"):
        parse_assignment(text)
