"""What the fake GitHub lets people write in a repository: issues with comments, and files with their shas.

https://docs.github.com/en/rest/issues, https://docs.github.com/en/rest/repos/contents
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
MOST_CHARACTERS = 65_536


@dataclass
class Told:
    """An answer: its status and body."""

    status: int
    body: Any = None


@dataclass
class IssueBoard:
    """The issues of a repository; `open` is False where they are switched off."""

    repository: str
    open: bool = True
    readonly: bool = False
    issues: dict[int, Json] = field(default_factory=dict)
    comments: dict[int, Json] = field(default_factory=dict)
    edits: int = 0

    def add(self, title: str, body: str, login: str, *, kind: str = "User") -> int:
        """An issue by somebody; its number."""
        number = len(self.issues) + 1
        self.issues[number] = {
            "id": 9000 + number, "number": number, "title": title, "body": body, "state": "open",
            "user": {"login": login, "type": kind},
        }  # fmt: skip
        return number

    def say(self, number: int, body: str, login: str) -> int:
        """A comment by somebody; its id."""
        identity = 100 + len(self.comments)
        self.comments[identity] = {
            "id": identity, "body": body, "user": {"login": login, "type": "User"}, "issue": number
        }  # fmt: skip
        return identity

    def said(self, number: int) -> list[str]:
        """The comments of an issue, oldest first."""
        return [row["body"] for row in self.comments.values() if row["issue"] == number and not row.get("gone")]

    def delete(self, number: int) -> None:
        """As an administrator does."""
        self.issues[number] = {"gone": True}

    def answer(self, verb: str, rest: list[str], query: dict[str, str], body: Json, user: Json) -> Told:
        """What GitHub says to a request below `/repos/OWNER/REPO/issues`."""
        if not self.open:
            return Told(410, {"message": "Issues has been disabled in this repository."})
        if verb != "GET" and self.readonly:
            return Told(403, {"message": "Resource not accessible by personal access token"})
        if len(body.get("body") or "") > MOST_CHARACTERS:
            return Told(
                422, {"message": "Validation Failed", "errors": ["body is too long (maximum is 65536 characters)"]}
            )
        match verb, rest:
            case "GET", []:
                rows = [row for row in self.issues.values() if "gone" not in row]
                return Told(
                    200, [row for row in reversed(rows) if query.get("state") == "all" or row["state"] == "open"]
                )
            case "POST", []:
                number = self.add(body["title"], body["body"], user["login"], kind=user["type"])
                return Told(201, self.issues[number])
            case _, ["comments", identity]:
                return self._comment(verb, int(identity), body)
            case "GET", [number, "comments"]:
                rows = [row for row in self.comments.values() if row["issue"] == int(number) and not row.get("gone")]
                return Told(200, rows)
            case "POST", [number, "comments"]:
                return Told(201, self.comments[self.say(int(number), body["body"], user["login"])])
            case _, [number]:
                return self._issue(verb, int(number), body)
        return Told(404, {"message": "Not Found"})

    def _issue(self, verb: str, number: int, body: Json) -> Told:
        if number not in self.issues:
            return Told(404, {"message": "Not Found"})
        if "gone" in self.issues[number]:
            return Told(410, {"message": "This issue was deleted"})
        if verb == "PATCH":
            self.edits += 1
            self.issues[number] |= body
        return Told(200, self.issues[number])

    def _comment(self, verb: str, identity: int, body: Json) -> Told:
        if identity not in self.comments or self.comments[identity].get("gone"):
            return Told(404, {"message": "Not Found"})
        if verb == "DELETE":
            self.comments[identity]["gone"] = True
            return Told(204)
        self.edits += 1
        self.comments[identity] |= body
        return Told(200, self.comments[identity])


@dataclass
class Contents:
    """The files of a repository by branch and path; the default branch is called "".

    `protected` refuses every change as branch rules do; `meanwhile` runs once before the next change, as somebody
    else's commit does.
    """

    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    branches: set[str] = field(default_factory=lambda: {""})
    messages: list[str] = field(default_factory=list)
    protected: bool = False
    meanwhile: Callable[[], None] | None = None

    def answer(self, verb: str, path: str, query: dict[str, str], body: Json) -> Told:
        """What GitHub says to a request below `/repos/OWNER/REPO/contents`."""
        if verb == "PUT":
            return self._put(path, body)
        place = (query.get("ref", ""), path)
        if path in self.folders:
            return Told(200, {"type": "dir", "sha": "5" * 40, "entries": []})
        if place not in self.files:
            return Told(404, {"message": "Not Found"})
        return Told(200, {"type": "file", "sha": blob(self.files[place]), "path": path})

    def _put(self, path: str, body: Json) -> Told:
        if self.meanwhile:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        place = (body.get("branch", ""), path)
        if place[0] not in self.branches:
            return Told(404, {"message": f"Branch {place[0]} not found"})
        if self.protected:
            return Told(409, {"message": "Repository rule violations found"})
        known = blob(self.files[place]) if place in self.files else None
        if known and "sha" not in body:
            return Told(422, {"message": 'Invalid request.\n\n"sha" wasn\'t supplied.'})
        if known != body.get("sha"):
            return Told(409, {"message": f"{path} does not match {body.get('sha')}"})
        self.files[place] = b64decode(body["content"])
        self.messages.append(body["message"])
        return Told(200 if known else 201, {"content": {"sha": blob(self.files[place])}})


def blob(content: bytes) -> str:
    """Git's name of a file's content."""
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
