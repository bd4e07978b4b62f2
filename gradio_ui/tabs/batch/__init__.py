"""The tab *Batch*: many texts at once, from a box or a file."""
