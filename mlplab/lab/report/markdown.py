"""Rendering of a document as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from mlplab.lab.report.document import Block, Bullets, Document, Emphasis, Heading, Paragraph, Sentence, Table

_MARKS = {Emphasis.NONE: "", Emphasis.STRONG: "**", Emphasis.CODE: "`"}


def to_markdown(document: Document) -> str:
    """Return a document as the text of a Markdown file."""
    return "\n\n".join(map(_block, document)) + "\n"


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Paragraph):
        return " ".join(map(inline, block.sentences))
    if isinstance(block, Bullets):
        return "\n".join(f"- {inline(item)}" for item in block.items)
    assert isinstance(block, Table)
    return _table(block.header, block.rows)


def inline(sentence: Sentence) -> str:
    """Return a sentence as Markdown. Neighbouring spans with the same emphasis share one pair of marks."""
    parts = []
    for emphasis, spans in groupby(sentence.spans, key=lambda span: span.emphasis):
        mark = _MARKS[emphasis]
        parts.append(mark + "".join(span.text for span in spans) + mark)
    return "".join(parts)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[k]) for row in [header, *rows]) for k in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        padded = [c.ljust(w) if k == 0 else c.rjust(w) for k, (c, w) in enumerate(zip(cells, widths, strict=True))]
        return f"| {' | '.join(padded)} |"

    rule = [("-" * w if k == 0 else "-" * (w - 1) + ":") for k, w in enumerate(widths)]
    return "\n".join([line(header), line(rule), *(line(row) for row in rows)])
