"""The core of Undertone: everything about sentiment that needs neither Ray, nor HTTP, nor a user interface."""
