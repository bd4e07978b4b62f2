"""HAProxy, the ingress that Ray Serve starts: corrections of its configuration, and the draining of its processes."""
