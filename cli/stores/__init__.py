"""Commands that look into the stores: model versions and dataset versions."""
