"""The routes of the API, a module a resource; each is a function that returns a router."""
