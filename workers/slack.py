"""Slack by a bot token: posts, changes and reads messages of any channel the bot is in, and says who the bot is.

https://docs.slack.dev/reference/methods/chat.postMessage, chat.update and conversations.history
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

import structlog
from pydantic import SecretStr
from slack_sdk import WebClient
from slack_sdk.models.blocks import Block
from slack_sdk.models.metadata import Metadata

from core.errors import Permanent
from workers.channels import MessageRefused, Posted
from workers.slack_errors import ScopeMissing, reached

if TYPE_CHECKING:
    from workers.notices import Notice

log = structlog.get_logger()

TIMEOUT_SECONDS: Final = 10
# Slack cuts longer texts, and refuses messages of more than about 13,200 characters in all.
MOST_CHARACTERS: Final = 12_000
EVENT_TYPE: Final = "daybook_commit"
_ID: Final = re.compile(r"[CDG][A-Z0-9]+")  # names have small letters only
PAGE: Final = 200  # messages asked for at once, as Slack advises
SKEW_SECONDS: Final = 300.0  # how far this machine's clock may be ahead of Slack's

# The SDK logs each failure itself, with what it was sent; ours are logged by whoever asked.
SILENT: Final = logging.getLogger("workers.slack.sdk")
SILENT.setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Message:
    """A message in Slack's own terms: `text` in its markup (see `escaped`), which notifications show, and blocks."""

    text: str
    blocks: Sequence[Block] = ()

    @property
    def fallback(self) -> str:
        """The text, within Slack's limit."""
        return self.text if len(self.text) <= MOST_CHARACTERS else self.text[: MOST_CHARACTERS - 1] + "…"


Render = Callable[["Notice"], Message]
T = TypeVar("T")


@dataclass(frozen=True)
class Bot:
    """Who a token belongs to, by `auth.test`; `scopes` is None when the server does not tell."""

    name: str
    team: str
    scopes: frozenset[str] | None = None


class Slack:
    """One workspace. Threads may share it; the constructor does no I/O, and no call is tried twice.

    Channels are given as `#name`, `name` or id. `timeout` is in seconds, for each wait on the network. Every method
    raises Transient, with Slack's own wait when it names one, or Permanent with what a person can do.
    """

    def __init__(
        self, token: SecretStr, *, api_url: str = "https://slack.com/api/", timeout: int = TIMEOUT_SECONDS
    ) -> None:
        self._token = token
        self._api_url = api_url.rstrip("/") + "/"
        self._timeout = timeout
        self._ids: dict[str, str] = {}

    def whoami(self) -> Bot:
        """Who the token belongs to, and what it may do. Posts nothing."""
        with reached():
            answer = self._client().auth_test()
            told = next(
                (str(value) for name, value in answer.headers.items() if name.lower() == "x-oauth-scopes"), None
            )
            scopes = None if told is None else frozenset(re.findall(r"[a-z:._-]+", told))
            return Bot(str(answer.get("user") or "?"), str(answer.get("team") or "?"), scopes)

    def post(self, channel: str, message: Message, *, ids: Collection[str] = (), thread: str | None = None) -> Posted:
        """Post a message; `ids` go into its metadata, where `find` looks for them."""
        try:
            with reached(channel):
                answer = self._client().chat_postMessage(
                    channel=self._ids.get(channel, channel), text=message.fallback, blocks=list(message.blocks) or None,
                    thread_ts=thread, metadata=_metadata(ids), unfurl_links=False, unfurl_media=False,
                )  # fmt: skip
                posted = Posted(str(answer["channel"]), str(answer["ts"]))
        except Permanent:
            self._ids.pop(channel, None)  # the name may be another channel's by now
            raise
        self._ids[channel] = posted.channel
        return posted

    def update(self, posted: Posted, message: Message, *, ids: Collection[str] = ()) -> None:
        """Replace a message of ours; raises MessageGone when that cannot be done any more."""
        with reached(posted.channel):
            self._client().chat_update(
                channel=posted.channel, ts=posted.ts, text=message.fallback, blocks=list(message.blocks),
                metadata=_metadata(ids),
            )  # fmt: skip

    def find(
        self, channel: str, ids: Collection[str], since: datetime, *, thread: str | None = None
    ) -> dict[str, Posted]:
        """Where each of these ids was posted since then, as far as it was; the newest message wins.

        Needs channels:history (groups:history for a private channel); a name that nothing was posted to yet also
        channels:read, to learn its id.
        """
        place, left, found = self.channel_id(channel), set(ids), dict[str, Posted]()
        oldest = f"{since.timestamp() - SKEW_SECONDS:.6f}"
        for message in self._messages(place, oldest, thread):
            for known in left & _ids_of(message):
                found[known] = Posted(place, str(message.get("ts")))
            if not (left := left - found.keys()):
                break
        return found

    def _messages(self, channel: str, oldest: str, thread: str | None) -> Iterator[Mapping[str, Any]]:
        """Messages of a channel, newest first; of a thread, without the one it hangs on."""

        def page(client: WebClient, cursor: str | None) -> Any:
            place: dict[str, Any] = {"channel": channel, "oldest": oldest, "include_all_metadata": True}
            if thread is None:
                return client.conversations_history(**place, limit=PAGE, cursor=cursor)
            return client.conversations_replies(**place, ts=thread, limit=PAGE, cursor=cursor)

        for message in self._pages(page, "messages", channel):
            if message.get("ts") != thread:
                yield message

    def try_reading(self, channel: str) -> None:
        """Read one message of a channel; raises what stands in the way (ScopeMissing: a right). Posts nothing."""
        place = self.channel_id(channel)
        with reached(channel):
            self._client().conversations_history(channel=place, limit=1)

    def channel_id(self, channel: str) -> str:
        """The id of a channel given by name or id; asks Slack once for a name, and remembers every channel it saw."""
        if _ID.fullmatch(channel):
            return channel
        if channel not in self._ids:
            self._learn(channel, "public_channel")
        if channel not in self._ids:
            try:
                self._learn(channel, "private_channel")
            except ScopeMissing as error:
                raise ScopeMissing(f"Slack has no public channel {channel}; for a private one, {error}") from None
        if channel not in self._ids:
            raise Permanent(f"Slack has no {channel} that the bot can see; name another channel, or invite the bot")
        return self._ids[channel]

    def _learn(self, channel: str, kind: str) -> None:
        def page(client: WebClient, cursor: str | None) -> Any:
            return client.conversations_list(types=kind, exclude_archived=True, limit=PAGE, cursor=cursor)

        for row in self._pages(page, "channels", channel):
            name, place = str(row.get("name")), str(row.get("id"))
            self._ids |= {name: place, f"#{name}": place}

    def _pages(
        self, ask: Callable[[WebClient, str | None], Any], rows: str, channel: str
    ) -> Iterator[Mapping[str, Any]]:
        cursor: str | None = None
        while True:
            with reached(channel):
                answer = ask(self._client(), cursor)
                found = [row for row in answer[rows] if isinstance(row, dict)]
                cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            yield from found
            if not cursor:
                return

    def _client(self) -> WebClient:
        return WebClient(
            self._token.get_secret_value(), base_url=self._api_url, timeout=self._timeout, retry_handlers=[],
            logger=SILENT,
        )  # fmt: skip


class SlackChannel:
    """A channel that notices are posted to by the bot; see `workers.channels.Channel`."""

    can_update = True
    can_search = True

    def __init__(self, slack: Slack, name: str, render: Render) -> None:
        self.service = f"slack:{name}"
        self._slack = slack
        self._name = name
        self._render = render

    def post(self, notice: Notice, *, thread: str | None = None) -> Posted:
        """Post a notice; see `_in_some_form`."""
        return self._in_some_form(
            notice, lambda message, ids: self._slack.post(self._name, message, ids=ids, thread=thread)
        )

    def update(self, posted: Posted, notice: Notice) -> None:
        """Replace a message; see `_in_some_form`."""
        self._in_some_form(notice, lambda message, ids: self._slack.update(posted, message, ids=ids))

    def _in_some_form(self, notice: Notice, send: Callable[[Message, Collection[str]], T]) -> T:
        """Send a notice as it is; when Slack refuses that, its text alone; at last even without its ids."""
        message = self._render(notice)
        for form, ids in ((message, notice.id), (Message(message.text), notice.id)):
            try:
                return send(form, ids)
            except MessageRefused as error:
                log.warning("slack_message_refused", ids=notice.id, reason=str(error))
        return send(Message(message.text), ())

    def find(self, ids: Collection[str], since: datetime, *, thread: str | None = None) -> dict[str, Posted]:
        """Look for ids in the metadata of the channel's messages."""
        return self._slack.find(self._name, ids, since, thread=thread)

    def say(self, text: str) -> None:
        """Post plain text of our own."""
        self._slack.post(self._name, Message(escaped(text)))


def escaped(text: str) -> str:
    """Text as Slack shows it literally: no mention, link or special command can come out of it.

    https://docs.slack.dev/messaging/formatting-message-text#escaping
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _metadata(ids: Collection[str]) -> Metadata | None:
    """https://docs.slack.dev/messaging/message-metadata; nobody sees it in the channel."""
    return Metadata(EVENT_TYPE, {"ids": list(ids)}) if ids else None


def _ids_of(message: Mapping[str, Any]) -> set[str]:
    """The ids that a message of ours carries; none for anybody else's, whatever its metadata look like."""
    metadata = message.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("event_type") != EVENT_TYPE:
        return set()
    payload = metadata.get("event_payload")
    ids = payload.get("ids") if isinstance(payload, dict) else None
    return {known for known in ids if isinstance(known, str)} if isinstance(ids, list) else set()
