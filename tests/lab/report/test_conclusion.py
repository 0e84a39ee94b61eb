"""The words of a conclusion, in one snapshot: whoever changes them changes `conclusion.md` beside this file too."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from mlplab.lab.analysis.findings import Conclusion
from mlplab.lab.report.conclusion import describe_conclusion
from mlplab.lab.report.document import Paragraph
from mlplab.lab.report.markdown import to_markdown
from mlplab.lab.report.terminal import print_document

STORED = Path(__file__).parents[2] / "data" / "earlier" / "finished" / "conclusion.json"


@pytest.fixture(scope="module")
def conclusion():
    return Conclusion.from_json(json.loads(STORED.read_text()))


@pytest.fixture(scope="module")
def document(conclusion):
    return describe_conclusion(conclusion)


def test_the_text_of_a_stored_conclusion(document):
    assert to_markdown(document) == Path(__file__).with_name("conclusion.md").read_text()


def test_a_terminal_shows_the_same_words_without_marks(document):
    shown = io.StringIO()
    print_document(document, Console(file=shown, width=400))

    def words(text):
        return re.findall(r"[\w%/]+", re.sub(r"^\|[ |:-]+$", "", text, flags=re.MULTILINE))

    assert words(shown.getvalue()) == words(to_markdown(document))
    assert "**" not in shown.getvalue()


def test_sentences_carry_the_numbers_behind_their_text(document, conclusion):
    first = next(block for block in document if isinstance(block, Paragraph)).sentences[0]
    best = conclusion.best
    assert {best.value, best.val_loss, float(best.parameters), *best.interval} <= set(first.numbers)
