"""Built-in data sets, data sets from files, and their division into training, validation and test rows."""

from mlplab.data.datasets import Dataset, Source, load_dataset
from mlplab.data.splits import Split, hold_out, split_rows

__all__ = ["Dataset", "Source", "Split", "hold_out", "load_dataset", "split_rows"]
