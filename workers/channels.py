"""Channels: where notices are posted, and which channel a name of the settings stands for.

A channel's name is `#name` or an id such as `C0123456789` (Slack, by the bot token), `webhook` (Slack's incoming
webhook) or `feishu:NAME` (a custom bot of Feishu or Lark).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol

from core.errors import Permanent

if TYPE_CHECKING:
    from core.settings import Settings
    from workers.feishu import Card
    from workers.notices import Notice
    from workers.slack import Message, Slack

WEBHOOK: Final = "webhook"
FEISHU: Final = "feishu:"


class MessageGone(Permanent):
    """The message to change or to answer cannot be changed or answered any more; the channel itself is well."""


class MessageRefused(Permanent):
    """The form of this one message is refused, however plainly it was put; the channel itself is well."""


@dataclass(frozen=True)
class Posted:
    """Where a message stands: the channel's id and the message's time stamp; both "" where a channel does not say."""

    channel: str = ""
    ts: str = ""


class Channel(Protocol):
    """One place where notices are posted. Threads may share it.

    Nothing is retried inside: a message whose answer was lost may stand there already, and only the caller knows
    whether twice is better than never. (A message that was refused for its form is tried again in a plainer one, or it
    would be in the way of all others for ever.) All methods raise Transient, with the wait that the other side asks
    for, or Permanent with what a person can do; MessageRefused and MessageGone concern the one message alone.
    """

    @property
    def service(self) -> str:
        """Under which name its pauses are kept in the ledger: its limits are its own."""

    @property
    def can_update(self) -> bool:
        """Whether messages can be changed, and answered in a thread."""

    @property
    def can_search(self) -> bool:
        """Whether messages can be read back: only then a notice can stand there once whatever happens."""

    def post(self, notice: Notice, *, thread: str | None = None) -> Posted:
        """Post a notice, below the message `thread` (its `ts`) if given.

        Raises MessageGone when that is gone, MessageRefused when the notice is taken in no form.
        """

    def update(self, posted: Posted, notice: Notice) -> None:
        """Replace a message in place; raises MessageGone when it is not there or may not be changed any more."""

    def find(self, ids: Collection[str], since: datetime, *, thread: str | None = None) -> dict[str, Posted]:
        """Which ids of notices were posted since then, and where; below the message `thread` if given.

        Messages in threads are found with `thread` only. A channel that cannot be searched finds nothing.
        """

    def say(self, text: str) -> None:
        """Post plain text of our own, such as an alert; nothing in it is taken for markup."""


class Channels:
    """The channels of the settings; no I/O. Clients are made on first use and kept, with the channel ids they learn.

    Their code is loaded on first use too: a process that posts nothing saves a tenth of a second.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def channel(self, name: str) -> Channel | None:
        """The channel of a name; None when what it needs is not set."""
        if name.startswith(FEISHU):
            return self._feishu(name)
        return self._webhook if name == WEBHOOK else self._bot(name)

    def for_alerts(self) -> Channel | None:
        """Where alerts go; None for the log."""
        name = alert_channel(self._settings)
        return self.channel(name) if name else None

    @cached_property
    def _slack(self) -> Slack | None:
        from workers.slack import Slack

        token = self._settings.slack_bot_token
        return Slack(token, api_url=self._settings.slack_api_url) if token else None

    def _bot(self, name: str) -> Channel | None:
        from workers.slack import SlackChannel

        return SlackChannel(self._slack, name, _slack_message) if self._slack else None

    @cached_property
    def _webhook(self) -> Channel | None:
        from workers.slack_webhook import SlackWebhook

        url = self._settings.slack_webhook_url
        return SlackWebhook(url, _slack_message) if url else None

    def _feishu(self, name: str) -> Channel | None:
        from workers.feishu import Feishu

        bot = next((bot for bot in self._settings.feishu_bots if f"{FEISHU}{bot.name}" == name), None)
        return Feishu(name, bot.url, bot.secret, _feishu_card) if bot else None


def alert_channel(settings: Settings) -> str | None:
    """Where alerts go: Slack's alert channel, else its channel, else its webhook, else Feishu; None for the log."""
    name = settings.slack_alert_channel or settings.slack_channel
    if settings.slack_bot_token and name:
        return name
    if settings.slack_webhook_url:
        return WEBHOOK
    bots = settings.feishu_bots
    return f"{FEISHU}{bots[0].name}" if bots else None


def channels_of(settings: Settings) -> Channels:
    """The channels that the settings name; once for each process."""
    return Channels(settings)


def _slack_message(notice: Notice) -> Message:
    from workers.slack_blocks import slack_message

    return slack_message(notice)


def _feishu_card(notice: Notice) -> Card:
    from workers.feishu_card import feishu_card

    return feishu_card(notice)
