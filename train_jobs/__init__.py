"""Jobs of the offline river: they read data, train and judge models, and write version folders."""
