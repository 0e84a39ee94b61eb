"""The classifier and the regressor, and what belongs to a fitted one."""
