"""Decides: the rollout's record, its state machine, the way back, and the statistics that judge a version.

Pure functions: no Ray, no store, no registry; clock and counts are passed in.
"""
