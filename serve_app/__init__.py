"""The application: the gateway that speaks HTTP, the rollout controller, and the supervisor of a local platform."""
