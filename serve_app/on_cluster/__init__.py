"""The application on a Ray cluster that somebody else runs: `undertone up --address`.

`standing` describes what Serve runs there and decides whether it may be replaced, `application` deploys and removes,
and `record` keeps in home what was deployed, so that `undertone down` removes it even after a kill.
"""
