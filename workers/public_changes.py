"""A diff's files → what changed of the things users of the repository can name; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from typing import Literal

from core.models import FileChange, FileRole, PublicChange
from workers.fileroles import role_of_path
from workers.hunks import Hunk
from workers.named_things import compiled, finders, is_conditional
from workers.sides import CODE_ROLES, Kind, Parameters, Side, SideFile, collect, keep_bare

# At most this many are kept, the weightiest first.
CHANGES_LIMIT = 40
_VALUE_LIMIT = 80
_ALIKE = 0.6
# A value that is written out; anything else (a name, a call, None) only says where the value is looked up.
_LITERAL = re.compile(
    r"^(?:[-+]?\d[\w.+-]{0,40}|[rbf]?([\"'])[^\"']{0,80}\1|True|False|true|false|[\[(]\s?[-\d.,\s\"'\w]{0,80}[\])])$"
)
_NAME = re.compile(r"[A-Za-z_]\w{2,80}$")
# `DEFAULT_STEP: Final[int] = 1`, `static const int kStep = 1;`
_CONSTANT = re.compile(
    r"\s{0,24}(?:(?:export|static|const|constexpr|inline|pub|var|let|final|val|[\w:]{1,40}) ){0,5}"
    r"([A-Za-z_]\w{2,80})(?:\s?:\s?[\w\[\], |&.']{1,60})?\s?=\s?([^=\n]{1,100})$"
)
_DEFINED = re.compile(r"^\s{0,24}(?:async )?(?:def|class|struct|enum|enum class) (\w{1,80})")
_CODE_KINDS = frozenset({"class", "function", "config"})
_KIND_ORDER = ("flag", "environment", "route", "config", "dependency", "class", "function", "parameter", "metric")
_ACTION_ORDER = ("removed", "renamed", "default_changed", "changed", "added")

# A new module of Go's says of which Go it is: nobody has to install that for it beside what builds the rest.
_LANGUAGES: frozenset[tuple[Kind, str]] = frozenset({("dependency", "go"), ("dependency", "toolchain")})

_EMPTY = frozenset(
    ("None", "[]", "{}", "()", "dict()", "list()", "set()", "tuple()", "field(default_factory=list)",
     "field(default_factory=dict)", "field(default_factory=tuple)", "field(default_factory=set)")
)  # fmt: skip


def public_changes(files: Iterable[tuple[FileChange, FileRole, list[Hunk]]]) -> tuple[PublicChange, ...]:
    """Compare both sides of all hunks: what moved between files is not a change, what changed its value is."""
    before, after = Side(), Side()
    paths: dict[str, FileRole] = {}
    added = list[tuple[str, ...]]()
    for change, role, parts in files:
        paths[change.path] = role
        patch = change.patch or ""
        file = SideFile(change.path, role, finders(patch, kernel=role is FileRole.KERNEL))
        conditional = is_conditional(change.path, patch)
        for hunk in parts:
            was, now = hunk.before, hunk.after
            if conditional:
                was, now = compiled(was), compiled(now)
            collect(before, file, hunk.context, was)
            collect(after, file, hunk.context, now)
            added.append(now if role in CODE_ROLES else ())
    keep_bare(before, after)
    keep_bare(after, before)
    compared = [*_compared(before, after), *_compared_signatures(before, after)]
    found = _without_what_remains(_with_constants(_without_other_kinds(compared), added), added)
    kept = sorted(_without_members(_with_renames(found)), key=lambda change: _order(change, paths))
    told = dict[tuple[str, ...], PublicChange]()
    for each in kept:
        told.setdefault(_written(each), each)
    return tuple(told.values())[:CHANGES_LIMIT]


def _written(change: PublicChange) -> tuple[str, ...]:
    """What tells a change from others; a field of one type is the same in each language that writes it its own way."""
    if change.kind == "config" and change.action in {"added", "removed"}:
        return (change.kind, change.action, change.name.replace("_", "").lower())
    return (change.kind, change.action, change.name, change.path, change.before or "")


def _order(change: PublicChange, paths: dict[str, FileRole]) -> tuple[int, int, int, str, str]:
    outer = 0 if paths.get(change.path) is FileRole.INTERFACE or change.kind == "dependency" else 1
    return (_ACTION_ORDER.index(change.action), _KIND_ORDER.index(change.kind), outer, change.path, change.name)


def _without_other_kinds(changes: list[PublicChange]) -> list[PublicChange]:
    """A name that goes as one kind and comes as another is still there: a field that became a property, say."""
    gone = {change.name: change.kind for change in changes if change.action == "removed" and change.kind in _CODE_KINDS}
    came = {change.name: change.kind for change in changes if change.action == "added" and change.kind in _CODE_KINDS}
    still = {name for name, kind in gone.items() if came.get(name, kind) != kind}
    return [change for change in changes if change.kind not in _CODE_KINDS or change.name not in still]


def _without_what_remains(changes: list[PublicChange], after: list[tuple[str, ...]]) -> list[PublicChange]:
    """What is still named after the change is not gone: a setting read in another way, code moved to another place."""
    if not any(change.action == "removed" for change in changes):
        return changes
    lines = [line for part in after for line in part]
    defined = {found.group(1) for line in lines if _may_define(line) and (found := _DEFINED.match(line))}
    text = "\n".join(lines)

    held = {_parts(change.name)[-1] for change in changes if change.kind == "config" and change.action == "added"}

    def remains(change: PublicChange) -> bool:
        bare = _parts(change.name)[-1]
        if change.kind == "config" and change.path.endswith((".rs", ".go")):
            return bare in held  # a type may be made of others, and has their fields then
        if change.kind == "function" and not change.path.endswith((".py", ".pyi")):
            return f"{bare}(" in text  # defined or called elsewhere; which of the two a line alone does not tell
        if change.kind in {"function", "class"}:
            return bare in defined
        if change.kind == "flag" and change.path.endswith(".rs") and f" {_field_of(change.name)}: " in text:
            return True  # clap takes a flag's name from its field, whose attribute may begin out of view
        if change.kind in {"flag", "environment", "route", "metric"}:
            return f'"{change.name}"' in text or f"'{change.name}'" in text
        return False

    return [change for change in changes if change.action != "removed" or not remains(change)]


def _with_constants(changes: list[PublicChange], after: list[tuple[str, ...]]) -> list[PublicChange]:
    """A default that has a name now is the value that the name has in view: 1 made STEP, where `STEP = 1`, is none."""
    named = {change.after: "" for change in changes if change.action == "changed" and _is_constant(change)}
    if not named:
        return changes
    for line in (line for part in after for line in part if "=" in line):
        if (found := _CONSTANT.match(line)) and found.group(1) in named:
            named[found.group(1)] = found.group(2).partition("  #")[0].partition(" //")[0].strip().rstrip(",;")
    return [told for change in changes if (told := _by_value(change, named.get(change.after or "", "")))]


def _is_constant(change: PublicChange) -> bool:
    return bool(change.kind != "dependency" and change.after and _NAME.match(change.after))


def _by_value(change: PublicChange, value: str) -> PublicChange | None:
    if change.action != "changed" or not value or not _LITERAL.match(value):
        return change
    if _same(change.before, value):
        return None
    return change.model_copy(update={"action": "default_changed", "after": _cut(value)})


def _field_of(flag: str) -> str:
    return flag.lstrip("-").replace("-", "_")


def _may_define(line: str) -> bool:
    return "def " in line or "class " in line or "struct " in line or "enum " in line


def _without_members(changes: list[PublicChange]) -> list[PublicChange]:
    """A class that is gone, renamed or new is told once, not again by each of its members."""
    owners = {change.name for change in changes if change.kind == "class"}
    owners |= {change.before or "" for change in changes if change.kind == "class" and change.action == "renamed"}
    return [
        change
        for change in changes
        if change.kind not in {"function", "config", "parameter"} or _parts(change.name)[0] not in owners
    ]


def _compared(before: Side, after: Side) -> Iterator[PublicChange]:
    for (kind, name), (old, path) in before.values.items():
        if (kind, name) not in after.values:
            if (kind, name) in before.partial:
                continue
            yield _change(kind, "removed", name, path, before=old)
            continue
        new, new_path = after.values[kind, name]
        if kind == "dependency" and path != new_path and before.bounds[name] & after.bounds[name]:
            continue  # the line moved to another file
        if action := _value_action(kind, old, new):
            yield _change(kind, action, name, new_path, before=old, after=new)
    for (kind, name), (new, path) in after.values.items():
        if (kind, name) not in before.values and (kind, name) not in after.hidden | after.partial | _LANGUAGES:
            unknown = kind == "dependency" and "{" in (new or "")  # what a program fills in
            yield _change(kind, "added", name, path, after="" if unknown else new)


def _value_action(kind: Kind, old: str | None, new: str | None) -> Literal["changed", "default_changed"] | None:
    """A default went from one written value to another (`default_changed`), or is found otherwise (`changed`)."""
    if _same(old, new):
        return None
    if kind == "dependency":
        return None if "{" in f"{old}{new}" else "changed"  # what a program fills in is no version
    if old is None or new is None or not _LITERAL.match(old):
        return None
    return "default_changed" if _LITERAL.match(new) else "changed"


def _compared_signatures(before: Side, after: Side) -> Iterator[PublicChange]:
    gone = {key for key in before.signatures if key not in after.signatures}
    came = {key for key in after.signatures if key not in before.signatures}
    moved = {_bare(key) for key in gone} & {_bare(key) for key in came}
    for key in before.signatures:
        kind: Kind = "class" if key[0] == "class" else "function"
        path, _, name = key[1].partition("\0")
        if key in gone and _bare(key) not in moved and not name.endswith("__init__"):
            yield _change(kind, "removed", name, path, before=_shape(before.signatures[key]))
        elif key in after.signatures and key not in before.unclear | after.unclear:
            yield from _compared_parameters(name, path, before.signatures[key], after.signatures[key])
    for key in sorted((before.opened.keys() & after.opened.keys()) - gone):
        if before.signatures.get(key) is None or after.signatures.get(key) is None:
            path, _, name = key[1].partition("\0")
            yield from _compared_parameters(name, path, before.opened[key], after.opened[key])
    for key in sorted(came):
        path, _, name = key[1].partition("\0")
        if _bare(key) not in moved and not name.endswith("__init__"):
            shape = _shape(after.signatures[key])
            yield _change("class" if key[0] == "class" else "function", "added", name, path, after=shape)


def _bare(key: tuple[str, str]) -> str:
    return key[1].rpartition("\0")[2]


def _shape(parameters: Parameters | None) -> str | None:
    """A signature in short, by which a rename is recognised."""
    return None if parameters is None else ", ".join(name for name, _ in parameters)


def _compared_parameters(
    name: str, path: str, old: Parameters | None, new: Parameters | None
) -> Iterator[PublicChange]:
    if old is None or new is None or old == new:
        return
    owner = name.removesuffix(".__init__")
    was, now = dict(old), dict(new)
    gone = [parameter for parameter in was if parameter not in now]
    came = [parameter for parameter in now if parameter not in was]
    open_ended = any(parameter.startswith("**") for parameter in now)
    if len(gone) == len(came) == 1 and [*was].index(gone[0]) == [*now].index(came[0]) and not gone[0].startswith("*"):
        yield _change("parameter", "renamed", f"{owner}({came[0]})", path, before=gone[0], after=came[0])
        gone, came = [], []
    for parameter in gone:
        if not (parameter.startswith("*") or open_ended):
            yield _change("parameter", "removed", f"{owner}({parameter})", path, before=was[parameter])
    for parameter in came:
        yield _change(
            "parameter", "added", f"{owner}({parameter})", path, after=_added_value(parameter, now[parameter])
        )
    for parameter in now:
        if parameter in was and (action := _value_action("parameter", was[parameter], now[parameter])):
            value = was[parameter], now[parameter]
            yield _change("parameter", action, f"{owner}({parameter})", path, before=value[0], after=value[1])


def _added_value(parameter: str, default: str | None) -> str | None:
    """What a caller may leave out has a value; None means that every caller must give it."""
    return "" if parameter.startswith("*") and default is None else default


def _same(old: str | None, new: str | None) -> bool:
    """Quoting and spacing are style, and so is None for a fresh container."""
    strip = str.maketrans("", "", " '\"")
    if old in _EMPTY and new in _EMPTY:
        return True
    return (old or "").translate(strip) == (new or "").translate(strip) and (old is None) == (new is None)


def _with_renames(changes: list[PublicChange]) -> list[PublicChange]:
    """One that went and one that came, of the same kind in the same file and alike, is one that was renamed."""
    kept = list(changes)
    for kind in ("flag", "environment", "config", "function", "class", "route", "metric", "dependency"):
        gone = [change for change in kept if change.kind == kind and change.action == "removed"][:30]
        came = [change for change in kept if change.kind == kind and change.action == "added"][:30]
        for old, new in _pairs(gone, came):
            kept.remove(old)
            kept[kept.index(new)] = _change(new.kind, "renamed", new.name, new.path, before=old.name, after=new.name)
    return kept


def _pairs(gone: list[PublicChange], came: list[PublicChange]) -> Iterator[tuple[PublicChange, PublicChange]]:
    """The likest pairs first, each name in one pair only."""
    likely = [(_likeness(old, new), i, j) for i, old in enumerate(gone) for j, new in enumerate(came)]
    left, right = set[int](), set[int]()
    for ratio, i, j in sorted(likely, key=lambda pair: (-pair[0], pair[1:])):
        if ratio >= _ALIKE and i not in left and j not in right:
            left.add(i)
            right.add(j)
            yield gone[i], came[j]


def _likeness(old: PublicChange, new: PublicChange) -> float:
    """How alike two names are, from 0 to 1; 0 where one cannot be the other renamed."""
    if old.path != new.path or (old.kind == "dependency" and role_of_path(old.path) is not FileRole.BUILD):
        return 0.0
    if old.kind in {"function", "class"} and old.before is not None and old.before != (new.after or ""):
        return 0.0
    if old.kind in {"function", "config"} and _parts(old.name)[:-1] != _parts(new.name)[:-1]:
        return 0.0
    names = old.name, new.name
    # A field of Python's that keeps its value may well be the same by a name of its own.
    kept = old.kind == "config" and old.path.endswith((".py", ".pyi")) and _same(old.before, new.after)
    if old.kind in {"function", "config"} and not kept:
        names = _parts(old.name)[-1], _parts(new.name)[-1]  # what holds them is alike in any case
    matcher = SequenceMatcher(None, *names)
    if matcher.real_quick_ratio() < _ALIKE or matcher.quick_ratio() < _ALIKE:
        return 0.0
    return matcher.ratio()


def _parts(name: str) -> list[str]:
    """A name's steps, from the outermost class or type to the name itself."""
    return name.replace("::", ".").split(".")


def _change(
    kind: Kind,
    action: Literal["added", "removed", "renamed", "default_changed", "changed"],
    name: str,
    path: str,
    *,
    before: str | None = None,
    after: str | None = None,
) -> PublicChange:
    return PublicChange(kind=kind, action=action, name=name[:120], path=path, before=_cut(before), after=_cut(after))


def _cut(value: str | None) -> str | None:
    """A long value ends after a whole word, where it has words, and shows that it goes on."""
    if value is None or len(value) <= _VALUE_LIMIT:
        return value
    words = value[: _VALUE_LIMIT - 1].rpartition(" ")[0].rstrip(" ,/")
    return f"{words} …" if len(words) > _VALUE_LIMIT // 2 else f"{value[: _VALUE_LIMIT - 1]}…"
