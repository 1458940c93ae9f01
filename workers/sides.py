"""One side of a diff: what its files show that users can name, by kind and name; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from core.models import FileRole
from workers.dependencies import SEVERAL, bare_names, dependencies, pinned_in_image
from workers.exports import exports
from workers.fields import Field, fields
from workers.fileroles import is_private
from workers.named_things import Finder, Named, named_things
from workers.signatures import ConfigField, Definition, definitions

Kind = Literal["function", "class", "parameter", "flag", "environment", "config", "route", "metric", "dependency"]
Parameters = tuple[tuple[str, str | None], ...]

CODE_ROLES = frozenset({FileRole.SOURCE, FileRole.INTERFACE, FileRole.KERNEL, FileRole.CONFIG})


@dataclass
class Side:
    """What the files of a diff show on one side, by kind and name."""

    values: dict[tuple[Kind, str], tuple[str | None, str]] = field(default_factory=dict)
    signatures: dict[tuple[str, str], Parameters | None] = field(default_factory=dict)
    opened: dict[tuple[str, str], Parameters] = field(default_factory=dict)
    bounds: dict[str, set[str]] = field(default_factory=dict)
    bare: dict[str, str] = field(default_factory=dict)
    unclear: set[tuple[str, str]] = field(default_factory=set)
    # Where only a value stands: that it is missing on the other side says nothing.
    partial: set[tuple[Kind, str]] = field(default_factory=set)
    hidden: set[tuple[Kind, str]] = field(default_factory=set)


class SideFile(NamedTuple):
    """What its sides are read by; `finders` are those that may find something in its patch."""

    path: str
    role: FileRole
    finders: tuple[Finder, ...]


def collect(side: Side, file: SideFile, context: str, lines: tuple[str, ...]) -> None:
    """Add what one hunk shows on one side; `context` is its header."""
    path, role = file.path, file.role
    if role in {FileRole.MANIFEST, FileRole.BUILD}:
        _collect_bounds(side, path, lines)
        return
    if role not in CODE_ROLES:
        return
    if file.finders:
        for named in named_things("\n".join(lines), file.finders):
            _keep(side, named, path)
    if is_private(path) or role in {FileRole.KERNEL, FileRole.CONFIG}:
        # A header of native code may declare an enumeration that callers name; the rest is the kernels themselves.
        enumerations = tuple(line for line in lines if line.startswith("enum ")) if role is FileRole.KERNEL else ()
        for export in exports(path, enumerations):
            side.signatures.setdefault((export.kind, f"{path}\0{export.name}"), None)
        return
    if path.endswith((".py", ".pyi")):
        _collect_python(side, path, context, lines)
    else:
        _collect_others(side, path, context, lines)


def _collect_bounds(side: Side, path: str, lines: tuple[str, ...]) -> None:
    """What a manifest or a build asks for; of what an image installs by pip, only another version is news."""
    for name, bound in dependencies(path, lines).items():
        _keep_bound(side, name, bound, path)
    side.bare |= dict.fromkeys(bare_names(path, lines), path)
    for name, bound in pinned_in_image(path, lines).items():
        if ("dependency", name) not in side.values:
            side.partial.add(("dependency", name))
        _keep_bound(side, name, bound, path)


def _collect_others(side: Side, path: str, context: str, lines: tuple[str, ...]) -> None:
    for export in exports(path, lines, context):
        side.signatures.setdefault((export.kind, f"{path}\0{export.name}"), None)
    for item in fields(path, lines, context):
        _keep_field(side, item, path)


def _keep_field(side: Side, item: Field, path: str) -> None:
    """A field that is declared is there; a default tells what it is worth, wherever the field may be declared."""
    key: tuple[Kind, str] = ("config", item.name)
    if item.default is None:
        side.partial.discard(key)
    elif key not in side.values:
        side.partial.add(key)
    if side.values.get(key, (None, ""))[0] is None:
        side.values[key] = (item.default, path)


def _keep_bound(side: Side, name: str, bound: str, path: str) -> None:
    """What one file asks for in several places (the stages of an image, say) is one value of them all.

    Where one of them is filled in by a program, the others say what.
    """
    key: tuple[Kind, str] = ("dependency", name)
    if "{" in (side.values.get(key, ("", ""))[0] or ""):
        del side.values[key]
    elif "{" in bound and key in side.values:
        return
    side.bounds.setdefault(name, set()).add(bound)
    known, first = side.values.setdefault(key, (bound, path))
    if first == path and known != bound:
        bounds = {*(known or "").split(SEVERAL), *bound.split(SEVERAL)} - {""}
        side.values[key] = (SEVERAL.join(sorted(bounds)), path)


def keep_bare(side: Side, other: Side) -> None:
    """What has a bound on the other side alone, and stands here in the same file without one, is asked for here too."""
    for (kind, name), (_, path) in other.values.items():
        known = (kind, name) in side.values or name in other.bare
        if kind == "dependency" and not known and side.bare.get(name) == path:
            _keep_bound(side, name, "", path)


def _keep(side: Side, named: Named, path: str) -> None:
    key: tuple[Kind, str] = (named.kind, named.name)
    if named.hidden:
        side.hidden.add(key)
    if side.values.get(key, (None, ""))[0] is None:
        side.values[key] = (named.value, path)


def _collect_python(side: Side, path: str, context: str, lines: tuple[str, ...]) -> None:
    for item in definitions(lines, context, path):
        if isinstance(item, ConfigField):
            side.values.setdefault(("config", item.name), (item.default, path))
        else:
            _keep_definition(side, path, item)


def _keep_definition(side: Side, path: str, item: Definition) -> None:
    key = (item.kind, f"{path}\0{item.name}")
    if item.opened:
        side.opened[key] = (*side.opened.get(key, ()), *(item.parameters or ()))
        return
    known = side.signatures.get(key)
    if known is not None and item.parameters is not None and known != item.parameters:
        side.unclear.add(key)  # overloads, or one name defined under two conditions: which is which cannot be told
    if known is None:
        side.signatures[key] = item.parameters
