"""Makes so what the registry says: which model version runs and which one answers."""
