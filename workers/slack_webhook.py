"""Slack by an incoming webhook: a channel that can be posted to, and neither read nor changed.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

import structlog
from pydantic import SecretStr
from slack_sdk import WebhookClient

from workers.channels import MessageGone, MessageRefused, Posted
from workers.slack import SILENT, TIMEOUT_SECONDS, Message, Render, escaped
from workers.slack_errors import from_webhook, reached

if TYPE_CHECKING:
    from workers.notices import Notice

log = structlog.get_logger()


class SlackWebhook:
    """The channel of one webhook; see `workers.channels.Channel`. The constructor does no I/O."""

    service = "slack:webhook"
    can_update = False
    can_search = False

    def __init__(self, url: SecretStr, render: Render, *, timeout: int = TIMEOUT_SECONDS) -> None:
        self._url = url
        self._render = render
        self._timeout = timeout

    def post(self, notice: Notice, *, thread: str | None = None) -> Posted:  # noqa: ARG002 - as every channel
        """Post a notice, by its text alone when Slack refuses the blocks; a webhook does not say where it stands."""
        message = self._render(notice)
        try:
            self._send(message)
        except MessageRefused as error:
            log.warning("slack_message_refused", ids=notice.id, reason=str(error))
            self._send(Message(message.text))
        return Posted()

    def update(self, posted: Posted, notice: Notice) -> None:  # noqa: ARG002 - as every channel
        """Not possible: raises MessageGone."""
        raise MessageGone("an incoming webhook cannot change messages; set SLACK_BOT_TOKEN and SLACK_CHANNEL")

    def find(self, ids: Collection[str], since: datetime, *, thread: str | None = None) -> dict[str, Posted]:  # noqa: ARG002 - as every channel
        """Not possible: finds nothing."""
        return {}

    def say(self, text: str) -> None:
        """Post plain text of our own."""
        self._send(Message(escaped(text)))

    def _send(self, message: Message) -> None:
        client = WebhookClient(self._url.get_secret_value(), timeout=self._timeout, retry_handlers=[], logger=SILENT)
        with reached():
            answer = client.send(
                text=message.fallback, blocks=list(message.blocks) or None, unfurl_links=False, unfurl_media=False
            )
        if answer.status_code != 200 or answer.body.strip() != "ok":
            raise from_webhook(answer.status_code, answer.body, answer.headers)
