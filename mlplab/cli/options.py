"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

folder_argument = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
target_option = click.option("--target", help="The target column of a table, or the labels' file.")
