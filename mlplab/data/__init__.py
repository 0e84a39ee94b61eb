"""Data sets, built in or a user's own, and how their rows are split."""

from mlplab.data.datasets import Dataset, Source, load_dataset
from mlplab.data.splits import Split, Splitter, hold_out, split_rows

__all__ = ["Dataset", "Source", "Split", "Splitter", "hold_out", "load_dataset", "split_rows"]
