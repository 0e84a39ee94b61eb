"""The conclusion and the figures of a run folder."""
