"""A fake of GitHub's REST API on loopback, with state: repositories, commits, App installations, limits and bad days.

https://docs.github.com/en/rest/commits/commits and https://docs.github.com/en/rest/apps/apps
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlencode

import jwt

from tests.fakes.github_answers import (
    Answer,
    Misbehaviour,
    Request,
    Trouble,
    not_found,
    unreadable_jwt,
)
from tests.fakes.github_server import Handler, Server
from tests.fakes.githubrepo import FakeRepository, Json, commit_json
from tests.fakes.githubwriting import Contents, IssueBoard, Told

FILES_PER_PAGE = 300
MOST_FILES = 3000


@dataclass
class _App:
    public_key: str
    owners: dict[str, int]  # owner → installation number


class FakeGitHub:
    """Use as a context manager; `url` is the API's base. `tokens` empty: anyone may read what is not private."""

    def __init__(self) -> None:
        self.repositories: dict[str, FakeRepository] = {}
        self.boards: dict[str, IssueBoard] = {}
        self.contents: dict[str, Contents] = {}
        self.login: str | None = "daybook-bot"  # whose the tokens are; None: an installation's, which is not told
        self.requests: list[Request] = []
        self.tokens: set[str] = set()
        self.scopes: str | None = "repo"  # of the tokens; None: they are fine-grained
        self.administrators: set[str] = set()
        self.app_hook = FakeRepository("the App's own webhook")
        self.token_lifetime = timedelta(hours=1)
        self.remaining = 5000
        self._apps: dict[str, _App] = {}
        self._installation_tokens: dict[str, tuple[str, datetime]] = {}  # token → owner, end
        self._troubles: list[Misbehaviour] = []
        self._lock = threading.RLock()
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.github = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add_repository(self, name: str, clone: Path | None = None, *, private: bool = False) -> FakeRepository:
        """Serve a repository: a real clone's commits, or none until `add_commit`."""
        self.repositories[name.lower()] = FakeRepository(name, clone, private)
        self.boards[name.lower()] = IssueBoard(name)
        self.contents[name.lower()] = Contents()
        return self.repositories[name.lower()]

    def add_commit(self, name: str, sha: str, files: list[Json], *, parents: tuple[str, ...] = ()) -> None:
        """Serve a commit that no clone has; see `file_json`."""
        self.repositories[name.lower()].commits[sha] = commit_json(name, sha, list(parents), files)

    def add_app(self, app_id: str, public_key: str, owners: Mapping[str, int]) -> None:
        """An App with this key, installed by each owner under a number."""
        self._apps[app_id] = _App(public_key, {owner.lower(): number for owner, number in owners.items()})

    def misbehave(
        self, kind: Trouble, *, times: int = 1, after: int = 0, seconds: float = 60.0, status: int = 502
    ) -> None:
        """Answer the next requests badly, or those that follow `after` good ones.

        `seconds` is the wait that a limit asks for, or how long `slow` takes; `status` is what `error` answers.
        """
        with self._lock:
            self._troubles.append(Misbehaviour(kind, times, after, seconds, status))

    def recover(self) -> None:
        """End all misbehaviour."""
        with self._lock:
            self._troubles.clear()

    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [request.path for request in self.requests]

    def arrived(self, request: Request) -> Misbehaviour | None:
        """Note a request; the trouble that it runs into, if any."""
        with self._lock:
            self.requests.append(request)
            if not self._troubles:
                return None
            trouble = self._troubles[0]
            if trouble.after > 0:
                trouble.after -= 1
                return None
            trouble.times -= 1
            if trouble.times <= 0:
                self._troubles.pop(0)
            return trouble

    def answer(self, request: Request) -> Answer:
        """What GitHub says to a request."""
        match [unquote(part) for part in request.path.strip("/").split("/")]:
            case ["user"]:
                return (
                    Answer(200, {"login": self.login})
                    if self.login
                    else Answer(403, {"message": "Resource not accessible by integration"})
                )
            case ["app"]:
                return Answer(200, {"slug": "daybook-app"}) if self._app(request) else unreadable_jwt()
            case ["rate_limit"]:
                return self._rate_limit(request)
            case ["app", "installations"]:
                return self._installations(request)
            case ["app", "installations", number, "access_tokens"] if request.method == "POST":
                return self._access_token(request, number)
            case ["app", "hook", *rest]:
                signed = self._app(request) is not None
                return self._deliveries(request, self.app_hook, rest) if signed else unreadable_jwt()
            case ["repos", owner, _, "installation"]:
                return self._installation(request, owner)
            case ["repos", owner, name, *rest]:
                return self._repository(request, f"{owner}/{name}", rest)
        return not_found()

    def _rate_limit(self, request: Request) -> Answer:
        given = request.headers.get("authorization", "").partition(" ")[2]
        if given and given not in self.tokens:
            return Answer(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
        scopes = {"X-OAuth-Scopes": self.scopes} if given and self.scopes is not None else {}
        return Answer(200, {"resources": {}}, scopes)

    def _repository(self, request: Request, name: str, rest: list[str]) -> Answer:
        if (refusal := self._refusal(request, name)) is not None:
            return refusal
        repository = self.repositories[name.lower()]
        match rest:
            case []:
                return Answer(200, self._repository_json(repository))
            case ["commits"]:
                return self._list(request, repository)
            case ["commits", *revision]:
                return self._commit(request, repository, "/".join(revision))
            case ["compare", *span]:
                return self._compare(request, repository, "/".join(span))
            case ["git", "matching-refs", "heads", *prefix]:
                refs, links = self._page(request, repository.refs("/".join(prefix)), self._size(request, 100))
                return Answer(200, refs, links)
            case ["hooks", *rest]:
                return self._hooks(request, repository, rest)
            case ["issues", *rest]:
                return self._write(request, name, rest)
            case ["contents", *path]:
                return self._file(request, name, "/".join(path))
        return not_found()

    def _write(self, request: Request, name: str, rest: list[str]) -> Answer:
        """What is about issues, in the name of the token's account."""
        board = self.boards[name.lower()]
        body = json.loads(request.body) if request.body else {}
        with self._lock:
            told = board.answer(request.method, rest, request.query, body, self._account(request))
        if isinstance(told.body, list):
            chosen, links = self._page(request, told.body, self._size(request, 100))
            return Answer(200, chosen, links)
        return Answer(told.status, told.body)

    def _file(self, request: Request, name: str, path: str) -> Answer:
        body = json.loads(request.body) if request.body else {}
        with self._lock:
            told: Told = self.contents[name.lower()].answer(request.method, path, request.query, body)
        return Answer(told.status, told.body)

    def _account(self, request: Request) -> Json:
        given = request.headers.get("authorization", "").partition(" ")[2]
        if given in self._installation_tokens:
            return {"login": "daybook-app[bot]", "type": "Bot"}
        return {"login": self.login or "some-app[bot]", "type": "User" if self.login else "Bot"}

    def _hooks(self, request: Request, repository: FakeRepository, rest: list[str]) -> Answer:
        """Webhooks are shown to administrators alone; others are told that there is nothing."""
        if request.headers.get("authorization", "").partition(" ")[2] not in self.administrators:
            return not_found()
        return self._deliveries(request, repository, rest[1:]) if rest else Answer(200, repository.hooks)

    def _deliveries(self, request: Request, repository: FakeRepository, rest: list[str]) -> Answer:
        match rest:
            case ["deliveries"]:
                chosen, links = self._page(request, repository.deliveries, self._size(request, 100))
                return Answer(200, chosen, links)
            case ["deliveries", number, "attempts"] if request.method == "POST":
                repository.redelivered.append(int(number))
                return Answer(202, {})
        return not_found()

    def _size(self, request: Request, most: int) -> int:
        return min(int(request.query.get("per_page", 30)), most)

    def _refusal(self, request: Request, name: str) -> Answer | None:
        """401 for a wrong token, 404 for what does not exist or may not be seen."""
        given = request.headers.get("authorization", "").partition(" ")[2]
        owner, ends = self._installation_tokens.get(given, ("", datetime.min.replace(tzinfo=UTC)))
        installed = owner == name.partition("/")[0].lower() and ends > datetime.now(UTC)
        if given and given not in self.tokens and given not in self._installation_tokens:
            return Answer(401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
        repository = self.repositories.get(name.lower())
        if repository is None or (repository.private and not installed and given not in self.tokens):
            return not_found()
        return None

    def _repository_json(self, repository: FakeRepository) -> Json:
        owner, _, name = repository.name.partition("/")
        return {
            "id": 1, "name": name, "full_name": repository.name, "private": repository.private,
            "owner": {"login": owner}, "html_url": f"https://github.com/{repository.name}",
            "url": f"{self.url}/repos/{repository.name}", "default_branch": repository.default_branch,
            "has_issues": self.boards[repository.name.lower()].open, "permissions": {"push": repository.writable},
        }  # fmt: skip

    def _commit(self, request: Request, repository: FakeRepository, revision: str) -> Answer:
        commit = repository.commit(revision)
        if commit is None:
            return Answer(422, {"message": f"No commit found for SHA: {revision}"})
        size = min(int(request.query.get("per_page", FILES_PER_PAGE)), FILES_PER_PAGE)
        files = commit["files"][:MOST_FILES]
        chosen, links = self._page(request, files, size)
        return Answer(200, commit | {"url": f"{self.url}{request.path}", "files": chosen}, links)

    def _list(self, request: Request, repository: FakeRepository) -> Answer:
        span = [f"--{key}={request.query[key]}" for key in ("since", "until") if key in request.query]
        shas = repository.shas(*span, request.query.get("sha", repository.default_branch))
        size = min(int(request.query.get("per_page", 30)), 100)
        chosen, links = self._page(request, shas, size)
        return Answer(200, repository.listed(chosen), links)

    def _compare(self, request: Request, repository: FakeRepository, span: str) -> Answer:
        base, _, head = span.partition("...")
        if repository.commit(base) is None or repository.commit(head) is None:
            return not_found()
        shas = repository.shas("--reverse", f"{base}..{head}")
        behind = repository.shas(f"{head}..{base}")
        chosen, links = self._page(request, shas, min(int(request.query.get("per_page", 250)), 250))
        status = "diverged" if shas and behind else "ahead" if shas else "behind" if behind else "identical"
        body = {
            "status": status, "ahead_by": len(shas), "behind_by": len(behind), "total_commits": len(shas),
            "commits": repository.listed(chosen),
        }  # fmt: skip
        return Answer(200, body, links)

    def _page(self, request: Request, items: list[Any], size: int) -> tuple[list[Any], dict[str, str]]:
        page = int(request.query.get("page", 1))
        last = max(-(-len(items) // size), 1)
        numbers = {"prev": page - 1, "next": page + 1, "first": 1, "last": last}
        shown = [*(("prev", "first") if page > 1 else ()), *(("next", "last") if page < last else ())]
        links = ", ".join(
            f'<{self.url}{request.path}?{urlencode(request.query | {"page": str(numbers[rel])})}>; rel="{rel}"'
            for rel in shown
        )
        return items[(page - 1) * size : page * size], {"Link": links} if links else {}

    def _app(self, request: Request) -> _App | None:
        """The App whose key signed the request's token."""
        token = request.headers.get("authorization", "").partition(" ")[2]
        for number, app in self._apps.items():
            with suppress(jwt.PyJWTError):
                jwt.decode(token, app.public_key, algorithms=["RS256"], issuer=number)
                return app
        return None

    def _installations(self, request: Request) -> Answer:
        app = self._app(request)
        if app is None:
            return unreadable_jwt()
        return Answer(200, [{"id": number, "account": {"login": owner}} for owner, number in app.owners.items()])

    def _installation(self, request: Request, owner: str) -> Answer:
        app = self._app(request)
        if app is None:
            return unreadable_jwt()
        number = app.owners.get(owner.lower())
        return not_found() if number is None else Answer(200, {"id": number, "account": {"login": owner}})

    def _access_token(self, request: Request, number: str) -> Answer:
        app = self._app(request)
        if app is None:
            return unreadable_jwt()
        owner = next((owner for owner, known in app.owners.items() if str(known) == number), None)
        if owner is None:
            return not_found()
        with self._lock:
            token = f"ghs_{len(self._installation_tokens)}"
            ends = datetime.now(UTC) + self.token_lifetime
            self._installation_tokens[token] = (owner, ends)
        return Answer(201, {"token": token, "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ")})

    def limits(self) -> dict[str, str]:
        """The headers that every answer carries."""
        reset = str(int(time.time()) + 1800)
        return {
            "X-RateLimit-Limit": "5000",
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": reset,
        }
