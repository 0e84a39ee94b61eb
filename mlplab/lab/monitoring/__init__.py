"""Observers of a run: the terminal, TensorBoard, MLflow."""
