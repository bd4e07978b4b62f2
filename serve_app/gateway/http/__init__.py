"""The HTTP interface: routes, schemas, errors and the middleware that guards them. The only home of FastAPI."""
