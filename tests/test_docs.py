"""The examples of the documentation run, and its links lead somewhere."""

import contextlib
import io
import re
from pathlib import Path

import pytest

import mlplab
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
def test_an_example_runs_and_prints_what_it_says(code, tmp_path, monkeypatch):
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


def test_the_architecture_names_every_module():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for module in (ROOT / "mlplab").rglob("*.py"):
        if not module.name.startswith("__"):
            assert re.search(rf"\b{module.stem}\b", text), module


def test_a_suite_in_the_readme_is_one_that_loads(tmp_path):
    from mlplab import load_suite

    suite = re.search(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "table.csv").write_text("a,label\n1,x\n2,y\n")
    (tmp_path / "my-suite.toml").write_text(suite[1])
    assert len(load_suite(tmp_path / "my-suite.toml").cells()) == 3 * (3 + 4)
