"""The HTTP interface: routes, schemas, errors, and the middleware around them. The only home of FastAPI."""
