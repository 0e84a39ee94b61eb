import io
from pathlib import Path

import pytest
from rich.console import Console

from mlplab.lab.execution.schedule import missing_jobs
from mlplab.lab.monitoring.terminal import SuiteDisplay
from mlplab.lab.storage.run_folder import RunFolder
from mlplab.training.history import Epoch
from tests.small_suite import result_of


@pytest.fixture
def jobs(suite):
    return missing_jobs(RunFolder(Path("none")).rows(suite, {}), suite.source.load())


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("seconds", [0.001, 10.0])
def test_every_trial_has_its_line_however_short_it_is(jobs, terminal, seconds):
    text = io.StringIO()
    display = SuiteDisplay(Console(file=text, force_terminal=terminal, width=100))
    trials = [trial for job in jobs for trial in job.trials]
    display.begin(jobs, 0, len(trials), 1000, [1.0] * len(jobs))
    for job in jobs:
        display.epoch(job, Epoch(1, 0.5, 0.5, seconds=seconds))
        for trial in job.trials:
            display.trial(result_of(trial, seconds=seconds))
        display.job_done(job)
    display.end()
    for k, trial in enumerate(trials, start=1):
        assert f"[{k}/{len(trials)}] label of {trial.id}  done" in text.getvalue()


def test_an_interruption_while_printing_repeats_no_line(jobs):
    text = io.StringIO()

    class Interrupted(Console):
        def print(self, *arguments, **options):
            super().print(*arguments, **options)
            raise KeyboardInterrupt

    display = SuiteDisplay(Interrupted(file=text, width=100))
    with pytest.raises(KeyboardInterrupt):
        display.note("once")
    display.end()
    assert text.getvalue() == "once\n"
