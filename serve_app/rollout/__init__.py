"""The rollout of model versions: a reconcile loop brings what serves to what the registry and the rollout require.

`policy/` decides and `cluster/` acts. The reconciler takes one step a round and `rollout_store` writes it down;
`commands` and `api` are for the people who use it.
"""
