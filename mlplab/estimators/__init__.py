"""The classifier and the regressor, their model files, summaries and checks."""
