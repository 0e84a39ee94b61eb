"""Statistics on plain arrays: variance components, comparisons of configurations."""
