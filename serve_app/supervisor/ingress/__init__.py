"""HAProxy, the ingress that Ray Serve starts: its configuration corrected, and its old processes drained."""
