import pytest

from mlplab import load_suite
from mlplab.errors import SettingError
from mlplab.lab.search.samplers import settings_of
from mlplab.lab.spec.space import Range, read_dimension

HEAD = 'name = "s"\ndataset = "digits"\nsettings.max_iter = 9\n[search]\nepochs = 100\n'


def load(tmp_path, text):
    file = tmp_path / "s.toml"
    file.write_text(text)
    return load_suite(file)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", "search: space must be a table of settings, for example space.dropout"),
        ("space.droput = [0.1]", "unknown setting 'droput' .did you mean 'dropout'"),
        ("space.dropout = 0.1", "dropout must be a list of values or a range, for example"),
        ("space.dropout = []", "dropout must be a list of values or a range, for example"),
        ("space.dropout = [0.1, 1.5]", "dropout must be .* got 1.5"),
        ("space.dropout = [0.1, 0.1]", "dropout must have distinct values"),
        ("space.dropout = {low = 0.0, high = 1.5}", "dropout must be .* got 1.5"),
        ("space.dropout = {low = 0.5, high = 0.1}", "low < high"),
        ("space.dropout = {low = 0.0, high = 0.5, log = true}", "above 0 if log = true"),
        ("space.dropout = {low = 0.0, hihg = 0.5}", "unknown key 'hihg' .did you mean 'high'"),
        ("space.max_iter = [5, 10]", "max_iter cannot be searched; set it in .settings."),
        ("space.random_state = [1]", "random_state cannot be set in a suite"),
        ("space.hidden_layer_sizes = {depth = [2, 1], width = [8, 16]}", "depth = .1, 3., width = .32, 1024."),
        ("space.hidden_layer_sizes = {depth = [1, 2], width = [0, 16]}", "whole numbers in increasing order"),
        ("space.solver = ['adam', 'lbfgs']", "cannot be paused; use pruning"),
        ("sampler = 'tpee'\nspace.dropout = [0.1]", "sampler must be 'tpe' or 'random'.*did you mean 'tpe'"),
        ("pruning = 'median'\nspace.dropout = [0.1]", "pruning must be 'halving', 'hyperband' or 'none'"),
        ("reduction_factor = 1\nspace.dropout = [0.1]", "reduction_factor must be at least 2"),
        ("finalists = 0\nspace.dropout = [0.1]", "finalists must be a whole number of at least 1"),
        ("minutes = -1\nspace.dropout = [0.1]", "minutes must be a number above 0"),
        ("seed = -1\nspace.dropout = [0.1]", "seed must be a whole number of at least 0"),
        ("minutes = true\nspace.dropout = [0.1]", "minutes must be a number above 0; got True"),
        ("epoch = 1\nspace.dropout = [0.1]", "unknown key 'epoch'"),
    ],
)
def test_an_error_names_the_file_and_the_search_table(tmp_path, lines, message):
    with pytest.raises(SettingError, match=message) as error:
        load(tmp_path, HEAD + lines)
    assert "s.toml: search: " in str(error.value)


def test_a_budget_is_needed(tmp_path):
    with pytest.raises(SettingError, match="a budget is required: epochs = 500, or minutes = 10"):
        load(tmp_path, HEAD.replace("epochs = 100", "") + "space.dropout = [0.1]")


def test_a_suite_has_experiments_or_a_search(tmp_path):
    text = HEAD + 'space.dropout = [0.1, 0.2]\n[[experiment]]\nname = "a"\ngrid.dropout = [0.1]'
    with pytest.raises(SettingError, match=r"either at least one \[\[experiment\]\] or a \[search\] is required"):
        load(tmp_path, text)


def test_a_search_is_written_and_read_again_as_it_was(tmp_path):
    suite = load(
        tmp_path,
        HEAD
        + "minutes = 2.5\nsampler = 'random'\nspace.hidden_layer_sizes = {depth = [0, 2], width = [4, 64]}\n"
        + "space.normalization = ['none', 'batch']\nspace.batch_size = {low = 16, high = 64, log = true}\n"
        + "space.learning_rate_init = {low = 0.001, high = 0.1, log = true}",
    )
    again = load(tmp_path, suite.to_toml())
    assert again == suite
    assert list(again.search.space) == list(suite.search.space)
    assert suite.search.space["batch_size"] == Range(16, 64, log=True, whole=True)


def test_a_setting_that_is_given_leaves_the_space(tmp_path):
    suite = load(tmp_path, HEAD + "space.dropout = [0.1, 0.2]\nspace.alpha = [0.0, 0.1]")
    assert list(suite.with_setting("dropout", 0.3).search.space) == ["alpha"]
    with pytest.raises(SettingError, match="the space is empty"):
        suite.with_setting("dropout", 0.3).with_setting("alpha", 0.0)


def test_layers_of_one_width_are_as_many_as_the_depth():
    layers = read_dimension("hidden_layer_sizes", {"depth": [0, 2], "width": [4, 64]}, "")
    for depth, expected in ((0, ()), (1, (7,)), (2, (7, 7))):
        chosen = {"hidden_layer_sizes.depth": depth, "hidden_layer_sizes.width": 7}
        assert settings_of(chosen, {"hidden_layer_sizes": layers}) == {"hidden_layer_sizes": expected}


def test_numbers_are_rounded_to_three_digits_within_the_range():
    numbers = Range(0.00123456, 0.1, log=True)
    assert numbers.round(0.01234567) == 0.0123
    assert numbers.round(0.001234567) == 0.00123456
    assert Range(1, 2000, whole=True).round(1999) == 1999
