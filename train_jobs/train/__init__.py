"""Trains a model on a dataset version: the job, its workers by Ray Train, its run in MLflow.

`python -m train_jobs.train` runs `job`; `ray_train` is the training itself, `prepare` what it learns from.
"""
