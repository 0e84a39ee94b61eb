"""Draw the packages of mlplab and their imports for docs/architecture.md: `make picture`. Requires Graphviz.

Boxes are the packages and modules directly inside a package, with the first lines of their docstrings. Their colours
follow the layers in `pyproject.toml`; they are opaque, because a picture in a repository's browser cannot follow the
theme of the page. Arrows are imports. An import that follows from a chain of others has no arrow of its own.
"""

import ast
import re
import shutil
import subprocess
import sys
import textwrap
import tomllib
from html import escape
from pathlib import Path

import grimp

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
#: The pictures, each with the package that it shows.
PICTURES = {"architecture.svg": "mlplab", "architecture-lab.svg": "mlplab.lab"}

_LETTERS = 30  # at most, in a line of a box
# From the top layer to the bottom one: equally light, 5:1 to the white text and 3:1 to a black page.
_COLOURS = [
    "#825b8a", "#775f93", "#6b639a", "#5d679d", "#4e6c9d", "#3e719a", "#2d7593",
    "#1e788a", "#167a7f", "#1e7c72", "#2e7c64", "#3f7a56", "#517848",
]  # fmt: skip
_STYLE = """
graph [bgcolor=transparent, margin=0.05, nodesep=0.22, ranksep=0.52]
node [shape=box, style="rounded,filled", penwidth=0, fixedsize=true, width=2.6, height=1.14,
      fontname="Helvetica,Arial,sans-serif", fontsize=12.5, fontcolor=white]
edge [color="#8b949e", penwidth=1.5, arrowsize=0.7]
"""


def draw(package: str) -> str:
    """Return the picture of a package as SVG."""
    text = write_dot(package)
    for command in (["tred"], ["dot", "-Tsvg"]):  # transitive reduction, then layout
        text = subprocess.run(command, input=text, capture_output=True, check=True, encoding="utf-8").stdout
    svg = text[text.index("<svg") :]  # the lines before name the version of Graphviz
    return re.sub(r'<svg width="(\d+)pt" height="(\d+)pt"', r'<svg width="\1" height="\2"', svg)


def write_dot(package: str) -> str:
    """Return the graph of a package in Graphviz's language."""
    lines = [f'digraph "{package}" {{', _STYLE]
    layers = read_layers(package)
    for k, layer in enumerate(layers):
        colour = _COLOURS[k * (len(_COLOURS) - 1) // (len(layers) - 1)]
        lines += [f'{name} [fillcolor="{colour}", label={_label(name, read_summary(package, name))}]' for name in layer]
    lines += [f"{name} -> {other}" for name, other in read_imports(package)]
    return "\n".join([*lines, "}"])


def _label(name: str, summary: str) -> str:
    """Return the text of a box: the name above the summary, in as few lines as possible, of similar lengths."""
    wraps = [textwrap.wrap(summary, letters) for letters in range(1, _LETTERS + 1)]
    lines = next(wrap for wrap in wraps if len(wrap) == len(wraps[-1]))
    rows = [f'<b><font point-size="15.5">{name}</font></b>', *map(escape, lines)]
    cells = "".join(f'<tr><td align="left">{row}</td></tr>' for row in rows)
    return f'<<table border="0" cellspacing="0" cellpadding="1" width="172">{cells}</table>>'


def read_layers(package: str) -> list[list[str]]:
    """Return the layers of a package from import-linter's contract, the top layer first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = next(contract["layers"] for contract in contracts if contract.get("containers") == [package])
    return [layer.split(" | ") for layer in layers]


def read_summary(package: str, name: str) -> str:
    """Return the first line of the docstring of a package or module, without its full stop and backquotes."""
    path = ROOT.joinpath(*package.split("."), name)
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.split("\n")[0].removesuffix(".").replace("`", "")


def read_imports(package: str) -> list[tuple[str, str]]:
    """Return the imports between the packages and modules directly inside a package: (importer, imported)."""
    graph = grimp.build_graph("mlplab", cache_dir=None)
    boxes = [f"{package}.{name}" for layer in read_layers(package) for name in layer]
    for box in boxes:
        graph.squash_module(box)
    imports = [(a, b) for a in boxes for b in boxes if a != b and graph.direct_import_exists(importer=a, imported=b)]
    return [(a.split(".")[-1], b.split(".")[-1]) for a, b in imports]


if __name__ == "__main__":
    if not (shutil.which("dot") and shutil.which("tred")):
        sys.exit("make picture needs Graphviz: `apt-get install graphviz`, or see https://graphviz.org/download")
    for file, package in PICTURES.items():
        (IMAGES / file).write_text(draw(package), encoding="utf-8")
