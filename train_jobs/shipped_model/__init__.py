"""Makes and measures the model that ships with the project, from the corpora of docs/results.md."""
