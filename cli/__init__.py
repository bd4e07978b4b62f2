"""The one command of Undertone: `undertone …`, one thin module a command group."""
