"""Commands that speak to a platform: start and end it, predict, classify files, keys, rollouts."""
