"""Measures versions during a rollout: counts by stage, mirrored texts, and feedback compared with both versions."""
