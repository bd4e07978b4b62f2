"""What all jobs share: a Ray cluster, an MLflow server, what they print, where things lie, how they fail."""
