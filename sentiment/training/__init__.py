"""Training of networks: batches cut by tokens, the loss, and a loop that can be killed and taken up again."""
