"""The gateway takes requests, gathers texts into micro-batches, calls model versions and stores the answers.

`http/` speaks HTTP, `prediction/` takes a text from request to answer, `batching/` forms micro-batches, `inference/`
calls versions with failover, `canary/` measures versions during a rollout. `deployment` is the Ray Serve deployment.
"""
