"""The command line: `mlplab run`, `search`, `train` and the other commands."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from io import TextIOWrapper

import click

from mlplab.cli import catalogue_commands, doctor_command, folder_commands, model_commands, run_commands
from mlplab.errors import MlplabError, nearest
from mlplab.version import __version__


class _Group(click.Group):
    """A group that suggests the nearest command for a misspelt one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command and its arguments."""
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            ctx.fail(f"unknown command {args[0]!r}{nearest(args[0], self.commands)}; see `mlplab --help`")
        return super().resolve_command(ctx, args)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="mlplab")
def mlplab() -> None:
    """Find a fully connected network for your data and measure how reliable that choice is.

    \b
    Examples:
      mlplab run exercise6 --samples 2000 --set max_iter=3 --out runs/quick
      mlplab train table.csv --target COLUMN
      mlplab search table.csv --target COLUMN --minutes 10
    """  # noqa: D301 - click reads \b as the start of lines that it must not wrap


for module in (run_commands, folder_commands, catalogue_commands, model_commands, doctor_command):
    for command in module.COMMANDS:
        mlplab.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code: 0 success, 1 failed trials, 2 wrong input, 130 interrupted."""
    try:
        return mlplab.main(list(arguments), prog_name="mlplab", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "")
        return 0
    except (click.ClickException, MlplabError) as error:
        message = error.format_message() if isinstance(error, click.ClickException) else str(error)
        click.echo(f"mlplab: {message}", err=True)
        return 2
    except OSError as error:  # a full disk, a folder without write permission
        click.echo(f"mlplab: {error}", err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("mlplab: interrupted; completed work has been saved", err=True)
        return 130


def main() -> None:
    """Run the command line and exit."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a Windows terminal may lack a character of a title, such as λ
    sys.exit(run(sys.argv[1:]))
