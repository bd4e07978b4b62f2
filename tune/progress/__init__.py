"""Reports about trials while a search runs: lines on the terminal, figures for MLflow, and waiting trials."""
