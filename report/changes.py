"""What changed of the things that users can name, and what is left of it when it is all put together; pure.

A day's table shows each change with its commit. Between two points only the net effect counts: what was added and
removed again is nothing, and of two new defaults the first old and the last new value remain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, NamedTuple, TypeVar

from core.models import PublicChange, Sha
from core.places import is_interface

_Action = Literal["added", "removed", "renamed", "default_changed", "changed"]

_CODE = frozenset({"function", "class", "parameter"})
# Two files may each define a function, or ask for a package, of one name; a flag is one wherever it is read.
_LOCAL = _CODE | {"dependency"}
# A default is a written value; of these kinds any other value is simply another one.
_WITHOUT_DEFAULT = frozenset({"dependency", "function", "class", "route", "metric"})
_ACTIONS = ("removed", "renamed", "default_changed", "changed", "added")
_KINDS = ("flag", "environment", "config", "route", "metric", "dependency", "class", "function", "parameter")


class Compatibility(PublicChange):
    """One compatibility change by one commit of one day.

    `before` and `after` are the two names of a rename (of a parameter: without its function), else the two values: a
    default, a version, a function's parameters. None stands for no value, such as the default of a required parameter.
    """

    sha: Sha
    day: date


class NetChange(PublicChange):
    """What is left of one or several changes; `steps` are those changes, oldest first."""

    steps: tuple[Compatibility, ...]


Change = TypeVar("Change", bound=PublicChange)


def changes_of(sha: str, day: date, changes: Iterable[PublicChange]) -> Iterator[Compatibility]:
    """A commit's public changes, which leave out tests and private code already, with the commit."""
    # With what a newer version wrote beside; `dict(change)` is the same, and takes as long as all the rest.
    known = (change.__dict__ | (change.model_extra or {}) for change in changes)
    return (Compatibility(**{**fields, "sha": sha, "day": day}) for fields in known)


def table(changes: Iterable[Compatibility]) -> tuple[Compatibility, ...]:
    """A day's changes by their net effect, the most telling first; they are given oldest first, merges last.

    What several files or commits change alike stands there once, with the first that is given; what several commits
    change one after the other, with the last of them.
    """
    given = list(changes)
    names = [key for change in given for key in {_key(change, change.name), _key(change, _old_name(change))}]
    if len(names) == len(set(names)):
        return _listed(given)
    chains = _Chains()
    for change in given:
        chains.follow(change)
    return _listed(map(_told_by, chains.results()))


def _told_by(change: NetChange) -> Compatibility:
    """The step that tells the same as a net effect; else the effect itself, with its last step's commit."""
    for step in change.steps:
        if all(getattr(step, part) == getattr(change, part) for part in ("action", "name", "before", "after")):
            return step
    last = change.steps[-1]
    known = {name: value for name, value in change if name != "steps"}
    return Compatibility(**known, sha=last.sha, day=last.day)


def net_changes(changes: Iterable[Compatibility]) -> tuple[NetChange, ...]:
    """The net effect of changes that are given oldest first, the most telling first."""
    chains = _Chains()
    for change in changes:
        chains.follow(change)
    return _listed(chains.results())


def is_required(change: PublicChange) -> bool:
    """Whether it is a new parameter that every caller has to give."""
    return change.kind == "parameter" and change.action == "added" and change.after is None


def is_local(change: PublicChange) -> bool:
    """Whether only its file tells it from others of its name."""
    return change.kind in _LOCAL


def owner_of(name: str) -> str:
    """The function that a parameter's name begins with."""
    return name.partition("(")[0]


def parameter_of(name: str) -> str:
    """A parameter's own name, without its function."""
    return name.partition("(")[2].removesuffix(")")


def _listed(changes: Iterable[Change]) -> tuple[Change, ...]:
    once: dict[tuple[object, ...], Change] = {}
    for change in changes:
        if _concerns_users(change):
            place = change.path if change.kind in _CODE else ""
            once.setdefault((change.kind, change.action, change.name, change.before, change.after, place), change)
    return tuple(sorted(once.values(), key=_weight))


def _concerns_users(change: PublicChange) -> bool:
    """Inside the program, new code changes nothing for those who use the old."""
    return change.kind not in _CODE or is_interface(change.path) or change.action != "added" or is_required(change)


def _weight(change: PublicChange) -> tuple[bool, bool, int, int, str, str]:
    """What breaks comes before what is new, then what is set or called from outside before the code behind it."""
    inner = change.kind in _CODE and not is_interface(change.path)
    action = "default_changed" if is_required(change) else change.action
    return action == "added", inner, _ACTIONS.index(action), _KINDS.index(change.kind), change.path, change.name


_Key = tuple[str, str, str]


class _Value(NamedTuple):
    """A value, which may be none at all; not `told`: no step says what it is."""

    text: str | None
    told: bool


_UNTOLD = _Value(None, told=False)


@dataclass
class _Chain:
    """One thing through time: `origin` is its name at the first point, `current` at the last; None where it is not.

    `first` and `last` are its values there, as far as the steps told of them.
    """

    begun: Compatibility
    origin: str | None
    current: str | None = None
    steps: list[Compatibility] = field(default_factory=list)
    first: _Value = _UNTOLD
    last: _Value = _UNTOLD

    def take(self, change: Compatibility) -> None:
        """One step more."""
        self.steps.append(change)
        if change.action not in {"added", "renamed"} and not self.first.told:
            self.first = _Value(change.before, told=True)
        if change.action == "removed":
            self.last = _UNTOLD
        elif change.action != "renamed":
            self.last = _Value(change.after, told=True)
        self.current = None if change.action == "removed" else change.name

    def results(self) -> Iterator[NetChange]:
        """None, one, or (for what has another name and another value too) two changes."""
        if self.origin is None and self.current is not None:
            yield self._result("added", self.current, None, self.last.text)
        elif self.origin is not None and self.current is None:
            yield self._result("removed", self.origin, self.first.text, None)
        elif self.origin is not None and self.current is not None:
            if self.origin != self.current:
                yield self._result("renamed", self.current, *self._names(self.origin, self.current))
            if self.first.told and self.last.told and self.first != self.last:
                yield self._result(self._change_of_value(), self.current, self.first.text, self.last.text)

    def _names(self, origin: str, current: str) -> tuple[str, str]:
        if self.begun.kind != "parameter":
            return origin, current
        return parameter_of(origin), parameter_of(current)

    def _change_of_value(self) -> _Action:
        looked_up = any(step.action == "changed" for step in self.steps)
        return "changed" if looked_up or self.begun.kind in _WITHOUT_DEFAULT else "default_changed"

    def _result(self, action: _Action, name: str, before: str | None, after: str | None) -> NetChange:
        kind, path, steps = self.begun.kind, self.steps[-1].path, tuple(self.steps)
        return NetChange(kind=kind, action=action, name=name, before=before, after=after, path=path, steps=steps)


class _Chains:
    """All things that changed, by the name that each has now or had last."""

    def __init__(self) -> None:
        self._chains: list[_Chain] = []
        self._now: dict[_Key, _Chain] = {}

    def follow(self, change: Compatibility) -> None:
        """Take the next change into account."""
        old = _old_name(change)
        chain = self._now.pop(_key(change, old), None)
        if chain is None and (same := self._now.get(_key(change, change.name))) and same.current is not None:
            chain = same  # the same change once more, on another branch
        if chain is None:
            chain = _Chain(change, origin=None if change.action == "added" else old)
            self._chains.append(chain)
        chain.take(change)
        self._now[_key(change, change.name)] = chain

    def results(self) -> Iterator[NetChange]:
        """What is left of all of them; a class or function that came or went is told once, not again by its parts."""
        self._pair()
        found = [result for chain in self._chains for result in chain.results()]
        whole = {
            (chain.begun.path, name)
            for chain in self._chains
            if chain.begun.kind in {"class", "function"} and (chain.origin is None or chain.current is None)
            for name in (chain.origin, chain.current, *(step.name for step in chain.steps))
        }
        return (result for result in found if not any((result.path, name) in whole for name in _owners(result)))

    def _pair(self) -> None:
        """A name that is there at both points is one thing, even where another thing had the name in between."""
        began = {_key(chain.begun, chain.origin): chain for chain in self._chains if chain.origin is not None}
        for chain in self._chains:
            if chain.current is None or chain.origin == chain.current:
                continue
            other = began.pop(_key(chain.begun, chain.current), None)
            if other is not None and other.current != chain.current:
                chain.origin, other.origin = other.origin, chain.origin
                chain.first, other.first = other.first, chain.first
                if other.origin is not None:
                    began[_key(other.begun, other.origin)] = other


def _old_name(change: Compatibility) -> str:
    """What the thing was called before the change."""
    if change.action != "renamed" or change.before is None:
        return change.name
    return f"{owner_of(change.name)}({change.before})" if change.kind == "parameter" else change.before


def _owners(change: PublicChange) -> Iterator[str]:
    """The function of a parameter, and the class of a function or field."""
    if change.kind == "parameter":
        yield owner_of(change.name)
    if change.kind in {"parameter", "function", "config"}:
        joint = "::" if "::" in owner_of(change.name) else "."
        if owner := owner_of(change.name).rpartition(joint)[0]:
            yield owner


def _key(change: Compatibility, name: str) -> _Key:
    return change.kind, change.path if change.kind in _LOCAL else "", name
