"""Where commits and diffs come from when the source is GitHub: its REST API, through PyGithub.

https://docs.github.com/en/rest/commits/commits#get-a-commit
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any, Final, Literal, Self, get_args

import github
import requests
from github import Auth
from github.Commit import Commit
from github.File import File
from github.Requester import Requester
from jwt import PyJWTError
from pydantic import SecretStr, ValidationError
from urllib3 import Retry

from core.errors import Permanent, Transient
from core.models import Diff, FileChange
from core.settings import Settings
from workers import urllib3_deadlines  # noqa: F401 - PyGithub makes its connections by urllib3
from workers.deadlines import within
from workers.patch import MAX_FILES
from workers.upstream import NotThere

# https://docs.github.com/en/rest/about-the-rest-api/api-versions
API_VERSION: Final = "2022-11-28"
EMPTY_BLOB: Final = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
# What GitHub asks for when a secondary limit names no time, and the longest that any limit lasts.
SECONDARY_WAIT_SECONDS: Final = 60.0
LONGEST_WAIT_SECONDS: Final = 3600.0
# A wrong token is mended by a person: look again now and then, give up nothing.
CREDENTIALS_WAIT_SECONDS: Final = 60.0
TOTAL_SECONDS: Final = 90.0

Status = Literal["added", "removed", "modified", "renamed", "copied", "changed", "unchanged"]

# Limits (403, 429) are not retried here but reported with the time GitHub asks for, so that no thread sleeps for it;
# after the last attempt the answer itself is handed on, with its headers. Sleeps at most 0 + 1 seconds.
_RETRY: Final = Retry(
    total=2,
    read=1,
    backoff_factor=0.5,
    backoff_max=2,
    status_forcelist=(500, 502, 503, 504),
    allowed_methods=("GET", "POST"),
    respect_retry_after_header=False,
    raise_on_status=False,
)
# What was written although its answer was lost must not be written once more: only the caller can look whether it was.
_RETRY_READS: Final = _RETRY.new(allowed_methods=("GET",))


@dataclass(frozen=True, slots=True)
class Answer:
    """What GitHub answered to a question: JSON not yet checked, None without a body.

    `next` is the address of the following page; `remaining` and `limit` count requests, None when GitHub did not say.
    """

    status: int
    body: Any
    etag: str = ""
    next: str | None = None
    remaining: int | None = None
    limit: int | None = None


@dataclass
class _Installation:
    """The App as installed by one owner; its token is fetched by one thread while the others wait."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    client: github.Github | None = None


class GitHub:
    """Commits of repositories on GitHub. Threads may share one; the constructor does no I/O.

    Credentials: an App's id and private key, else a token, else none (60 requests an hour). `timeout` is in seconds,
    for each wait on the network, `total` for one diff with all its pages. One that is `writing` repeats no request that
    may have changed something.
    """

    def __init__(
        self,
        *,
        token: SecretStr | None = None,
        app_id: str | None = None,
        private_key: SecretStr | None = None,
        api_url: str = "https://api.github.com",
        timeout: float = 20.0,
        total: float = TOTAL_SECONDS,
        connections: int = 32,
        writing: bool = False,
        known_by: str = "GITHUB_TOKEN",
    ) -> None:
        self._token = token
        self._app_id = app_id
        self._private_key = private_key
        self._total = total
        self._credentials = "GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY" if app_id else known_by
        self._options: dict[str, Any] = {  # the one shape that PyGithub's two clients take
            "base_url": api_url.rstrip("/"),
            "timeout": math.ceil(timeout),
            "pool_size": connections,
            "retry": _RETRY_READS if writing else _RETRY,
            "seconds_between_requests": 0,
            "seconds_between_writes": 0,
            "lazy": True,
            "api_version": API_VERSION,
            "user_agent": "daybook",
        }
        self._lock = threading.Lock()
        self._client: github.Github | None = None
        self._integration: github.GithubIntegration | None = None
        self._installations: dict[str, _Installation] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """A client with the credentials that are set."""
        return cls(
            token=settings.github_token,
            app_id=settings.github_app_id,
            private_key=settings.github_app_private_key,
            api_url=settings.github_api_url,
            connections=2 * settings.daybook_concurrency,  # more than a worker has threads (cli/processes.py)
        )

    def diff(self, repository: str, sha: str) -> Diff:
        """What a commit changed against its first parent: one request for every 300 files.

        Raises Transient (with GitHub's own wait when it names one), NotThere or another Permanent.
        """
        with _translated(f"{repository}@{sha[:12]}", self._credentials), within(self._total):
            try:
                commit = self._client_for(repository).get_repo(repository).get_commit(sha)
                return _diff(commit.complete(), sha)
            except github.GithubException as error:
                if error.status in (401, 403, 404):
                    self._forget_installation(repository)
                raise

    def ask(
        self,
        repository: str,
        path: str,
        *,
        verb: str = "GET",
        etag: str = "",
        accept: Collection[int] = (),
        body: Mapping[str, Any] | None = None,
        media: str = "",
    ) -> Answer:
        """One request about a repository: `path` under its address, or the `next` page of an answer.

        With `etag`, 304 comes back when nothing has changed since. `body` is sent as JSON, `media` asks for a form of
        the answer. Raises Transient or Permanent for every status from 400 on but those in `accept`.
        """
        url = path if path.startswith("http") else f"/repos/{repository}{path}"
        headers = {"If-None-Match": etag} if etag else {}
        headers |= {"Accept": media} if media else {}
        with _translated(repository, self._credentials), within(self._total):
            try:
                return _asked(self._client_for(repository).requester, url, verb, headers, accept, body)
            except github.GithubException as error:
                if error.status in (401, 403, 404):
                    self._forget_installation(repository)
                raise

    def ask_as_app(self, path: str, *, verb: str = "GET", accept: Collection[int] = ()) -> Answer | None:
        """One request as the App itself, such as `/app/hook/deliveries`; None when the credentials are no App's."""
        if self._app_id is None or self._private_key is None:
            return None
        with _translated(path, self._credentials), within(self._total), _readable_key():
            return _asked(github.Github(auth=self._app_auth(), **self._options).requester, path, verb, {}, accept)

    def login(self, repository: str) -> str | None:
        """The account by which we write to a repository; None where GitHub does not tell (an installation's token)."""
        if app := self.ask_as_app("/app"):
            return f"{app.body['slug']}[bot]"
        answer = self.ask(repository, f"{self._options['base_url']}/user", accept=(403, 404))
        return str(answer.body["login"]) if answer.status == 200 else None

    @property
    def has_credentials(self) -> bool:
        """Whether requests are signed; anonymous ones are few and may read public things only."""
        return self._token is not None or self._app_id is not None

    def _client_for(self, repository: str) -> github.Github:
        if self._app_id is not None and self._private_key is not None:
            return self._installed(repository)
        with self._lock:
            if self._client is None:
                auth = None if self._token is None else Auth.Token(self._token.get_secret_value())
                self._client = github.Github(auth=auth, **self._options)
            return self._client

    def _installed(self, repository: str) -> github.Github:
        """The client of the App's installation that covers the repository, with a token that is still valid."""
        owner, _, name = repository.partition("/")
        with self._lock:
            if self._integration is None:
                self._integration = github.GithubIntegration(auth=self._app_auth(), **self._options)
            integration = self._integration
            installation = self._installations.setdefault(owner.lower(), _Installation())
        with installation.lock, _readable_key():
            if installation.client is None:
                number = integration.get_repo_installation(owner, name).id
                installation.client = integration.get_github_for_installation(number)
            auth = installation.client.requester.auth
            _ = auth.token if auth is not None else None  # fetches a new one when the old one is about to expire
            return installation.client

    def _app_auth(self) -> Auth.AppAuth:
        key = "" if self._private_key is None else self._private_key.get_secret_value()
        # A PEM in a .env file often has its line ends written as \n.
        return Auth.AppAuth(self._app_id or "", key.replace("\\n", "\n"))

    def _forget_installation(self, repository: str) -> None:
        """The App may have been installed anew under another number."""
        with self._lock:
            self._installations.pop(repository.partition("/")[0].lower(), None)


def _asked(
    requester: Requester,
    url: str,
    verb: str,
    headers: dict[str, str],
    accept: Collection[int],
    sent: Mapping[str, Any] | None = None,
) -> Answer:
    status, told, output = requester.requestJson(verb, url, headers=headers, input=sent)
    body = json.loads(output) if output else None
    if status >= 400 and status not in accept:
        raise requester.createException(status, told, body if isinstance(body, dict) else {})
    links = requests.utils.parse_header_links(str(told.get("link", "")))
    remaining, limit = (str(told.get(f"x-ratelimit-{name}", "")) for name in ("remaining", "limit"))
    return Answer(
        status=status,
        body=body,
        etag=str(told.get("etag", "")),
        next=next((link["url"] for link in links if link.get("rel") == "next"), None),
        remaining=int(remaining) if remaining.isdecimal() else None,
        limit=int(limit) if limit.isdecimal() else None,
    )


def _diff(commit: Commit, sha: str) -> Diff:
    listed = list(islice(commit.files, MAX_FILES + 1))
    files = tuple(_file(file) for file in listed[:MAX_FILES])
    totals = (commit.stats.additions, commit.stats.deletions)
    # GitHub ends the list at 3,000 without a word; the commit's totals tell whether something was left out.
    seen = (sum(file.additions for file in files), sum(file.deletions for file in files))
    return Diff(
        sha=sha,
        parents=tuple(parent.sha for parent in commit.parents),
        files=files,
        additions=totals[0],
        deletions=totals[1],
        truncated=len(listed) > MAX_FILES or seen != totals,
    )


def _file(file: File) -> FileChange:
    status = _status(file.status)
    patch = _text(file.patch) if file.patch else None
    missing: Literal["binary", "too_large"] | None = None
    if patch is None and file.changes:
        missing = "too_large"
    elif patch is None and status not in ("renamed", "copied", "changed", "unchanged") and file.sha != EMPTY_BLOB:
        missing = "binary"
    return FileChange(
        path=_text(file.filename),
        previous_path=_text(file.previous_filename) if file.previous_filename else None,
        status=status,
        additions=file.additions,
        deletions=file.deletions,
        patch=patch,
        missing=missing,
    )


def _status(word: str) -> Status:
    known: dict[str, Status] = {status: status for status in get_args(Status)}
    return known.get(word, "modified")


def _text(value: str) -> str:
    """JSON can carry half of a surrogate pair, which no UTF-8 file or model can hold."""
    return value.encode("utf-8", "replace").decode("utf-8")


@contextmanager
def _readable_key() -> Iterator[None]:
    try:
        yield
    except json.JSONDecodeError:  # a ValueError too, but about GitHub's answer
        raise
    except (PyJWTError, ValueError, TypeError) as error:
        raise Permanent("GITHUB_APP_PRIVATE_KEY is not a private key: set it to the .pem file's whole text") from error


@contextmanager
def _translated(subject: str, credentials: str) -> Iterator[None]:
    """Every failure of a request as Transient or Permanent; `credentials` are the settings that a person corrects."""
    try:
        yield
    except github.GithubException as error:
        raise _from_answer(error, subject, credentials) from error
    except (github.BadAttributeException, ValidationError, AttributeError, TypeError, KeyError) as error:
        # PyGithub does not check answers: what is no commit (a proxy's page, say) shows when its fields are used.
        raise Transient(f"{subject}: GitHub's answer has an unexpected form") from error
    except (requests.RequestException, json.JSONDecodeError) as error:
        raise Transient(f"{subject}: GitHub could not be reached: {_brief(error)}") from error
    except (AssertionError, RuntimeError) as error:  # how PyGithub refuses an address on another host
        raise Permanent(
            f"{subject}: GitHub points to another address: check GITHUB_API_URL ({_brief(error)})"
        ) from error


def _from_answer(error: github.GithubException, subject: str, credentials: str) -> Transient | Permanent:
    said = _said(error)
    if error.status in (403, 429) and (wait := _limit_wait(error, said)) is not None:
        return Transient(f"GitHub's request limit is reached: {said}", retry_after=wait, shared=True)
    if error.status == 401:
        reason = f"GitHub refuses the credentials ({said}): check {credentials}"
        return Transient(reason, retry_after=CREDENTIALS_WAIT_SECONDS, refused=True)
    if error.status == 403:
        return Permanent(
            f"{subject}: GitHub forbids it ({said}): give the token or App read access to this repository's contents"
        )
    if error.status == 422 and said.startswith("No commit found"):
        return NotThere(f"{subject}: GitHub answered 422 ({said})")
    if error.status == 404:
        return NotThere(
            f"{subject}: GitHub has no such {'commit' if '@' in subject else 'repository or branch'}, "
            "or the token or App may not read this repository: check its access"
        )
    if error.status == 408 or error.status >= 500 or "temporarily unavailable" in said.lower():
        return Transient(f"{subject}: GitHub answered {error.status} ({said})", retry_after=_retry_after(error))
    return Permanent(f"{subject}: GitHub answered {error.status} ({said})")


def _limit_wait(error: github.GithubException, said: str) -> float | None:
    """Seconds until the limit is over, or None when the answer is not about a limit.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    headers = _headers(error)
    asked = _retry_after(error)
    if asked is not None:
        return asked
    if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdecimal():
        # One second more: the reset may be anywhere within that second.
        return _bounded(int(headers["x-ratelimit-reset"]) - time.time() + 1)
    return SECONDARY_WAIT_SECONDS if error.status == 429 or "rate limit" in said.lower() else None


def _retry_after(error: github.GithubException) -> float | None:
    """The header's seconds, or seconds until its date; None without one."""
    value = _headers(error).get("retry-after", "").strip()
    if value.isdecimal():
        return _bounded(float(value))
    try:
        return _bounded(parsedate_to_datetime(value).timestamp() - time.time()) if value else None
    except ValueError:
        return None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 1.0), LONGEST_WAIT_SECONDS)


def _headers(error: github.GithubException) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in (error.headers or {}).items()}


def _said(error: github.GithubException) -> str:
    """GitHub's own words, on one line."""
    message = error.data.get("message") if isinstance(error.data, dict) else error.data
    return " ".join(str(message or error.message or "no reason given").split())[:200]


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
