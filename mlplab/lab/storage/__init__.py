"""The run folder on disk, and checks for damaged files."""
