"""A request to the fake Anthropic as it came, and the texts of it that the other files read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Recorded:
    """One request; `body` is None when it was not JSON."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    query: str = ""

    @property
    def prompt(self) -> str:
        """The text of all messages."""
        return "\n".join(text_of(message["content"]) for message in self.body["messages"])

    @property
    def system(self) -> str:
        """The text of the system prompt."""
        return text_of(self.body.get("system") or "")

    @property
    def orders(self) -> dict[str, Recorded]:
        """The messages that a new batch asks for, by custom id, each as if it had been sent by itself."""
        return {
            order["custom_id"]: Recorded(self.method, "/v1/messages", self.headers, order["params"])
            for order in self.body["requests"]
        }


def text_of(content: Any) -> str:
    """The text of a `content` or `system`, whether it is a string or blocks."""
    return content if isinstance(content, str) else "\n".join(block["text"] for block in content)
