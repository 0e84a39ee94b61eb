"""The training loop and its parts: settings, batches, history, checkpoints."""
