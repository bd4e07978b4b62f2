"""What the API takes and gives, as pydantic models: texts and their answers, rollouts."""
