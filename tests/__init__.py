"""The users' promises, tested through the wire."""
