"""Takes a text through a gateway: the queue, preprocessing, classification, the answer, and its record in the store."""
