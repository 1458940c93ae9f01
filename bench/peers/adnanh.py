"""The configuration of adnanh/webhook: the signature is checked, and what then runs is nothing."""

from __future__ import annotations

import json


def hooks(secret: str) -> str:
    """A hooks.json whose second rule never holds, so that no command is started."""
    signed = {"match": {"type": "payload-hmac-sha256", "secret": secret,
                        "parameter": {"source": "header", "name": "X-Hub-Signature-256"}}}  # fmt: skip
    never = {"match": {"type": "value", "value": "never", "parameter": {"source": "header", "name": "X-GitHub-Event"}}}
    return json.dumps([{"id": "github", "execute-command": "/bin/true", "trigger-rule": {"and": [signed, never]},
                        "trigger-rule-mismatch-http-response-code": 202}])  # fmt: skip
