"""A report as data: typed sentences and tables, which are rendered as Markdown or on a terminal.

A sentence is made from a template with named facts, ``sentence("{name} has {count} parameters.", name=code("[4-3]"),
count=number(1234))``, so that a renderer can format the numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from string import Formatter


class Emphasis(StrEnum):
    """The emphasis of a span."""

    NONE = "none"
    STRONG = "strong"
    CODE = "code"


@dataclass(frozen=True)
class Span:
    """A piece of a sentence.

    Attributes:
        text: the text to display.
        emphasis: its emphasis.
        value: the number that the text represents, or None.
    """

    text: str
    emphasis: Emphasis = Emphasis.NONE
    value: float | None = None


@dataclass(frozen=True)
class Sentence:
    """One or more sentences that belong together."""

    spans: tuple[Span, ...]

    def __str__(self) -> str:
        return "".join(span.text for span in self.spans)

    @property
    def numbers(self) -> list[float]:
        """The values of its spans, in order, without None."""
        return [span.value for span in self.spans if span.value is not None]


@dataclass(frozen=True)
class Heading:
    """A heading; 1 is the highest level."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """Sentences, one after another."""

    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Bullets:
    """A list with one item for each sentence."""

    items: tuple[Sentence, ...]


@dataclass(frozen=True)
class Table:
    """A table. The first column is aligned left, the others are aligned right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Bullets | Table
Document = Sequence[Block]
#: The value of a field of a template.
Fact = str | int | Span | Sentence


def sentence(template: str, /, **facts: Fact) -> Sentence:
    """Return a sentence: the template with each field in braces replaced by its fact.

    An int is formatted by `number`; a sentence keeps its spans.
    """
    spans: list[Span] = []
    for text, name, _, _ in Formatter().parse(template):
        spans += [Span(text)] if text else []
        spans += _spans(facts[name]) if name else []
    return Sentence(tuple(span for span in spans if span.text))


def strong(template: str | Sentence, /, **facts: Fact) -> Sentence:
    """Return a `sentence` in which all spans except code are emphasized."""
    plain = sentence(template, **facts) if isinstance(template, str) else template
    return Sentence(
        tuple(
            span if span.emphasis == Emphasis.CODE else replace(span, emphasis=Emphasis.STRONG) for span in plain.spans
        )
    )


def code(text: str) -> Span:
    """Return a span of code, such as a label, an option or a file name."""
    return Span(text, Emphasis.CODE)


def number(value: float, text: str | None = None) -> Span:
    """Return a span for a number; without a text, it is displayed with thousands separators."""
    return Span(f"{value:,}" if text is None else text, value=float(value))


def join(sentences: Iterable[Sentence], separator: str = " ") -> Sentence:
    """Return the sentences joined into one."""
    spans: list[Span] = []
    for k, one in enumerate(sentences):
        spans += [Span(separator)] if k else []
        spans += one.spans
    return Sentence(tuple(spans))


def paragraph(*sentences: Sentence) -> Paragraph:
    """Return a paragraph of these sentences."""
    return Paragraph(sentences)


def bullets(items: Iterable[Sentence]) -> Bullets:
    """Return a list of these items."""
    return Bullets(tuple(items))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table."""
    return Table(tuple(header), tuple(tuple(row) for row in rows))


def _spans(fact: Fact) -> list[Span]:
    if isinstance(fact, Sentence):
        return list(fact.spans)
    return [fact if isinstance(fact, Span) else number(fact) if isinstance(fact, int) else Span(fact)]
