"""How Sphinx builds the documentation: `make docs`.

The source is the whole repository: a link from one page to another is the same here and in a repository's browser.
"""

from sphinx.application import Sphinx

from mlplab.version import __version__

project, author = "mlplab", "the mlplab developers"
release = version = __version__

root_doc = "README"
include_patterns = ["*.md", "docs/**.md", "benchmarks/results/*.md"]
exclude_patterns = [".*", "build", "dist", "runs", "tests", "mlplab"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_heading_anchors = 3  # a link to a heading is the same, too
default_role = "code"  # `names` in docstrings
autodoc_typehints = "none"  # docstrings give shapes and units
autodoc_member_order = "bysource"
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"mlplab {release}"
templates_path = ["_templates"]
html_additional_pages = {"index": "index.html"}  # leads to the README

#: The sidebar: under a page, captions and the pages of each. It stands here, lest the README and others show its source
#: where they are read as plain Markdown.
_CONTENTS = {
    "README": {
        "Guides": [
            "/docs/command-line",
            "/docs/coming-from-scikit-learn",
            "/docs/parts",
            "/docs/write-your-own",
            "/docs/evaluation",
            "/docs/export",
            "/docs/lab",
            "/docs/exercise6",
            "/docs/from-the-notebook",
        ],
        "Reference": [
            "/docs/api/estimators",
            "/docs/api/evaluation",
            "/docs/api/files",
            "/docs/api/lab",
            "/docs/api/parts",
            "/docs/api/errors",
        ],
        "How it is built": [
            "/docs/architecture",
            "/docs/speed",
            "/docs/decisions/README",
            "/CONTRIBUTING",
            "/CHANGELOG",
        ],
    },
    "docs/speed": {"Tables": ["/benchmarks/results/*"]},
    "docs/decisions/README": {"Decisions": ["/docs/decisions/0*"]},
}


def _add_contents(app: Sphinx, page: str, source: list[str]) -> None:
    for caption, pages in _CONTENTS.get(page, {}).items():
        listed = "\n".join(pages)
        source[0] += f"\n\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n\n{listed}\n```\n"


def setup(app: Sphinx) -> None:
    """Let the sidebar be added; called by Sphinx."""
    app.connect("source-read", _add_contents)
