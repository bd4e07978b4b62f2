"""Insight as the platform serves it: one process owns the index and answers questions about many texts at once.

`search` is what is asked, `service` answers it from the index, `deployment` is the process, `api` what a gateway adds:
texts from the store, and the marks of rollouts.
"""
