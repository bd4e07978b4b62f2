"""Measures versions while a rollout is under way: counts by stage, shadow texts, feedback put to both versions."""
