"""`daybook notify`: post a sample to a channel, or show how a commit is told without posting it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from cli.checked import load_settings
from core.errors import DaybookError, Permanent, Transient
from core.ledger import Ledger
from core.models import REPOSITORY_PATTERN
from core.notify_settings import DEFAULT_FEISHU
from core.redis_server import redis_url
from workers.channels import FEISHU, WEBHOOK, alert_channel, channels_of
from workers.feishu_card import feishu_card
from workers.notices import commit_notice, sample_notice
from workers.routing import channels_named, routes
from workers.slack_blocks import blocks_json, slack_message

if TYPE_CHECKING:
    from core.models import CommitRecord
    from core.settings import Settings
    from workers.notices import Notice

BUILDER = "https://app.slack.com/block-kit-builder/#"
_CHANNEL = re.compile(r"feishu:[a-z0-9][a-z0-9_-]*|#?[^\s#,@:/]{1,80}")
_COMMIT = re.compile(r"(?:(?P<name>.+)@)?(?P<sha>[0-9a-f]{4,64})", re.IGNORECASE)


@click.command()
@click.option(
    "--test", is_flag=True, help="Post a sample to every channel of the settings (that of alerts too), or to one."
)
@click.option("--preview", metavar="[OWNER/REPO@]SHA", help="Print how a commit is told; nothing is posted.")
@click.option("--channel", metavar="NAME", help="#name, a channel's id, webhook, or feishu:NAME.")
def notify(preview: str | None, channel: str | None, *, test: bool) -> None:
    """Try the channels of the settings, or look at a message before it is posted.

    A preview is the message's blocks as JSON with a link to Slack's Block Kit Builder, or a card of Feishu. A sha may
    be shortened to four digits or more.
    """
    if test == bool(preview):
        raise click.UsageError("say either --test or --preview SHA")
    if channel is not None and not _CHANNEL.fullmatch(channel):
        raise click.UsageError(f"{channel!r} is not a channel: #name, a channel's id, webhook, or feishu:NAME")
    settings = load_settings()
    if preview:
        click.echo(_preview(settings, preview, channel))
    else:
        _test(settings, (channel,) if channel else _named(settings))


def _named(settings: Settings) -> tuple[str, ...]:
    """Where commits go, and alerts: a wrong channel for those would be noticed only when something else is wrong."""
    alerts = alert_channel(settings)
    return tuple(dict.fromkeys((*channels_named(settings), *([alerts] if alerts else []))))


def _test(settings: Settings, names: tuple[str, ...]) -> None:
    if not names:
        raise DaybookError(
            "no channel is set: SLACK_BOT_TOKEN and SLACK_CHANNEL, SLACK_WEBHOOK_URL or FEISHU_WEBHOOK_URL"
        )
    failed = [name for name in names if not _posted(settings, name)]
    if failed:
        raise DaybookError(f"not posted to {', '.join(failed)}")


def _posted(settings: Settings, name: str) -> bool:
    channel = channels_of(settings).channel(name)
    if channel is None:
        click.echo(f"{name}: nothing is set for it; {_lacking(name)}", err=True)
        return False
    try:
        channel.post(sample_notice(settings))
    except (Transient, Permanent) as error:
        click.echo(f"{name}: {error}", err=True)
        return False
    click.echo(f"{name}: posted")
    return True


def _lacking(name: str) -> str:
    """What has to be set for a channel."""
    if name.startswith(FEISHU):
        own = name.removeprefix(FEISHU)
        return "set FEISHU_WEBHOOK_URL" if own == DEFAULT_FEISHU else f"no [[feishu]] table has the name {own!r}"
    return "set SLACK_WEBHOOK_URL" if name == WEBHOOK else "set SLACK_BOT_TOKEN"


def _preview(settings: Settings, commit: str, channel: str | None) -> str:
    record = _record(settings, commit)
    found = {route.channel: route for route in routes(record, settings)}
    if channel is None:
        channel = next(iter(found), "")
        told = f"goes to {', '.join(found)}" if found else "goes to no channel by the settings"
        click.echo(f"{record.commit.id} {told}", err=True)
    mention = found[channel].mention if channel in found else ()
    return _rendered(commit_notice(record, settings, mention=mention), channel)


def _rendered(notice: Notice, channel: str) -> str:
    if channel.startswith(FEISHU):
        return json.dumps(feishu_card(notice), ensure_ascii=False, indent=2)
    document = {"blocks": blocks_json(slack_message(notice))}
    compact = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return f"{json.dumps(document, ensure_ascii=False, indent=2)}\n\n{BUILDER}{quote(compact, safe='')}"


def _record(settings: Settings, commit: str) -> CommitRecord:
    match = _COMMIT.fullmatch(commit)
    if match is None or (match["name"] and not re.match(REPOSITORY_PATTERN, match["name"])):
        raise click.UsageError(f"{commit!r} is not [OWNER/REPO@]SHA (a sha's first four digits or more)")
    name, sha = (match["name"] or "").lower(), match["sha"].lower()
    with redis_url(settings) as url:
        ledger = Ledger(url, settings.zone)
        try:
            places = [known for known in ledger.repositories() if name in ("", known.lower())]
            found = [record for place in places if (record := _known(ledger, place, sha))]
        finally:
            ledger.close()
    if not found:
        raise DaybookError(f"no commit{f' of {name}' if name else ''} that begins with {sha} is known")
    if len(found) > 1:
        raise DaybookError(f"{sha} is in {', '.join(one.commit.repository for one in found)}: write OWNER/REPO@SHA")
    return found[0]


def _known(ledger: Ledger, repository: str, prefix: str) -> CommitRecord | None:
    sha = ledger.find_commit(repository, prefix)
    return ledger.record(repository, sha) if sha else None
