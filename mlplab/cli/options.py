"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

folder_argument = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
target_option = click.option("--target", metavar="COLUMN", help="Target column of a table, or file with the labels.")
samples_option = click.option(
    "--samples", type=int, metavar="N", help="Number of rows for training and validation together.  [default: all]"
)
