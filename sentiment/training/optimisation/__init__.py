"""How weights move and when that ends: optimizers, learning rate schedules, early stopping."""
