"""The language of searches.

`conditions` is what a search means, `parser` reads what people write, `matching` tests one text.
"""
