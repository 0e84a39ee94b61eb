"""Rendering of a document on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from mlplab.lab.report.document import Block, Bullets, Document, Emphasis, Heading, Paragraph, Sentence, Table

_STYLES = {Emphasis.NONE: "", Emphasis.STRONG: "bold", Emphasis.CODE: "cyan"}


def print_document(document: Document, console: Console) -> None:
    """Print a document, with lines wrapped to the width of the console."""
    for block in document:
        _print_block(block, console)
        console.print()


def _print_block(block: Block, console: Console) -> None:
    if isinstance(block, Heading):
        console.print(Text(block.text, style="bold underline" if block.level == 1 else "bold"))
    elif isinstance(block, Paragraph):
        console.print(Text(" ").join(map(_inline, block.sentences)))
    elif isinstance(block, Bullets):
        for item in block.items:
            console.print(Padding(Text("• ").append_text(_inline(item)), (0, 0, 0, 2)))
    else:
        console.print(_grid(block))


def _inline(sentence: Sentence) -> Text:
    return Text.assemble(*((span.text, _STYLES[span.emphasis]) for span in sentence.spans))


def _grid(table: Table) -> Grid:
    grid = Grid(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for k, name in enumerate(table.header):
        grid.add_column(name, justify="left" if k == 0 else "right", overflow="fold")
    for row in table.rows:
        grid.add_row(*map(Text, row))
    return grid
