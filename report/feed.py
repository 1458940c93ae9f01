"""Days → an Atom feed (RFC 4287); pure: what was updated when is told by the caller."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

from core.models import Tier
from report.html import page, tier_numbers
from report.labels import Labels, labels
from report.wording import tier_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.models import Language
    from report.digest import DayDigest

FEED_DAYS = 30
MEDIA_TYPE = "application/atom+xml"
ATOM = "http://www.w3.org/2005/Atom"

# A host as a tag URI may name it (RFC 4151): no port, no IPv6 address.
_AUTHORITY = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*", re.ASCII)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class FeedDay:
    """A day and when its report came to say what it says."""

    digest: DayDigest
    updated: datetime


@dataclass(frozen=True)
class Feed:
    """Where a repository's feed is served: `site` is `https://host`, without the final slash.

    `host` names whose tags the ids are; it has to stay what it is, or readers see every day anew.
    """

    repository: str
    language: Language
    site: str
    host: str


def authority(site_url: str | None) -> str:
    """The host of SITE_URL as ids name it; `localhost` when it is not set or has no name."""
    try:
        host = urlsplit(site_url or "").hostname or ""
    except ValueError:
        host = ""
    return host if _AUTHORITY.fullmatch(host) else "localhost"


def atom(feed: Feed, days: Sequence[FeedDay]) -> bytes:
    """The feed of some days, in the order given; UTF-8 with its declaration."""
    words = labels(feed.language)
    address = f"{feed.site}/{feed.repository}"
    root = ET.Element("feed", {"xmlns": ATOM, "xml:lang": words.word("html_language")})
    _text(root, "id", f"tag:{feed.host},2026:{feed.repository.lower()}")
    _text(root, "title", words.word("feed_title", repository=feed.repository))
    _text(root, "updated", _moment(max((day.updated for day in days), default=_NEVER)))
    ET.SubElement(root, "link", {"rel": "self", "type": MEDIA_TYPE, "href": f"{address}/feed.atom"})
    ET.SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": address})
    _text(ET.SubElement(root, "author"), "name", "Daybook")
    _text(root, "generator", "Daybook")
    for day in days:
        _entry(ET.SubElement(root, "entry"), day, feed, words)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _entry(entry: ET.Element, day: FeedDay, feed: Feed, words: Labels) -> None:
    digest = day.digest
    address = f"{feed.site}/{feed.repository}/{digest.day}"
    _text(entry, "id", f"tag:{feed.host},2026:{feed.repository.lower()}/{digest.day}")
    _text(entry, "title", _title(digest, words))
    _text(entry, "updated", _moment(day.updated))
    ET.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": address})
    content = page("feed_day.html", feed.language, "", (), digest=digest, address=address, site=feed.site)
    _text(entry, "content", content.strip()).set("type", "html")


def _title(digest: DayDigest, words: Labels) -> str:
    counts = tier_numbers(digest.tiers)
    parts = [f"{digest.repository} {digest.day}", words.word("commit_count", n=digest.coverage.total)]
    parts += [f"{tier_name(tier, words)} {counts[tier]}" for tier in (Tier.HIGH, Tier.MEDIUM) if counts[tier]]
    return " · ".join(parts)


def _text(parent: ET.Element, name: str, text: str) -> ET.Element:
    child = ET.SubElement(parent, name)
    child.text = text
    return child


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
