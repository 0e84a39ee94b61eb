"""The classifier and the regressor, and the functions for fitted estimators."""
