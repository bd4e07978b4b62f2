"""What is said of trials while a search runs: lines, figures for MLflow, and what waits for room in the cluster."""
