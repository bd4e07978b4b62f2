"""The objectives of a training: losses of labels and of a teacher, and the modules that are trained with the model."""
