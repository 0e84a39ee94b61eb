"""Format numbers, durations and tables for texts."""

from __future__ import annotations

#: The number of digits of a mean that do not depend on the order of summation; the others are rounding errors.
DIGITS = 12


def percent(share: float) -> str:
    """Format a fraction as a percentage: ``97.25 %``."""
    return f"{100 * share:.2f} %"


def points(difference: float, margin: float) -> str:
    """Format a difference in percentage points with its margin of error: ``0.12 ± 0.22``."""
    return f"{difference:.2f} ± {margin:.2f}"


def chance(probability: float) -> str:
    """Format a probability as a whole percentage, but never 0 % or 100 %: ``58 %``, ``< 1 %``, ``> 99 %``."""
    if not 0.005 <= probability <= 0.995:
        return "< 1 %" if probability < 0.5 else "> 99 %"
    return f"{100 * probability:.0f} %"


def how_many(number: int, what: str) -> str:
    """Format a number with its noun: ``1 seed``, ``5 seeds``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def true_and_predicted(true: object, predicted: object) -> str:
    """Format the true and the predicted class of a row: ``true 5, predicted 1``."""
    return f"true {true}, predicted {predicted}"


def describe_seconds(seconds: float) -> str:
    """Format a duration: ``0.4 s``, ``45 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def align(rows: list[list[str]], left: int = 1) -> str:
    """Format rows of cells as aligned columns: the first `left` columns flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k < left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
