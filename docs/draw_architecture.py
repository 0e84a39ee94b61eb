"""Draw the packages and their imports for docs/architecture.md, from the source: `make picture`.

Boxes are the packages and modules directly inside a package; their texts are the first lines of their docstrings. An
arrow is an import, at the top of a file or inside a function. An import that follows from a chain of others has no
arrow of its own (transitive reduction).

The layout is a small Sugiyama layout: rows by the longest chain of imports, places in a row chosen so that few arrows
cross, then coordinates that keep arrows short. Source: Sugiyama, Tagawa and Toda 1981. The colours are opaque and
readable on white and on black, because a picture in a repository's browser cannot follow the theme of the page.
"""

from __future__ import annotations

import ast
import colorsys
import random
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from graphlib import TopologicalSorter
from html import escape
from itertools import combinations, pairwise
from pathlib import Path
from statistics import fmean

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
#: The pictures, each with the package that it shows.
PICTURES = {"architecture.svg": "mlplab", "architecture-lab.svg": "mlplab.lab"}

#: From a box to the boxes that it imports, or has an arrow to.
Graph = Mapping[str, set[str]]
#: A place in a row: a box, or the arrow from one box to another on its way through the row.
Node = tuple[str, ...]
Link = tuple[Node, Node]

# Pixels.
_BOX, _LANE, _GAP, _MARGIN = 176, 8, 18, 8
_ROW_GAP, _PORTS = 44, 24
_TITLE, _LINE, _PADDING = 20, 16, 10
_LETTERS = 25  # in a line of a box
_STARTS = 60  # orders from which few crossings are looked for

_STYLE = """\
text { font-family: -apple-system, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; fill: #fff; }
.name { font-size: 16px; font-weight: 600; }
.text { font-size: 12.5px; fill-opacity: 0.9; }
.arrow { fill: none; stroke: #7d8590; stroke-width: 1.6; }
.head { fill: #7d8590; }"""


def read_boxes(package: str) -> dict[str, str]:
    """Return the packages and modules directly inside a package, each with the first line of its docstring."""
    boxes = {}
    for path in sorted(_folder(package).iterdir()):
        file = path / "__init__.py" if path.is_dir() else path
        if file.suffix == ".py" and file.is_file() and not path.name.startswith("__"):
            text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            boxes[path.stem] = text.split("\n")[0].removesuffix(".").replace("`", "")
    return boxes


def read_imports(package: str) -> dict[str, set[str]]:
    """Return for each box of a package those that it imports."""
    boxes = read_boxes(package)
    imports: dict[str, set[str]] = {box: set() for box in boxes}
    for file in _folder(package).rglob("*.py"):
        box = file.relative_to(_folder(package)).parts[0].removesuffix(".py")
        if box in boxes:
            names = {name.removeprefix(f"{package}.").split(".")[0] for name in _imported(file)}
            imports[box] |= names.intersection(boxes) - {box}
    return imports


def _imported(file: Path) -> Iterable[str]:
    """Yield what a file imports, by its whole name."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _folder(package: str) -> Path:
    return ROOT.joinpath(*package.split("."))


def reduced(imports: Graph) -> dict[str, set[str]]:
    """Return the graph without the imports that follow from chains of others.

    Raises:
        graphlib.CycleError: for boxes that import one another.
    """
    below: dict[str, set[str]] = {}
    for box in TopologicalSorter(imports).static_order():
        below[box] = imports[box].union(*(below[other] for other in imports[box]))
    return {box: {b for b in mine if not any(b in below[other] for other in mine)} for box, mine in imports.items()}


def rows_of(arrows: Graph) -> dict[str, int]:
    """Return for each box its row, 0 at the bottom: above all that it imports, and close to what imports it."""
    row: dict[str, int] = {}
    order = list(TopologicalSorter(arrows).static_order())
    for box in order:
        row[box] = max((row[other] + 1 for other in arrows[box]), default=0)
    for box in reversed(order):
        importers = [row[other] for other in arrows if box in arrows[other]]
        if len(importers) >= len(arrows[box]) and importers:  # moving up makes no arrow longer, in sum
            row[box] = min(importers) - 1
    return row


def _place(arrows: Graph) -> tuple[list[list[Node]], dict[Node, float], dict[tuple[str, str], list[Node]]]:
    """Return the rows from the top, the centre of each node, and the nodes on the way of each arrow."""
    row = rows_of(arrows)
    routes = {
        (box, other): [(box,), *((box, other, str(k)) for k in range(row[box] - 1, row[other], -1)), (other,)]
        for box in arrows
        for other in sorted(arrows[box])
    }
    links = [link for route in routes.values() for link in pairwise(route)]
    rows: list[list[Node]] = [[] for _ in range(max(row.values()) + 1)]
    for box, k in row.items():
        rows[-1 - k].append((box,))
    for route in routes.values():
        for node in route[1:-1]:
            rows[-1 - int(node[2])].append(node)
    starts = []
    for k in range(_STARTS):
        ordered = _order([sorted(nodes) for nodes in rows], links, random.Random(k))  # noqa: S311 - no secret
        if ordered not in starts:
            starts.append(ordered)
    fewest = min(_crossings(ordered, links) for ordered in starts)
    found = [(o, _coordinates(o, links)) for o in starts if _crossings(o, links) == fewest]
    rows, x = min(found, key=lambda pair: sum(abs(pair[1][a] - pair[1][b]) for a, b in links))
    return rows, x, routes


def _order(rows: list[list[Node]], links: Sequence[Link], rng: random.Random) -> list[list[Node]]:
    """Return the rows in an order with few crossings: means of neighbours, then exchanges of two side by side."""
    neighbours = _neighbours(links)
    above, below = _neighbours(links, upwards=True), _neighbours(links, downwards=True)
    place: dict[Node, float] = {}

    def arrange(nodes: list[Node]) -> None:
        place.update({node: k / len(nodes) for k, node in enumerate(nodes)})

    def crossings(left: Node, right: Node) -> int:
        """Return how often the links of two nodes of a row cross, the one being left of the other."""
        return sum(place[a] > place[b] for side in (above, below) for a in side[left] for b in side[right])

    for nodes in rows:
        rng.shuffle(nodes)
        arrange(nodes)
    for sweep in range(12):
        for nodes in rows if sweep % 2 else reversed(rows):
            nodes.sort(key=lambda node: fmean([place[other] for other in neighbours[node]] or [place[node]]))
            arrange(nodes)
    improved = True
    while improved:
        improved = False
        for nodes in rows:
            for k, (left, right) in enumerate(pairwise(tuple(nodes))):
                if (left, right) == (nodes[k], nodes[k + 1]) and crossings(right, left) < crossings(left, right):
                    nodes[k : k + 2] = right, left
                    arrange(nodes)
                    improved = True
    return rows


def _crossings(rows: Sequence[Sequence[Node]], links: Sequence[Link]) -> int:
    """Return how many pairs of links cross."""
    level = {node: k for k, nodes in enumerate(rows) for node in nodes}
    place = {node: k for nodes in rows for k, node in enumerate(nodes)}
    return sum(
        level[a] == level[c] and (place[a] - place[c]) * (place[b] - place[d]) < 0
        for (a, b), (c, d) in combinations(links, 2)
    )


def _coordinates(rows: Sequence[Sequence[Node]], links: Sequence[Link]) -> dict[Node, float]:
    """Return the centre of each node: near the mean of its neighbours, none overlapping, the order kept.

    Long arrows are kept straight: a link counts forty times where both of its ends are on the way of one.
    """
    weights = {link: 40.0 if len(link[0]) == len(link[1]) == 3 else 1.0 for link in links}
    neighbours = _neighbours(links)
    x = {node: 0.0 for nodes in rows for node in nodes}
    for sweep in range(200):
        for nodes in rows if sweep % 2 else reversed(rows):
            offsets, wanted, total = [], [], 0.0
            for k, node in enumerate(nodes):
                total += (_width(nodes[k - 1]) + _width(node)) / 2 + _GAP if k else 0
                offsets.append(total)
                pulls = [(weights.get((node, b)) or weights[b, node], x[b]) for b in neighbours[node]]
                weight = sum(w for w, _ in pulls)
                mean = sum(w * at for w, at in pulls) / weight if pulls else x[node]
                wanted.append((weight or 1.0, mean - total))
            found = _increasing(wanted)
            x.update({node: at + offset for node, at, offset in zip(nodes, found, offsets, strict=True)})
    left = min(x[node] - _width(node) / 2 for nodes in rows for node in nodes)
    return {node: round(at - left + _MARGIN) for node, at in x.items()}


def _increasing(values: Sequence[tuple[float, float]]) -> list[float]:
    """Return the numbers that never fall and are nearest to those given with their weights.

    Neighbours that would fall get their weighted mean (pool adjacent violators).
    """
    blocks: list[tuple[float, float, int]] = []  # weight, mean, how many
    for weight, value in values:
        blocks.append((weight, value, 1))
        while len(blocks) > 1 and blocks[-2][1] > blocks[-1][1]:
            (v, a, m), (w, b, n) = blocks[-2:]
            blocks[-2:] = [(v + w, (v * a + w * b) / (v + w), m + n)]
    return [mean for _, mean, count in blocks for _ in range(count)]


def _neighbours(
    links: Sequence[Link], *, upwards: bool = False, downwards: bool = False
) -> defaultdict[Node, list[Node]]:
    """Return what each node is linked to, in the row above, in the row below, or (neither is asked for) in both."""
    found: defaultdict[Node, list[Node]] = defaultdict(list)
    for a, b in links:
        if not upwards:
            found[a].append(b)
        if not downwards:
            found[b].append(a)
    return found


def _width(node: Node) -> int:
    return _BOX if len(node) == 1 else _LANE


def draw(package: str) -> str:
    """Return the picture of a package as SVG."""
    texts = {box: textwrap.wrap(text, _LETTERS) for box, text in read_boxes(package).items()}
    rows, x, routes = _place(reduced(read_imports(package)))
    heights = [2 * _PADDING + _TITLE + _LINE * max(len(texts.get(n[0], ())) for n in nodes) for nodes in rows]
    tops = [_MARGIN + sum(heights[:k]) + _ROW_GAP * k for k in range(len(rows))]
    span = {node: (top, top + h) for nodes, top, h in zip(rows, tops, heights, strict=True) for node in nodes}
    width = max(x[node] + _width(node) / 2 for node in x) + _MARGIN
    height = tops[-1] + heights[-1] + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" width="{width:g}" height="{height}" '
        f'role="img" aria-label="The packages of {package} and their imports">',
        f"<style>\n{_STYLE}\n</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<path class="head" d="M0 0 8 4 0 8z"/></marker></defs>',
        *_draw_arrows(routes, x, span),
        *(
            _draw_box(package, node[0], texts[node[0]], x[node], span[node], _colour(k / max(1, len(rows) - 1)))
            for k, nodes in enumerate(rows)
            for node in nodes
            if len(node) == 1
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _draw_arrows(
    routes: Mapping[tuple[str, str], Sequence[Node]], x: Mapping[Node, float], span: Mapping[Node, tuple[int, int]]
) -> Iterable[str]:
    leaving = _ports({arrow: (route[0], x[route[1]]) for arrow, route in routes.items()})
    arriving = _ports({arrow: (route[-1], x[route[-2]]) for arrow, route in routes.items()})
    for arrow, route in routes.items():
        at, y = x[route[0]] + leaving[arrow], span[route[0]][1]
        path = f"M{at:g} {y}"
        for node in route[1:]:
            at_next, (top, bottom) = x[node] + (arriving[arrow] if node == route[-1] else 0), span[node]
            middle = (y + top) / 2
            path += f"C{at:g} {middle:g} {at_next:g} {middle:g} {at_next:g} {top}"
            at, y = at_next, bottom
            if node != route[-1]:
                path += f"V{bottom}"
        yield f'<path class="arrow" marker-end="url(#head)" data-from="{arrow[0]}" data-to="{arrow[1]}" d="{path}"/>'


def _ports(ends: Mapping[tuple[str, str], tuple[Node, float]]) -> dict[tuple[str, str], float]:
    """Return how far from the middle of its box each arrow ends: side by side, in the order of their other ends."""
    found = {}
    for box in {box for box, _ in ends.values()}:
        mine = sorted((other, arrow) for arrow, (end, other) in ends.items() if end == box)
        step = min(_PORTS, (_BOX - 2 * _PORTS) / len(mine))
        found.update({arrow: step * (k - (len(mine) - 1) / 2) for k, (_, arrow) in enumerate(mine)})
    return found


def _draw_box(package: str, name: str, lines: Sequence[str], middle: float, span: tuple[int, int], colour: str) -> str:
    top, bottom = span
    left = middle - _BOX / 2
    title = f"{name}/" if (_folder(package) / name).is_dir() else f"{name}.py"
    text = "".join(
        f'<text class="text" x="{left + 12:g}" y="{top + _PADDING + _TITLE + _LINE * k + 11}">{escape(line)}</text>'
        for k, line in enumerate(lines)
    )
    return (
        f'<g data-box="{name}"><rect x="{left:g}" y="{top}" width="{_BOX}" height="{bottom - top}" rx="8" '
        f'fill="{colour}"/><text class="name" x="{left + 12:g}" y="{top + _PADDING + 14}">{title}</text>{text}</g>'
    )


def _colour(depth: float) -> str:
    """Return the colour of a row: from violet at the top, 0, to green at the bottom, 1."""
    rgb = colorsys.hls_to_rgb((262 - 92 * depth) / 360, 0.40 - 0.12 * depth, 0.40)
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb)


if __name__ == "__main__":
    for file, package in PICTURES.items():
        (IMAGES / file).write_text(draw(package), encoding="utf-8")
