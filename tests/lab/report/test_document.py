import pytest

from mlplab.lab.report.document import (
    Bullets,
    Emphasis,
    Heading,
    Span,
    bullets,
    code,
    join,
    number,
    paragraph,
    sentence,
    strong,
    table,
)
from mlplab.lab.report.markdown import inline, to_markdown


def test_a_template_is_filled_with_typed_facts():
    found = sentence(
        "{name} has {count} parameters, {share}.", name=code("[4-3]"), count=1234, share=number(0.5, "50 %")
    )
    assert str(found) == "[4-3] has 1,234 parameters, 50 %."
    assert found.numbers == [1234, 0.5]
    assert found.spans[0] == Span("[4-3]", Emphasis.CODE)


def test_a_fact_that_is_missing_is_an_error():
    with pytest.raises(KeyError):
        sentence("{name} is missing.")


def test_braces_in_facts_are_no_fields():
    assert str(sentence("{name}", name="{count}")) == "{count}"


def test_emphasis_is_marked_once_around_neighbouring_spans():
    found = sentence("{all}: more.", all=strong("Only {count} rows", count=12))
    assert inline(found) == "**Only 12 rows**: more."
    assert inline(strong("a {b}", b=code("c"))) == "**a **`c`"


def test_sentences_are_joined():
    assert str(join((sentence("One."), sentence("Two.")))) == "One. Two."
    assert str(join((sentence("a"), sentence("b")), ", ")) == "a, b"


def test_every_block_has_its_markdown():
    document = [
        Heading(2, "Title"),
        paragraph(sentence("One."), sentence("Two.")),
        bullets([sentence("first"), sentence("second")]),
        table(["name", "value"], [["a", "1"], ["long", "10"]]),
    ]
    assert to_markdown(document) == (
        "## Title\n\nOne. Two.\n\n- first\n- second\n\n"
        "| name | value |\n| ---- | ----: |\n| a    |     1 |\n| long |    10 |\n"
    )
    assert isinstance(document[2], Bullets)
