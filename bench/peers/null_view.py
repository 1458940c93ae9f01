"""The floor: a Flask view that reads the body and answers 202, served as `daybook web` serves its application."""

from __future__ import annotations

import sys

from flask import Flask, request

from cli.processes import serve


def application() -> Flask:
    """The one route."""
    app = Flask("null")

    @app.post("/webhooks/github")
    def receive() -> tuple[str, int]:
        request.get_data()
        return "", 202

    return app


if __name__ == "__main__":
    serve("bench.peers.null_view:application", "127.0.0.1", int(sys.argv[1]))
