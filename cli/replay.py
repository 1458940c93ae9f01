"""`daybook replay`: posts a clone's history to a running endpoint as GitHub would have, one signed push at a time.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
import uuid
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click
import httpx2
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.checked import load_settings
from cli.report import Day
from core.days import in_range
from core.errors import DaybookError
from core.forms import web_parts
from core.models import REPOSITORY_PATTERN
from core.settings import Settings
from workers.gitrepo import GitRepository
from workers.landings import Landing
from workers.patch import CommitInfo, Person

USUAL_PUSHES: Final = 20
# A push event lists no more commits, and says nothing about the rest.
MAX_COMMITS: Final = 2048
# GitHub's commit API stops at so many files; a longer list would only make the delivery too large.
MAX_PATHS: Final = 3000
HOOK_PATH: Final = "/webhooks/github"
# GitHub gives up on a delivery after this time.
DELIVERY_SECONDS: Final = 10.0
# Waits before a delivery is tried again that was answered 503 or not at all.
WAITS_SECONDS: Final = (0.5, 1.0, 2.0, 4.0)

Json = dict[str, Any]  # GitHub's JSON, at the edge


@dataclass(frozen=True, slots=True)
class Delivered:
    """A push that was posted, and what the endpoint said to it."""

    push: Landing
    delivery: str
    status: int
    answer: str

    @property
    def refused(self) -> bool:
        """Whether the endpoint did not take it."""
        return not 200 <= self.status < 300

    @property
    def error(self) -> str:
        """Why it was refused, on one line."""
        return _on_one_line(self._said("error", self.answer)) or "no reason given"

    @property
    def ignored(self) -> str:
        """Why nothing of it is taken although it was not refused, on one line; "" where it is taken."""
        return "" if self.refused else _on_one_line(self._said("ignored", ""))

    @property
    def known(self) -> int:
        """How many of its commits the endpoint knew before."""
        found = self._said("known", 0)
        return found if isinstance(found, int) else 0

    @property
    def rejected(self) -> list[str]:
        """The commits of it that the endpoint cannot read, each with where and why."""
        found = self._said("rejected", [])
        return [_on_one_line(one) for one in found] if isinstance(found, list) else []

    def _said(self, key: str, otherwise: object) -> object:
        """What a key of the answer says; `otherwise` where it is no JSON or has no such key."""
        try:
            return json.loads(self.answer)[key]
        except (ValueError, KeyError, TypeError):
            return otherwise


def repository_name(path: Path) -> str:
    """The `owner/name` of a clone: from its remote `origin` on a github host, else `local/` and the folder's name."""
    found = re.search(
        r"^(?:(?:https?|ssh|git)://)?(?:[^@/]*@)?(?:www\.)?github(?:\.[\w-]+)+(?::\d+)?[/:]+([^/]+/[^/]+?)(?:\.git)?/?$",
        GitRepository(path).origin() or "",
        re.IGNORECASE,
    )
    if found and re.fullmatch(REPOSITORY_PATTERN, found[1]):
        return found[1]
    resolved = path.resolve()
    folder = resolved.parent.name if resolved.name == ".git" else resolved.name.removesuffix(".git")
    valid = re.sub(r"[^A-Za-z0-9._-]+", "-", folder).strip(".-")[:90]
    return f"local/{valid or 'repository'}"


def chosen(
    path: Path,
    *,
    day: date | None = None,
    last: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    zone: tzinfo = UTC,
) -> list[Landing]:
    """The pushes of a clone's current branch, oldest first; the last 20 when nothing limits them.

    A `day` is one of the calendar in `zone`; `since` is included, `until` is not. Raises DaybookError.
    """
    if day is not None:
        since, until = start_of(day, zone), start_of(day + timedelta(days=1), zone)
    elif last is None and since is None:
        last = USUAL_PUSHES
    return GitRepository(path).first_parent(last=last, since=since, until=until)


def start_of(day: date, zone: tzinfo) -> datetime:
    """The first moment of a calendar day."""
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def replay(
    path: Path,
    url: str,
    secret: SecretStr,
    *,
    name: str | None = None,
    day: date | None = None,
    last: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    zone: tzinfo = UTC,
    rate: float | None = None,
) -> Iterator[Delivered]:
    """Post a clone's history and yield each push once it is answered; see `chosen` and `post`."""
    pushes = chosen(path, day=day, last=last, since=since, until=until, zone=zone)
    yield from post(
        pushes, url, secret, name=name or repository_name(path), branch=GitRepository(path).default_branch(), rate=rate
    )


def post(
    pushes: Sequence[Landing], url: str, secret: SecretStr, *, name: str, branch: str, rate: float | None = None
) -> Iterator[Delivered]:
    """Post pushes in order over one connection, at most `rate` a second, and yield each once it is answered.

    A push answered 503, or not at all, is tried four times more. Raises DaybookError when nothing answers.
    """
    address = endpoint(url)
    local = urlsplit(address).hostname in ("127.0.0.1", "::1", "localhost")
    with httpx2.Client(timeout=DELIVERY_SECONDS, trust_env=not local) as client:
        due = time.monotonic()
        for push in pushes:
            time.sleep(max(due - time.monotonic(), 0))
            due = max(due, time.monotonic() - 1) + (1 / rate if rate else 0)
            yield _delivered(client, address, push, push_payload(push, name, branch), secret)


def endpoint(url: str) -> str:
    """The address to post to: a URL without a path gets the webhook's. Raises DaybookError when it is not a URL."""
    parts = web_parts(url)
    if parts is None:
        raise DaybookError(f"{url!r} is not an address: give one such as http://127.0.0.1:8000")
    return parts._replace(path=HOOK_PATH).geturl() if parts.path in ("", "/") else url


def _delivered(client: httpx2.Client, url: str, push: Landing, payload: Json, secret: SecretStr) -> Delivered:
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    delivery = str(uuid.uuid4())
    headers = delivery_headers(body, delivery, secret)
    for wait in (*WAITS_SECONDS, None):
        try:
            answer = client.post(url, content=body, headers=headers)
        except httpx2.TransportError as error:
            if wait is None:
                raise DaybookError(
                    f"{url} does not answer ({_brief(error)}): start it with `daybook up`, or check --url"
                ) from error
        else:
            if answer.status_code != httpx2.codes.SERVICE_UNAVAILABLE or wait is None:
                break
        time.sleep(wait)
    return Delivered(push, delivery, answer.status_code, answer.text)


def delivery_headers(body: bytes, delivery: str, secret: SecretStr) -> dict[str, str]:
    """The headers of a delivery; the signature is over the body's exact bytes.

    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    signature = hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/daybook-replay",
        "X-GitHub-Delivery": delivery,
        "X-GitHub-Event": "push",
        "X-Hub-Signature-256": f"sha256={signature}",
    }


def push_payload(push: Landing, name: str, branch: str) -> Json:
    """GitHub's push event for one push to the default branch. `commits` keeps the newest 2,048, oldest first."""
    web = f"https://github.com/{name}"
    head, created = push.head, not push.before.strip("0")
    commits = [_commit(commit, web) for commit in push.commits[-MAX_COMMITS:]]
    pusher = _person(head.committer)
    span = head.sha[:12] if created else f"{push.before[:12]}...{head.sha[:12]}"
    return {
        "ref": f"refs/heads/{branch}",
        "before": push.before,
        "after": head.sha,
        "repository": _repository(name, web, branch, head),
        "pusher": {"name": pusher.get("username", pusher["name"]), "email": pusher["email"]},
        "sender": _user(pusher.get("username") or name.partition("/")[0]),
        "created": created,
        "deleted": False,
        "forced": False,
        "base_ref": None,
        "compare": f"{web}/{'commit' if created else 'compare'}/{span}",
        "commits": commits,
        "head_commit": commits[-1],
    }


def _repository(name: str, web: str, branch: str, head: CommitInfo) -> Json:
    owner, _, short = name.partition("/")
    return {
        "id": zlib.crc32(name.encode()),  # any number that stays the same
        "name": short,
        "full_name": name,
        "private": False,
        "owner": {"name": owner, **_user(owner)},
        "html_url": web,
        "url": web,
        "pushed_at": int(head.committed_at.timestamp()),
        "default_branch": branch,
        "master_branch": branch,
    }


def _commit(commit: CommitInfo, web: str) -> Json:
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": True,
        "message": commit.message,
        "timestamp": commit.committed_at.isoformat(),
        "url": f"{web}/commit/{commit.sha}",
        "author": _person(commit.author),
        "committer": _person(commit.committer),
        "added": list(commit.added[:MAX_PATHS]),
        "removed": list(commit.removed[:MAX_PATHS]),
        "modified": list(commit.modified[:MAX_PATHS]),
    }


def _person(person: Person) -> dict[str, str]:
    """As GitHub writes it; the user name is there only when the address tells it."""
    login = re.fullmatch(r"(?:\d+\+)?([A-Za-z0-9-]+(?:\[bot\])?)@users\.noreply\.github\.com", person.email)
    username = {"username": login[1]} if login else {}
    if person.email == "noreply@github.com":  # whoever presses the merge button
        username = {"username": "web-flow"}
    return {"name": person.name, "email": person.email, **username}


def _user(login: str) -> Json:
    return {"login": login, "id": zlib.crc32(login.encode()), "type": "User", "html_url": f"https://github.com/{login}"}


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


class Moment(click.ParamType[str]):
    """A date or a date and time in ISO 8601; kept as text until the report's time zone is known."""

    name = "date or time"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what is neither."""
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is neither a date such as 2026-02-17 nor a time such as 2026-02-17T08:00", param, ctx)
        try:
            in_range(moment.date())
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value


def moment_from(text: str, zone: tzinfo, *, end: bool = False) -> datetime:
    """A date's first moment (with `end`: the next day's), or the time that is written; in `zone` unless it says."""
    if re.fullmatch(r"[\dW-]+", text):
        return start_of(date.fromisoformat(text) + timedelta(days=int(end)), zone)
    written = datetime.fromisoformat(text)
    return written if written.tzinfo else written.replace(tzinfo=zone)


@click.command("replay")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--url", required=True, help="The endpoint; /webhooks/github is added to an address without a path.")
@click.option("--name", metavar="OWNER/REPO", help="Replay as this repository (default: from the clone's origin).")
@click.option("--day", type=Day(), help="The pushes of one day in REPORT_TIMEZONE.")
@click.option("--last", type=click.IntRange(1), help=f"The last N pushes (default {USUAL_PUSHES}).")
@click.option("--since", type=Moment(), help="Pushes from this date or time on.")
@click.option("--until", type=Moment(), help="Pushes up to the end of this date, or before this time.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="At most so many pushes a second.")
def replay_command(
    path: Path,
    url: str,
    name: str | None,
    day: date | None,
    last: int | None,
    since: str | None,
    until: str | None,
    rate: float | None,
) -> None:
    """Post the history of the clone at PATH to a running Daybook, signed with the first GITHUB_WEBHOOK_SECRET."""
    if sum((day is not None, last is not None, since is not None or until is not None)) > 1:
        raise click.UsageError("give only one of --day, --last and --since/--until")
    if name is not None and not re.fullmatch(REPOSITORY_PATTERN, name):
        raise click.UsageError(f"--name: {name!r} is not OWNER/REPO")
    settings = load_settings()
    secret = _secret(settings)
    zone = settings.zone
    pushes = chosen(
        path,
        day=day,
        last=last,
        since=moment_from(since, zone) if since else None,
        until=moment_from(until, zone, end=True) if until else None,
        zone=zone,
    )
    target = name or repository_name(path)
    branch = GitRepository(path).default_branch()
    deliveries = list(_drawn(post(pushes, url, secret, name=target, branch=branch, rate=rate), len(pushes)))
    click.echo(_summary(deliveries, target))


def _secret(settings: Settings) -> SecretStr:
    if not settings.github_webhook_secret:
        raise DaybookError("GITHUB_WEBHOOK_SECRET is not set: set it to the secret of the endpoint")
    return settings.github_webhook_secret[0]


def _drawn(deliveries: Iterator[Delivered], total: int) -> Iterator[Delivered]:
    """Pass deliveries on with a progress bar on stderr."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(deliveries, total=total, description="pushes posted")


def _summary(deliveries: Sequence[Delivered], name: str) -> str:
    """The closing line; raises DaybookError when a push was refused, or when there were some and all were ignored."""
    if refused := [delivered for delivered in deliveries if delivered.refused]:
        first = refused[0]
        raise DaybookError(
            f"{len(refused)} of {len(deliveries)} pushes of {name} were refused; "
            f"the first, {first.push.head.sha[:12]}, with {first.status}: {first.error}"
        )
    ignored = Counter(delivered.ignored for delivered in deliveries if delivered.ignored)
    if ignored and ignored.total() == len(deliveries):
        raise DaybookError(
            f"nothing was taken: {_ignored(ignored)}; have the endpoint's daybook.toml follow it, "
            "or give the --name that it follows"
        )
    taken = [delivered for delivered in deliveries if not delivered.ignored]
    commits = _counted(sum(len(delivered.push.commits) for delivered in taken), "commit")
    told = f"{name}: {_counted(len(taken), 'push')} with {commits} delivered{_remarks(taken)}"
    return f"{told}; {_ignored(ignored)}" if ignored else told


def _remarks(taken: Sequence[Delivered]) -> str:
    """What is not new in the pushes that were taken, or could not be read."""
    known = sum(delivered.known for delivered in taken)
    rejected = [why for delivered in taken for why in delivered.rejected]
    told = f", {known} of them known before" if known else ""
    if rejected:
        told += f"; {_counted(len(rejected), 'commit')} rejected, the first for {rejected[0]}"
    return told


def _ignored(reasons: Counter[str]) -> str:
    """`2 pushes ignored: octocat/x is not followed`, with each reason once."""
    return f"{_counted(reasons.total(), 'push')} ignored: {', '.join(reasons)}"


def _counted(count: int, noun: str) -> str:
    plural = "" if count == 1 else "es" if noun.endswith("sh") else "s"
    return f"{count} {noun}{plural}"


def _on_one_line(said: object) -> str:
    return " ".join(str(said).split())[:300]
