"""What a model is worth: figures with intervals, slices, behaviour, speed, and whether it beats another one."""
