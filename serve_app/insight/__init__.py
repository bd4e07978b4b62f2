"""Insight as the platform serves it: one process owns the index and answers questions about many texts at once.

`search` is what is asked, `service` and `why_answer` answer it from the index, `deployment` is the process, and `api`
is what the routes of a gateway call.
"""
