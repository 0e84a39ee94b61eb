"""Files, texts and random generators."""
