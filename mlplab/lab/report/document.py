"""A report as data: typed sentences and tables, which the renderers turn into Markdown or a terminal's text.

A sentence is a template with named facts, ``sentence("{name} has {count} parameters.", name=code("[4-3]"),
count=number(1234))``, so that a page can show each number in its own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from string import Formatter


class Emphasis(StrEnum):
    """How a span is set off from the text around it."""

    NONE = "none"
    STRONG = "strong"
    CODE = "code"


@dataclass(frozen=True)
class Span:
    """A piece of a sentence.

    Attributes:
        text: as it is read. emphasis: how it is set off. value: the number that the text stands for, or None.
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
        """The numbers in it, in order."""
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
    """A list, an item for each sentence."""

    items: tuple[Sentence, ...]


@dataclass(frozen=True)
class Table:
    """A table: its first column is flush left, the others are flush right."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Bullets | Table
Document = Sequence[Block]
#: What a field of a template may be filled with.
Fact = str | int | Span | Sentence


def sentence(template: str, /, **facts: Fact) -> Sentence:
    """Return a sentence: the template, each field in braces replaced by its fact."""
    spans: list[Span] = []
    for text, name, _, _ in Formatter().parse(template):
        spans += [Span(text)] if text else []
        spans += _spans(facts[name]) if name else []
    return Sentence(tuple(span for span in spans if span.text))


def strong(template: str | Sentence, /, **facts: Fact) -> Sentence:
    """Return a sentence that is set off: `sentence` with emphasis on all its spans but code."""
    found = sentence(template, **facts) if isinstance(template, str) else template
    return Sentence(
        tuple(
            span if span.emphasis == Emphasis.CODE else replace(span, emphasis=Emphasis.STRONG) for span in found.spans
        )
    )


def code(text: str) -> Span:
    """Return a span of code: a label, an option, a file."""
    return Span(text, Emphasis.CODE)


def number(value: float, text: str | None = None) -> Span:
    """Return a number as it is read; whole numbers have thousands separators unless a text is given."""
    return Span(f"{value:,}" if text is None else text, value=float(value))


def join(sentences: Iterable[Sentence], separator: str = " ") -> Sentence:
    """Return sentences as one."""
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
