"""Models of others, in the form of Hugging Face: fetched, checked, read as data, and what their heads' rows mean."""
