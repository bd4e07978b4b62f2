"""Ingests that run in the platform: asked for over HTTP, and run by a process of their own.

`ledger` is what both share, in folders under home; `worker` runs what it lists; `api` is what the routes call.
"""
