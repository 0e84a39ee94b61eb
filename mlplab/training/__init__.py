"""From a network and rows to a trained network and its history."""
