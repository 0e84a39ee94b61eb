"""What the stored results show: ranking, effects, the conclusion, the test set."""
