"""The rollout of model versions: a reconcile loop that makes what serves what the registry and the rollout ask for.

`policy/` decides and `cluster/` acts; the reconciler takes one step a round, `rollout_store` writes it down, `commands`
and `api` are what people ask of it.
"""
