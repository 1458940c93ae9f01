"""Texts of settings that have a form: time zones, languages, addresses, paths; checked when settings are read."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator

from core.languages import languages
from core.models import Language

_PLACES = ("owner", "repo", "year", "month", "day", "date")
# What a mail server takes without quoting; nothing in it can end a header's line.
_ATOM, _LABEL = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+", r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")

# Paths are added to it, which a query or fragment would swallow; the rest would end a link in the text around it.
_NOT_IN_AN_ADDRESS = re.compile(r"[\s?#<>\"|\\^`{}\x00-\x1f\x7f]")


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of them, such as Europe
        raise ValueError(f"{name!r} is not a time zone; use an IANA name such as Asia/Shanghai or UTC") from error
    return name


def _known_language(code: str) -> str:
    if code not in languages():
        raise ValueError(f"{code!r} has no words in report/labels; there are {', '.join(languages())}")
    return code


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise ValueError(f"{text!r} is not a mail address; write it as name@example.org")
    return text


def web_parts(url: str) -> SplitResult | None:
    """The parts of an address that can be asked by HTTP; None when it is none."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if usable else None


def _site_address(url: str) -> str:
    """Not shown in the error: it may have a password in it, which every link would tell."""
    parts = web_parts(url)
    if parts is None or "@" in parts.netloc or _NOT_IN_AN_ADDRESS.search(url):
        raise ValueError(
            "not an address that links can begin with; write it whole, such as https://daybook.example.org"
        )
    return url


def _service_address(url: str) -> str:
    """Not shown in the error: it may have a password in it."""
    if web_parts(url) is None or _NOT_IN_AN_ADDRESS.search(url):
        raise ValueError("not an address that can be called; write it whole, from https:// on")
    return url


def _clock_time(value: time) -> time:
    if value.tzinfo:
        raise ValueError("write it without an offset: it is a time in REPORT_TIMEZONE")
    return value


def _path_template(template: str) -> str:
    places = re.findall(r"{(.*?)}", template)
    if unknown := [place for place in places if place not in _PLACES]:
        raise ValueError(f"{{{unknown[0]}}} is not known; {', '.join(f'{{{place}}}' for place in _PLACES)} are")
    if re.search(r"[{}]", re.sub(r"{.*?}", "", template)):
        raise ValueError("a brace stands alone")
    if "date" not in places and not {"year", "month", "day"} <= set(places):
        raise ValueError("each day needs a file of its own: use {date}, or {year}, {month} and {day}")
    if "" in template.split("/") or {".", ".."} & set(template.split("/")) or re.search(r"[\\\x00-\x1f\x7f]", template):
        raise ValueError("a path inside the repository is wanted, such as reports/{date}.md")
    return template


MailAddress = Annotated[str, AfterValidator(_address)]
KnownLanguage = Annotated[Language, AfterValidator(_known_language)]
SiteAddress = Annotated[str, AfterValidator(_site_address)]
ServiceAddress = Annotated[str, AfterValidator(_service_address)]
ClockTime = Annotated[time, AfterValidator(_clock_time)]
PathTemplate = Annotated[str, AfterValidator(_path_template)]
ZoneName = Annotated[str, AfterValidator(_zone)]
