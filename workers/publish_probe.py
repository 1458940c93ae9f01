"""Probes of where reports are published, for `daybook check`: the repositories on GitHub, and the mail server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.errors import Permanent, Transient
from core.settings import RepositorySettings, Settings
from workers.issues import refused
from workers.mail import Mailer
from workers.probes import Finding
from workers.publish import publisher

MOST_PLACES = 20


def probe_publishing(settings: Settings) -> list[Finding]:
    """Whether each `publish_to` may be written to, and is as private as what goes there; writes nothing."""
    tables = [table for table in settings.daybook_repositories if table.publish_to]
    return [finding for table in tables[:MOST_PLACES] for finding in _place(settings, table)]


def _place(settings: Settings, table: RepositorySettings) -> Iterator[Finding]:
    assert table.publish_to
    what = "issues" if "issue" in table.publish else "contents"
    try:
        there = _described(settings, table.publish_to, what)
        source = _described(settings, table.name, what) if table.source == "github" else {}
    except Permanent as error:
        yield Finding("publish", "wrong", str(error), "see there")
        return
    except Transient as error:
        said, _, remedy = str(error).partition(": ") if error.refused else (str(error), "", "try again later")
        yield Finding("publish", "wrong" if error.refused else "warn", said, remedy)
        return
    app = settings.publish_token is None and settings.github_app_id is not None  # whose `push` is always false
    if "commit" in table.publish and not app and there.get("permissions", {}).get("push") is False:
        yield Finding("publish", "wrong", f"{table.publish_to} cannot be written to",
                      "give PUBLISH_TOKEN, GITHUB_TOKEN or the App write access there")  # fmt: skip
    elif "issue" in table.publish and there.get("has_issues") is False:
        yield Finding("publish", "wrong", f"{table.publish_to} has issues switched off",
                      "switch them on in its settings")  # fmt: skip
    elif there.get("private") is False and (source.get("private") or table.confidential):
        text = f"{table.publish_to} is public, but what is published there of {table.name} is not"
        yield Finding("publish", "warn", text, "make it private, or choose another `publish_to`")
    else:
        yield Finding("publish", "ok", f"{table.name} at {table.publish_to} ({', '.join(table.publish)})")


def _described(settings: Settings, repository: str, what: str) -> dict[str, Any]:
    with refused(repository, what):
        body = publisher(settings).ask(repository, "").body
    return body if isinstance(body, dict) else {}


def probe_mail(settings: Settings) -> list[Finding]:
    """Whether the mail server takes the login; sends nothing. Nothing at all where no mail is set."""
    if settings.smtp_host is None:
        wanted = settings.mail_to or any(table.mail_to for table in settings.daybook_repositories)
        return [Finding("mail", "wrong", "MAIL_TO is set without a server", "set SMTP_HOST")] if wanted else []
    try:
        Mailer.from_settings(settings).probe()
    except Permanent as error:
        said, _, remedy = str(error).partition(": ")
        return [Finding("mail", "wrong", said, remedy)]
    except Transient as error:
        return [Finding("mail", "warn", str(error), "try again later, or check SMTP_HOST and SMTP_PORT")]
    if settings.smtp_security == "none" and settings.smtp_host not in ("localhost", "127.0.0.1", "::1"):
        text = "mails and the password go unencrypted"
        return [Finding("mail", "warn", text, "set SMTP_SECURITY to starttls or tls")]
    return [Finding("mail", "ok", f"{settings.smtp_host} takes mails of {settings.mail_from}")]
