"""What a training learns from: losses, labels or a teacher, and the model with what is trained beside it."""
