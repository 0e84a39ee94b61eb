"""``python -m mlplab`` is the command `mlplab`."""

from mlplab.cli import main

main()
