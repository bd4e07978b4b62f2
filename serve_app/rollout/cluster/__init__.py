"""Acts: what the controller knows of Ray Serve, the gateways, the registry and the machine, behind protocols.

Ray's private names live in `serve_internals` alone.
"""
