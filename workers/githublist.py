"""What a branch has, asked of GitHub: refs by conditional requests, compare and commit lists to their last page.

https://docs.github.com/en/rest/commits/commits#compare-two-commits and https://docs.github.com/en/rest/git/refs
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Annotated, Final, TypeVar
from urllib.parse import quote, urlencode

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from core.errors import Permanent, Transient
from core.models import RepositoryName, Sha
from workers.landings import Landing, first_parent_line, landings_from, parents_first
from workers.patch import CommitInfo, Person
from workers.pauses import admitted
from workers.upstream import Described, Way

if TYPE_CHECKING:
    from core.ledger import Ledger
    from workers.github import Answer, GitHub

T = TypeVar("T")

COMPARED_PER_PAGE: Final = 250
LISTED_PER_PAGE: Final = 100
MOST_PAGES: Final = 1000
NOT_FOUND, EMPTY, UNCHANGED = 404, 409, 304


def _readable(value: object) -> object:
    """JSON can carry half of a surrogate pair, which no UTF-8 text can hold."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_readable)]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Repository(_Told):
    full_name: RepositoryName
    default_branch: Text


class _Object(_Told):
    sha: Sha


class _Ref(_Told):
    ref: Text
    object: _Object


class _Signature(_Told):
    name: Text = ""
    email: Text = ""
    date: AwareDatetime = datetime.fromtimestamp(0, UTC)


class _Text(_Told):
    author: _Signature | None
    committer: _Signature | None
    message: Text
    tree: _Object


class _Account(_Told):
    login: Text | None = None


class _Commit(_Told):
    sha: Sha
    commit: _Text
    author: _Account | None = None
    parents: list[_Object]


class _Comparison(_Told):
    behind_by: int
    commits: list[_Commit]


_repository, _comparison = TypeAdapter(_Repository), TypeAdapter(_Comparison)
_refs, _commits = TypeAdapter(list[_Ref]), TypeAdapter(list[_Commit])


class GitHubUpstream:
    """One repository on GitHub, asked with the tags of earlier answers from the ledger; the constructor does no I/O."""

    kind = "GitHub"

    def __init__(self, github: GitHub, ledger: Ledger, name: str) -> None:
        self._github = github
        self._ledger = ledger
        self.name = name
        self.remaining: float | None = None

    def describe(self, *, again: bool = True) -> Described:
        """One conditional request. What GitHub calls the repository is used in the requests that follow."""
        recalled = None if again else self._ledger.recall(self.name, "")
        kept = recalled[1] if recalled else None
        if kept is None:
            answer, kept = self._unless_unchanged("")
        if kept is None:
            told = self._read(_repository, answer)
            kept = {"name": told.full_name, "default_branch": told.default_branch}
            self._remember("", answer, kept)
        self.name = kept["name"]  # a redirection from an old name loses the page's number
        return Described(kept["name"], kept["default_branch"])

    def heads(self, patterns: Sequence[str]) -> dict[str, str]:
        """One conditional request for each pattern, unless its branches fill several pages."""
        found: dict[str, str] = {}
        for pattern in patterns:
            prefix = re.split(r"[*?\[]", pattern, maxsplit=1)[0]
            matching = {
                name: sha for name, sha in self._refs(prefix).items() if name == pattern or fnmatchcase(name, pattern)
            }
            if prefix == pattern and not matching:
                raise Permanent(f"{self.name} has no branch {pattern}: correct `branches` in daybook.toml")
            found |= matching
        return found

    def between(self, base: str, head: str) -> Way | None:
        """The pages of a comparison."""
        found = self._compared(base, head)
        if found is None:
            return None
        commits, behind = found
        return Way(tuple(landings_from(parents_first(commits), None, tip=head)), straight=not behind)

    def within(self, head: str, since: datetime, until: datetime | None = None) -> list[Landing]:
        """A list down to `since`, then a comparison: that has the older commits which a merge brought."""
        listed = {commit.sha: commit for commit in self._listed(head, since)}
        line = [listed[sha] for sha in first_parent_line(listed, head)]
        wanted = {one.sha for one in line if one.committed_at >= since and (not until or one.committed_at < until)}
        span = [number for number, one in enumerate(line) if one.sha in wanted]
        if not span:
            return []
        oldest, newest = line[span[0]], line[span[-1]].sha
        if not oldest.parents:
            return landings_from(parents_first(listed.values()), wanted, tip=newest)
        found = self._compared(oldest.parents[0], newest)
        if found is None:
            raise Transient(f"{self.name}: GitHub does not find the commits that it has listed")
        return landings_from(parents_first(found[0]), wanted, tip=newest)

    def missing(self, before: str, after: str) -> list[str] | None:
        """A comparison the other way round."""
        found = self._compared(after, before)
        return None if found is None else [commit.sha for commit in found[0]]

    def _listed(self, head: str, since: datetime) -> Iterator[CommitInfo]:
        """Commits from `head` down, until a whole page is older than `since`.

        GitHub's own `since` ends at the first older one, though a commit's date may lie before its parents'.
        """
        for page in self._pages(f"/commits?{urlencode({'sha': head, 'per_page': LISTED_PER_PAGE})}", accept=(EMPTY,)):
            infos = [] if page.status == EMPTY else [_info(one) for one in self._read(_commits, page)]
            yield from infos
            if all(one.committed_at < since for one in infos):
                return

    def _compared(self, base: str, head: str) -> tuple[list[CommitInfo], int] | None:
        """The commits of `head` that `base` lacks, and how many it is the other way round; None without `base`."""
        found: list[CommitInfo] = []
        behind = 0
        for page in self._pages(f"/compare/{base}...{head}?per_page={COMPARED_PER_PAGE}", accept=(NOT_FOUND,)):
            if page.status == NOT_FOUND:
                return None
            told = self._read(_comparison, page)
            behind = told.behind_by
            found += map(_info, told.commits)
        return found, behind

    def _refs(self, prefix: str) -> dict[str, str]:
        path = f"/git/matching-refs/heads/{quote(prefix)}?per_page={LISTED_PER_PAGE}"
        answer, kept = self._unless_unchanged(path, accept=(NOT_FOUND, EMPTY))
        if kept is not None:
            return kept
        if answer.status in (NOT_FOUND, EMPTY):
            return {}
        found: dict[str, str] = {}
        for page in self._following(answer):
            told = self._read(_refs, page)
            found |= {ref.ref.removeprefix("refs/heads/"): ref.object.sha for ref in told}
        if answer.next is None:  # a tag stands for one page: the others may change without it
            self._remember(path, answer, found)
        return found

    def _unless_unchanged(self, path: str, accept: Collection[int] = ()) -> tuple[Answer, dict[str, str] | None]:
        """An answer, and what was kept of it when it has not changed since."""
        recalled = self._ledger.recall(self.name, path)
        answer = self._ask(path, etag=recalled[0] if recalled else "", accept=accept)
        return answer, recalled[1] if recalled and answer.status == UNCHANGED else None

    def _remember(self, path: str, answer: Answer, kept: dict[str, str]) -> None:
        if answer.etag:
            self._ledger.remember(self.name, path, answer.etag, kept)

    def _pages(self, path: str, accept: Collection[int] = ()) -> Iterator[Answer]:
        yield from self._following(self._ask(path, accept=accept))

    def _following(self, answer: Answer) -> Iterator[Answer]:
        """A page and those that follow it, to the last."""
        yield answer
        for _ in range(MOST_PAGES):
            if answer.next is None:
                return
            answer = self._ask(answer.next)
            yield answer
        raise Permanent(f"{self.name}: GitHub's list has over {MOST_PAGES} pages: ask for a shorter span")

    def _ask(self, path: str, *, etag: str = "", accept: Collection[int] = ()) -> Answer:
        with admitted(self._ledger, "github"):
            answer = self._github.ask(self.name, path, etag=etag, accept=accept)
        if answer.remaining is not None and answer.limit:
            self.remaining = answer.remaining / answer.limit
        return answer

    def _read(self, shape: TypeAdapter[T], answer: Answer) -> T:
        try:
            return shape.validate_python(answer.body)
        except ValidationError as error:
            raise Transient(f"{self.name}: GitHub's answer has an unexpected form") from error


def _info(told: _Commit) -> CommitInfo:
    author = told.commit.author or told.commit.committer or _Signature()
    committer = told.commit.committer or author
    return CommitInfo(
        sha=told.sha,
        tree=told.commit.tree.sha,
        parents=tuple(parent.sha for parent in told.parents),
        author=Person(author.name, author.email, told.author.login if told.author else None),
        authored_at=author.date,
        committer=Person(committer.name, committer.email),
        committed_at=committer.date,
        message=told.commit.message,
        added=(),
        removed=(),
        modified=(),
    )
