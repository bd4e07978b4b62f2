"""The page: a client of the HTTP API, in a process of its own."""
