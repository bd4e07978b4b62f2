"""The model zoo: networks that tell sentiment, and the vocabularies that they read."""
