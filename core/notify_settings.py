"""What daybook.toml says of notices: which commits go to which channel, when, and whom they mention."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from core.forms import ZoneName
from core.models import Tier

DEFAULT_FEISHU: Final = "default"  # the bot of FEISHU_WEBHOOK_URL

_CHANNEL = re.compile(r"#[^\s#,]{1,80}|[CG][A-Z0-9]{6,}|webhook|feishu:[a-z0-9][a-z0-9_-]*")
_SLACK_CHANNEL = re.compile(r"#?[^\s#,@:/]{1,80}")
_BOT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_ADDRESS = re.compile(r"https?://[^\s/?#]+[^\s]*")
# Members and user groups of Slack, and people of Feishu; nothing that stands for a whole channel.
_MENTION = re.compile(r"[UWS][A-Z0-9]{5,}|ou_[a-z0-9]+")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s?-\s?([01]\d|2[0-3]):([0-5]\d)")


def _channel(name: str) -> str:
    if not _CHANNEL.fullmatch(name):
        raise ValueError(f"{name!r} is not a channel; write #name, an id such as C0123456789, webhook or feishu:NAME")
    return name


def _slack_channel(name: str) -> str:
    if name == "webhook" or not _SLACK_CHANNEL.fullmatch(name):
        raise ValueError("not a channel of Slack; write #name or an id such as C0123456789, one channel")
    return name


def _bot_name(name: str) -> str:
    if not _BOT_NAME.fullmatch(name):
        raise ValueError("write it in small letters, digits, - and _; the channel's name is feishu:NAME")
    return name


def _address(url: SecretStr) -> SecretStr:
    """Not shown in the error: whoever knows it can post."""
    if not _ADDRESS.fullmatch(url.get_secret_value()):
        raise ValueError("not an address; copy it whole, from https:// on")
    return url


def _mention(name: str) -> str:
    found = name.removeprefix("@")
    if not _MENTION.fullmatch(found):
        raise ValueError(
            f"{name!r} is not an id; write a member's (U0123456789) or user group's (S0123456789) of Slack, or a "
            "person's of Feishu (ou_…); whole channels are never mentioned"
        )
    return found


ChannelName = Annotated[str, AfterValidator(_channel)]
SlackChannelName = Annotated[str, AfterValidator(_slack_channel)]  # where only the bot of Slack can post
WebhookAddress = Annotated[SecretStr, AfterValidator(_address)]
MentionId = Annotated[str, AfterValidator(_mention)]


class NotifyTable(BaseModel):
    """One `[[repository.notify]]`: the commits that all of its conditions hold for go to its channel."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    channel: ChannelName
    min_tier: Tier | None = Field(default=None, description="None: SLACK_MIN_TIER")
    tiers: tuple[Tier, ...] = Field(default=(), description="exactly these, instead of min_tier")
    paths: tuple[str, ...] = Field(default=(), description="patterns, of which one file must match one")
    authors: tuple[str, ...] = Field(default=(), description="patterns of names or logins, whatever their case")
    branches: tuple[str, ...] = Field(default=(), description="patterns; empty: all that are followed")
    bots: bool = Field(default=False, description="whether upkeep by robots is told of; what is watched always is")
    quiet: tuple[time, time] | None = Field(default=None, description="from when to when commits wait")
    timezone: ZoneName | None = Field(default=None, description="of `quiet`; None: REPORT_TIMEZONE")
    quiet_except: Tier | None = Field(default=None, description="from this tier on commits do not wait")
    digest: bool = Field(default=True, description="whether the daily digest of the whole repository comes here too")
    mention: tuple[MentionId, ...] | None = Field(default=None, description="for what is watched; None: watch.mention")

    @field_validator("tiers", "paths", "authors", "branches", "mention", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("authors", mode="after")
    @classmethod
    def _literal_brackets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """`*[bot]` means the characters `[bot]`, not one of the letters b, o, t."""
        return tuple(pattern.replace("[bot]", "[[]bot]") if "[[]" not in pattern else pattern for pattern in value)

    @field_validator("quiet", mode="before")
    @classmethod
    def _hours(cls, value: object) -> object:
        match = _HOURS.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            raise ValueError('write it as "22:00-08:00"')
        start, end = (time(int(match[at]), int(match[at + 1])) for at in (1, 3))
        if start == end:
            raise ValueError("it ends when it begins")
        return start, end

    @model_validator(mode="after")
    def _one_way_to_name_tiers(self) -> Self:
        if self.tiers and self.min_tier:
            raise ValueError("min_tier or tiers, not both")
        if self.quiet is None and (self.timezone or self.quiet_except):
            raise ValueError("timezone and quiet_except need quiet hours")
        return self


class FeishuBot(BaseModel):
    """One `[[feishu]]`: a group's custom bot of Feishu or Lark, whose channel is `feishu:NAME`."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: Annotated[str, AfterValidator(_bot_name)]
    url: WebhookAddress
    secret: SecretStr | None = Field(default=None, description="the signature key; None: its signature check is off")
