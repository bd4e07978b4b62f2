"""Calls model versions with normalised texts, with a cache of answers and with failover to another version."""
