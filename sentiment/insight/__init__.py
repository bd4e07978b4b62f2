"""What people ask of many texts at once: how many, how they feel, when, and what goes with it.

`index` is the interface, a read model that can be thrown away and made again from the text store; `memory` and
`tantivy_index` keep it. `query/` is the language of searches. What both indexes must agree on to the digit stands in
modules that both use: `buckets`, `sums`, `interval`, `ordering`, `association`.
"""
