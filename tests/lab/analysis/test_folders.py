import shutil

import numpy as np
import pytest

from mlplab.errors import RunFolderError, SettingError
from mlplab.lab import compare_configurations, compare_results
from mlplab.lab.storage.run_folder import RunFolder


def test_the_configurations_of_a_folder_are_compared(finished):
    found = compare_results(finished.folder.path, experiment="rate", margin=0.001)
    rows = [row for row in finished.rows if row.experiment.name == "rate"]
    predictions = [finished.folder.read_predictions(row.trial.id) for row in rows]
    correct = np.array([[found.true == found.predicted] for found in predictions])
    names = [f"{row.trial['hidden_layer_sizes'][0]}, lr {row.trial['learning_rate_init']:g}" for row in rows]
    expected = compare_configurations(correct, names, margin=0.001, parameters=[row.result.parameters for row in rows])
    assert sorted(found.names) == sorted(names)
    assert set(found.tied) == set(expected.tied)
    assert found.smallest == expected.smallest
    for name in names:
        mine, theirs = found.names.index(name), names.index(name)
        assert found.means[mine] == pytest.approx(expected.means[theirs])
        assert found.intervals[mine] == pytest.approx(expected.intervals[theirs])
    assert len(compare_results(finished.folder.path).names) == len({row.trial.configuration for row in finished.rows})


def test_what_cannot_be_compared_is_refused(finished, suite, tmp_path, refuses):
    with refuses(SettingError, "did you mean 'width'"):
        compare_results(finished.folder.path, experiment="widht")
    with refuses(RunFolderError, "not a run folder"):
        compare_results(tmp_path)
    RunFolder(tmp_path / "new").write_suite(suite)
    with refuses(RunFolderError, "nothing to compare"):
        compare_results(tmp_path / "new")


def test_what_cannot_be_compared_is_counted(finished, tmp_path):
    folder = RunFolder(shutil.copytree(finished.folder.path, tmp_path / "copy"))
    shutil.rmtree(folder.trial(finished.rows[-1].trial.id))
    found = compare_results(folder.path, experiment="rate")
    assert (len(found.names), found.left_out) == (3, 1)
    assert "and 1 that cannot be compared with them" in str(found)
    assert "cannot be compared" not in str(compare_results(finished.folder.path))
