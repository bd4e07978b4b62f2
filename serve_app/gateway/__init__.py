"""The gateway takes requests, gathers texts into micro-batches, asks model versions and keeps what was answered.

`http/` speaks HTTP, `prediction/` is the way of a text, `batching/` gathers, `inference/` asks versions and falls back,
`canary/` measures versions while a rollout is under way. `deployment` is the Ray Serve deployment around them.
"""
