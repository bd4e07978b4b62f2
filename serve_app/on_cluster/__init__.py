"""The application on a Ray cluster that runs without the platform: `undertone up --address`.

`standing` says what Serve runs there and decides whether that may be replaced, `application` deploys and removes, and
`record` keeps in home what was deployed, so that `undertone down` ends it whatever was killed meanwhile.
"""
