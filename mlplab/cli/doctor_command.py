"""The command that examines the machine: doctor."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

import click

from mlplab.cli.options import json_option


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Show the processor, libraries and speed of this machine.

    Measures the speed of matrix products for a few seconds, and gives advice if it is low.
    """
    from mlplab.doctor import examine

    found = examine()
    if as_json:
        facts = {field.name: getattr(found, field.name) for field in fields(found)}
        facts["cpu"] = {"model": found.cpu.model, "flags": sorted(found.cpu.flags)}
        facts["blas"] = {name: getattr(found.blas, name) for name in ("source", "version", "kernel", "mended")}
        facts["others"], facts["rates"] = [asdict(pool) for pool in found.others], asdict(found.rates)
        click.echo(json.dumps(facts))
        return
    blas, rates = found.blas, found.rates
    kernel = f", {blas.kernel} kernel" + (" (selected by mlplab)" if blas.mended else "") if blas.kernel else ""
    avx512 = ("yes" if found.cpu.has_avx512 else "no") if found.cpu.flags else "unknown"
    for name, value in (
        ("processor", f"{found.cpu.model}, {found.cores} cores, AVX-512: {avx512}"),
        ("load", f"{found.load:.1f} in the last minute"),
        ("BLAS", f"{blas.version} from {blas.source}{kernel}, {found.threads} threads"),
        *(("also loaded", f"{p.name}{', ' + p.kernel if p.kernel else ''}, {p.threads} threads") for p in found.others),
        ("peak speed", f"{rates.one_thread:.0f} GFLOP/s on one thread, {rates.all_threads:.0f} on {found.threads}"),
        (
            "in training",
            f"{rates.training:.0f} GFLOP/s on one thread, {rates.training / rates.one_thread:.0%} of the peak",
        ),
    ):
        click.echo(f"{name:14}{value}")
    for sentence in found.advice or ["No problems found."]:
        click.echo(f"\n{sentence}")


COMMANDS = (doctor,)
