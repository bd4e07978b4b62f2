"""The bodies of requests and answers, as pydantic models: texts, feedback, rollouts and more."""
