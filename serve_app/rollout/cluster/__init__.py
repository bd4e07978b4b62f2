"""The controller's view of Ray Serve, the gateways, the registry and the machine, and its actions on them.

Protocols separate it from the reconciler. Ray's private names live in `serve_internals` alone.
"""
