"""The examples of the documentation run, and its links lead somewhere."""

import contextlib
import importlib
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import grimp
import pytest

import mlplab
from docs.draw_architecture import IMAGES, PICTURES
from mlplab.nn.activations import ACTIVATIONS
from mlplab.nn.initializers import INITIALIZERS
from mlplab.nn.losses import LOSSES
from mlplab.nn.optimizers import OPTIMIZERS

ROOT = Path(__file__).parent.parent
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
EXAMPLES = [
    pytest.param(code, id=f"{page.name}-{k}")
    for page in PAGES
    for k, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL))
]


@pytest.mark.parametrize("code", EXAMPLES)
def test_an_example_runs_and_prints_its_stated_output(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(code, {})
    for expected in re.findall(r"^# ?> (.*)$", code, re.MULTILINE):
        assert expected in output.getvalue().splitlines()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_part_has_its_line_in_the_docs():
    text = (ROOT / "docs" / "parts.md").read_text(encoding="utf-8")
    for name in [*ACTIVATIONS, *INITIALIZERS, *LOSSES, *OPTIMIZERS]:
        assert f"`{name}`" in text, name


@pytest.mark.parametrize("name", sorted(set(mlplab.__all__) - {"__version__"}))
def test_every_public_name_is_in_the_reference(name):
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "api").glob("*.md"))
    assert re.search(rf":: mlplab\.{name}$", pages, re.MULTILINE)


def test_every_page_is_in_the_sidebar():
    listed = (ROOT / "docs" / "conf.py").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("**/*.md"):
        name = page.relative_to(ROOT).with_suffix("").as_posix()
        assert f'"/{name}"' in listed or name.startswith("docs/decisions/0"), name


@pytest.mark.parametrize(("file", "package"), PICTURES.items())
def test_the_picture_shows_the_imports(file, package):
    packages, imports = _import_graph(package)
    arrows = {tuple(title.split("->")) for title in _texts(file, "edge")}
    assert set(_texts(file, "node")) == packages, "the boxes differ from the packages: run `make picture`"
    assert arrows <= imports, "an arrow shows no import: run `make picture`"
    assert _closure(arrows) == _closure(imports), "an import is not shown: run `make picture`"
    for arrow in arrows:
        assert arrow not in _closure(arrows - {arrow}), "an arrow follows from others: run `make picture`"


@pytest.mark.parametrize(("file", "package"), PICTURES.items())
def test_the_boxes_contain_the_first_docstring_lines(file, package):
    for name, text in _texts(file, "node").items():
        module = importlib.import_module(f"{package}.{name}")
        summary = module.__doc__.split("\n")[0].removesuffix(".").replace("`", "")
        assert text == f"{name} {summary}", f"a box differs from the docstring of {name}: run `make picture`"


def _texts(file, kind):
    """Return the texts of the boxes (kind "node") or arrows ("edge") in a picture by Graphviz, by their titles."""
    svg = "{http://www.w3.org/2000/svg}"
    groups = ElementTree.parse(IMAGES / file).iterfind(f".//{svg}g[@class='{kind}']")
    return {group.findtext(f"{svg}title"): " ".join(e.text for e in group.iter(f"{svg}text")) for group in groups}


def _import_graph(package):
    """Return the packages directly inside a package and which imports which, as import-linter sees them."""
    graph = grimp.build_graph("mlplab", cache_dir=None)
    inside = {name: name.removeprefix(f"{package}.").split(".")[0] for name in graph.find_descendants(package)}
    packages = {name for name in inside.values() if not name.startswith("__")}
    pairs = {
        (inside[module], inside[other])
        for module in inside
        for other in graph.find_modules_directly_imported_by(module)
        if other in inside
    }
    return packages, {(one, other) for one, other in pairs if one != other and {one, other} <= packages}


def _closure(pairs):
    found = set(pairs)
    while more := {(a, d) for a, b in found for c, d in found if b == c} - found:
        found |= more
    return found


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_the_files_that_a_page_names_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:[\w.-]+/)+(?:[\w-]+\.\w+)?|[\w-]+\.(?:pyi?|toml))`", text)
    assert len(named) > 20
    assert [path for path in named if not (ROOT / path).exists() and not (ROOT / "mlplab" / path).exists()] == []


def test_the_table_of_the_architecture_covers_every_package():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = text.split("## Where to look")[1].split("\n## ")[0]
    for file in (ROOT / "mlplab").glob("**/__init__.py"):
        package = file.parent.relative_to(ROOT / "mlplab").as_posix()
        assert package == "." or f"`{package}/" in table, package


def test_contributing_names_what_is_in_the_files():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    missing = []
    for row in re.findall(r"^\| .*`mlplab/.*$", text, re.MULTILINE):
        places = [ROOT / path for path in re.findall(r"`(mlplab/[^`]*(?:/|\.py))`", row)]
        files = [file for place in places for file in ([place] if place.is_file() else place.glob("*.py"))]
        source = "".join(file.read_text(encoding="utf-8") for file in files)
        names = re.findall(r"`([A-Z]\w+)`", row)
        missing += [name for name in names if not re.search(rf"\b{name}\b", source)]
    assert missing == []


def test_a_suite_in_the_readme_is_one_that_loads(tmp_path):
    from mlplab import load_suite

    suite = re.search(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "table.csv").write_text("a,label\n1,x\n2,y\n")
    (tmp_path / "my-suite.toml").write_text(suite[1])
    assert len(load_suite(tmp_path / "my-suite.toml").cells()) == 3 * (3 + 4)
