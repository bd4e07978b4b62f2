"""The client of the HTTP API, for the command line, the page and programs: single calls, tables in bulk, whole files.

It needs the base dependencies only: no Ray, no model, no server.
"""
