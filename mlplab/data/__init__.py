"""Data sets, built in or from files, and their splits."""

from mlplab.data.datasets import Dataset, Source, load_dataset
from mlplab.data.splits import Split, hold_out, split_rows

__all__ = ["Dataset", "Source", "Split", "hold_out", "load_dataset", "split_rows"]
