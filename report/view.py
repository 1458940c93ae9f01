"""How commits are shown, whatever day they are on: their repository, its zone, language and place on the web."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from report.labels import Labels, labels
from report.prose import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from core.models import Language
    from report.daily import Member
    from report.stories import Relation

Part = Literal["repository", "stats", "highlights", "compatibility", "contents", "high", "medium", "low", "commit"]


def anchor(kind: Part, repository: str) -> str:
    """The id of a part of a page, unique among the repositories of a page; a commit's has `-` and the sha added.

    An owner has no dot and a kind no hyphen, so no two repositories share an id (`a-b/c` and `a/b-c` do not either).
    """
    return f"{kind}-{repository.replace('/', '.').lower()}"


@dataclass(frozen=True)
class View:
    """What is the same for all commits of a page; `timezone` is an IANA name, `web_url` a site such as GitHub's."""

    repository: str
    timezone: str
    language: Language
    web_url: str | None

    @cached_property
    def zone(self) -> ZoneInfo:
        """The time zone of the day."""
        return ZoneInfo(self.timezone)

    @cached_property
    def origin(self) -> Origin:
        """Where the texts come from."""
        return Origin(self.repository, self.web_url)

    @cached_property
    def words(self) -> Labels:
        """The labels of the page."""
        return labels(self.language)

    @cached_property
    def _commits(self) -> str:
        return f"{anchor('commit', self.repository)}-"

    def anchor(self, commit: Member | Relation) -> str:
        """The id of a commit on every page it is on."""
        return self._commits + commit.sha

    def anchors(self, shas: Iterable[str]) -> Iterator[str]:
        """The same of many."""
        return map(self._commits.__add__, shas)


@lru_cache(1024)
def view_of(repository: str, timezone: str, language: Language, web_url: str | None) -> View:
    """The view of a page; the same one for the same page, so that what is worked out for it is so once."""
    return View(repository, timezone, language, web_url)
