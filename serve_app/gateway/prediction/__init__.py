"""The way of a text through a gateway: preprocessing, the micro-batch, the answer, and its record for the store."""
