"""The versions of the package and of its numerics."""

__version__ = "0.1.0"
#: To be raised whenever the same settings and seed would give other numbers than before, or a default changes.
NUMERICS = 6
