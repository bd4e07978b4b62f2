"""Ingests that run in the platform: asked for over HTTP, carried out by a process of their own, alive as it is.

`ledger` is what both know, in folders under home; `worker` carries out what it says; `api` is what the routes call.
"""
