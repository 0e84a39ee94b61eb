import json
from dataclasses import replace
from pathlib import Path

import pytest

from mlplab.lab.analysis.conclusion import read_conclusion
from mlplab.lab.analysis.findings import Conclusion, TestEvaluation
from mlplab.lab.analysis.plain import from_plain, to_plain

EARLIER = Path(__file__).parents[2] / "data" / "earlier"


def test_a_conclusion_comes_back_from_its_json(finished):
    held = read_conclusion(finished.folder)
    content = json.loads(json.dumps(held.to_json()))
    assert content["format"] == 2
    assert content["winner"]["configuration"]["val_accuracy"] == held.best.value
    assert content["winner"]["test"]["accuracy"] == held.winner.test.value
    assert Conclusion.from_json(content) == held
    assert Conclusion.from_json({**content, "unknown": 1}) == held


def test_keys_carry_the_name_of_the_metric(finished):
    held = replace(read_conclusion(finished.folder), metric="brier")
    content = held.to_json()
    assert content["winner"]["configuration"]["val_brier"] == held.best.value
    assert Conclusion.from_json(json.loads(json.dumps(content))) == held


@pytest.mark.parametrize("name", ["finished", "table"])
def test_files_of_the_first_format_are_read(name):
    old = json.loads((EARLIER / name / "conclusion.json").read_text())
    found = Conclusion.from_json(old)
    assert found.metric == "accuracy"
    assert found.best.value == old["best"]["val_accuracy"]
    assert found.comparison.tied == tuple(old["tied"])
    rival, difference = found.comparison.rivals[0]
    assert rival.trial == old["rivals"][0][0]["trial"]
    assert 100 * difference.value == pytest.approx(old["rivals"][0][1]["points"])
    assert 100 * difference.margin == pytest.approx(old["rivals"][0][1]["margin"])
    assert found.winner.test.value == old["test"]["accuracy"]
    assert [test.opened for test in found.test_evaluations] == [test["opened"] for test in old["openings"]]
    assert [e.name for e in found.experiments] == [answer["name"] for answer in old["answers"]]


def test_a_later_format_is_refused(finished):
    content = read_conclusion(finished.folder).to_json()
    with pytest.raises(ValueError, match="format 3"):
        Conclusion.from_json({**content, "format": 3})


@pytest.mark.parametrize("damage", [{"interval": [0.5]}, {"right": "many"}, {"rows": None}, {"accuracy": "high"}])
def test_content_that_does_not_fit_is_refused(damage):
    test = TestEvaluation("trial", 9, 10, 0.9, (0.8, 0.95), "2026-11-28")
    assert from_plain(TestEvaluation, to_plain(test, "accuracy"), "accuracy") == test
    with pytest.raises((TypeError, ValueError)):
        from_plain(TestEvaluation, {**to_plain(test, "accuracy"), **damage}, "accuracy")
