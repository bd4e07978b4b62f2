"""The supervisor of a local platform: it starts the processes, restarts those that end, and ends them all.

`process_specs` lists the processes, `restart_policy` decides and `managed_process` acts; `undertone up`, `down` and
`status` call `launch`. `ingress/` configures HAProxy so that it opens nothing beyond the settings.
"""
