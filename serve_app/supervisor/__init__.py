"""The supervisor of a local platform: starts its processes, keeps them up, and ends them all.

`process_specs` says what runs and `restart_policy` decides; `managed_process` acts; `launch` is what `undertone up`,
`down` and `status` call. `ingress/` shuts what HAProxy would open.
"""
