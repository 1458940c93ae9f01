"""Issues of one repository on GitHub: found again by a hidden marker, made, changed, closed; with their comments.

https://docs.github.com/en/rest/issues/issues and https://docs.github.com/en/rest/issues/comments
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from core.errors import Permanent, Transient

if TYPE_CHECKING:
    from workers.github import GitHub

MOST_PAGES: Final = 20
_PAGE: Final = "per_page=100"
_REMEDIES: Final = {
    403: "give the token or App write access to {what} there",
    404: "check `publish_to`, and give the token or App write access to {what} there",
    410: "issues are switched off there: switch them on in the repository's settings",
}


class _Account(BaseModel):
    login: str
    type: str = "User"


class Text(BaseModel):
    """A body by somebody: of an issue or a comment. `id` is a comment's number among all comments."""

    id: int
    body: str | None = None
    user: _Account | None = None


class Issue(Text):
    """An issue; `number` is what people call it by."""

    number: int
    title: str
    pull_request: object = None


@contextmanager
def refused(repository: str, what: str) -> Iterator[None]:
    """Say what a person can do about a refusal to publish; `what` is the permission that is needed."""
    try:
        yield
    except Permanent as error:
        from github import GithubException  # it was loaded by whoever raised

        cause = error.__cause__
        status = cause.status if isinstance(cause, GithubException) else 0
        if status not in _REMEDIES:
            raise
        remedy = _REMEDIES[status].format(what=what)
        raise Permanent(f"GitHub refuses to publish at {repository} (HTTP {status}): {remedy}") from error
    except ValidationError as error:
        raise Transient(f"{repository}: GitHub's answer has an unexpected form") from error


class Issues:
    """The issues of a repository; only what our own account wrote is found or changed. Threads must not share one.

    Every method raises Transient or Permanent.
    """

    def __init__(self, client: GitHub, repository: str) -> None:
        self._client = client
        self._repository = repository

    def read(self, number: int) -> Issue | None:
        """An issue; None when it was deleted or is not there."""
        answer = self._ask(f"/issues/{number}", accept=(404, 410))
        return Issue.model_validate(answer) if isinstance(answer, dict) and "number" in answer else None

    def find(self, marker: str, since: datetime) -> Issue | None:
        """Our latest issue that holds a marker, of those changed since a moment."""
        question = f"/issues?state=all&sort=created&direction=desc&{_PAGE}&since={since:%Y-%m-%dT%H:%M:%SZ}"
        for row in self._pages(question):
            issue = Issue.model_validate(row)
            if issue.pull_request is None and self._ours(issue) and marker in (issue.body or ""):
                return issue
        return None

    def create(self, title: str, body: str) -> Issue:
        """A new issue."""
        return Issue.model_validate(self._ask("/issues", "POST", {"title": title, "body": body}))

    def edit(self, number: int, title: str, body: str) -> None:
        """Change an issue; it stays open or closed."""
        self._ask(f"/issues/{number}", "PATCH", {"title": title, "body": body})

    def close(self, number: int) -> None:
        """Close an issue; one that is closed or not there any more stays so."""
        self._ask(f"/issues/{number}", "PATCH", {"state": "closed", "state_reason": "completed"}, accept=(404, 410))

    def comments(self, number: int) -> list[Text]:
        """Our own comments on an issue, oldest first."""
        rows = TypeAdapter(list[Text]).validate_python(list(self._pages(f"/issues/{number}/comments?{_PAGE}")))
        return [comment for comment in rows if self._ours(comment)]

    def add_comment(self, number: int, body: str) -> None:
        """A new comment."""
        self._ask(f"/issues/{number}/comments", "POST", {"body": body})

    def edit_comment(self, comment: Text, body: str) -> None:
        """Change a comment."""
        self._ask(f"/issues/comments/{comment.id}", "PATCH", {"body": body})

    def delete_comment(self, comment: Text) -> None:
        """Remove a comment; one that is not there any more is no error."""
        self._ask(f"/issues/comments/{comment.id}", "DELETE", accept=(404,))

    def _ours(self, text: Text) -> bool:
        """Whether we wrote it: anybody can put a marker into an issue of a public repository."""
        if text.user is None:
            return False
        return text.user.type == "Bot" if self._login is None else text.user.login == self._login

    @cached_property
    def _login(self) -> str | None:
        return self._client.login(self._repository)

    def _ask(
        self, path: str, verb: str = "GET", body: Mapping[str, Any] | None = None, accept: tuple[int, ...] = ()
    ) -> Any:
        with refused(self._repository, "issues"):
            return self._client.ask(self._repository, path, verb=verb, body=body, accept=accept).body

    def _pages(self, question: str) -> Iterator[Any]:
        following: str | None = question
        for _ in range(MOST_PAGES):
            if following is None:
                return
            with refused(self._repository, "issues"):
                answer = self._client.ask(self._repository, following)
            yield from answer.body
            following = answer.next
