"""The insight index on disk, by tantivy, inside the process that owns it.

`index` puts the parts together: `folder` owns the place on disk, `content` reads and writes one generation of it,
`schema` says what is kept of a text, `compiler` turns conditions into queries, `timeline`, `terms` and `pages` answer.
"""
