"""One side of a hunk, in other languages than Python → fields of settings and requests, and defaults; pure, bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from workers.signatures import is_configuration, is_model


class Field(NamedTuple):
    """A field by its type. With a `default` it is a value that is written somewhere; the field may lack one."""

    name: str
    default: str | None = None


class _Place(NamedTuple):
    """A list of fields: what opens it and names its type, and how an entry of it is written."""

    hint: str
    opens: re.Pattern[str]
    entry: re.Pattern[str]
    declares: bool


_VALUE = r"([-+\w.:\"'{}/]{1,80})"
# type ChatRequest struct {   Model string `json:"model"`
_GO_TYPE = _Place(
    "struct",
    re.compile(r"^type (\w{1,60}) struct\b"),
    re.compile(r"^\s{1,8}[A-Z]\w{0,60}\s{1,40}\S.{0,200}`[^`]{0,80}\b(?:json|yaml|toml):\"([\w.-]{1,60})[\",]"),
    declares=True,
)
# func DefaultOptions() Options {   RepeatPenalty: 1.1,
_GO_DEFAULTS = _Place(
    "efault",
    re.compile(
        r"^func (?:\([^)]{0,80}\) )?(?:(?:New)?[Dd]efault\w{1,60}|\w{0,60}Defaults?)\([^)]{0,200}\) "
        r"\*?(?:\w{1,40}\.)?(\w{1,60})"
    ),
    re.compile(rf"^\s{{1,24}}([A-Z]\w{{1,60}}):\s{{1,24}}{_VALUE},\s{{0,4}}(?://.{{0,200}})?$"),
    declares=False,
)
# pub struct ChatRequest {   pub model: String,
_RUST_TYPE = _Place(
    "struct",
    re.compile(r"^(?:pub(?:\([\w: ]{1,40}\))? )?struct (\w{1,60})"),
    re.compile(r"^ {4}(?:pub(?:\([\w: ]{1,40}\))? )?(?:r#)?([a-z]\w{0,60}): [A-Z(&\[a-z][^=;]{0,200},?$"),
    declares=True,
)
# impl Default for Config {   max_size: 512,
_RUST_DEFAULTS = _Place(
    "Default",
    re.compile(r"^impl(?:<.{0,80}?>)? (?:\w{1,40}::){0,3}Default for (?:\w{1,40}::){0,3}(\w{1,60})"),
    re.compile(rf"^\s{{8,24}}(\w{{1,60}}): {_VALUE},\s{{0,4}}(?://.{{0,200}})?$"),
    declares=False,
)
# export interface RunOptions {   maxRetries?: number
_TYPESCRIPT_TYPE = _Place(
    "export ",
    re.compile(r"^export (?:interface|type) (\w{1,80})"),
    re.compile(r"^(?:  |    |\t)(?:readonly )?([A-Za-z]\w{0,60})\??:(?:\s|$)"),
    declares=True,
)
# struct context_params {   int32_t n_ctx = 512; // size of the context
_C_TYPE = _Place(
    "struct ",
    re.compile(r"^(?:typedef )?struct (\w{0,60}(?:[Pp]arams|[Cc]onfig|[Oo]ptions|[Ss]ettings|[Aa]rgs))\b ?(?:[:{]|$)"),
    re.compile(
        rf"^\s{{1,12}}(?:[\w:<>,]{{1,60}}\s{{1,24}}){{1,3}}(\w{{1,60}})\s{{0,24}}=\s{{0,24}}{_VALUE};"
        r"\s{0,24}(?:(?://|/\*).{0,300})?$"
    ),
    declares=False,
)
# struct context_params default_params() {   /*.n_ctx =*/ 512,
_C_DEFAULTS = _Place(
    "default",
    re.compile(r"^(?:static )?(?:struct )?(\w{1,60}(?:params|config|options))\s{1,4}\*?\w{0,80}default\w{0,40}\("),
    re.compile(rf"^\s{{1,24}}(?:/\*\s?)?\.(\w{{1,60}})\s{{0,24}}=\s?(?:\*/)?\s{{0,24}}{_VALUE},"),
    declares=False,
)
# message ChatRequest {   optional string model = 1;
_PROTO_TYPE = _Place(
    "message ",
    re.compile(r"^message (\w{1,80})"),
    re.compile(
        r"^\s{1,8}(?:repeated |optional |required )?(?:map ?<[\w., ]{1,120}>|[\w.]{1,120})\s{1,24}(\w{1,60})\s{0,24}="
        r"\s{0,4}\d{1,9}\b"
    ),
    declares=True,
)
_PLACES = {
    ".proto": (_PROTO_TYPE,),
    ".go": (_GO_TYPE, _GO_DEFAULTS),
    ".rs": (_RUST_TYPE, _RUST_DEFAULTS),
    **dict.fromkeys((".ts", ".tsx"), (_TYPESCRIPT_TYPE,)),
    **dict.fromkeys((".h", ".hpp", ".hh"), (_C_TYPE, _C_DEFAULTS)),
    **dict.fromkeys((".c", ".cc", ".cpp", ".cxx"), (_C_DEFAULTS,)),
}


_SETTINGS = re.compile(r"settings|config|options", re.IGNORECASE)
_RUST_SETTINGS = re.compile(r"(?:Config|Settings|Options)$")
# What is read from a model's files describes the model: nobody sets it.
_OF_A_MODEL = re.compile(r"(?:Vision|Text|Audio|Encoder|HF|Model)Config$")
# The types of a Kubernetes API by its version's folder: people write their fields into manifests.
_KUBERNETES = re.compile(r"(?:^|/)v\d{1,2}(?:(?:alpha|beta)\d{1,2})?/(?:\w{1,60}_)?types\.go$")
_BLANK = frozenset(" \t")


def fields(path: str, lines: tuple[str, ...], context: str) -> Iterator[Field]:
    """What one side shows; `context`, the hunk's header, may open the list that the lines belong to."""
    for place in _PLACES.get(path[path.rfind(".") :].lower(), ()):
        if place.hint not in context and not any(place.hint in line for line in lines):
            continue
        owner, depth = _opened(place, context, path), -1
        for line in lines:
            if line[:1] not in _BLANK:
                owner = _opened(place, line, path) or ("" if line.strip() else owner)
            elif owner and (found := place.entry.match(line)):
                depth = _least_depth(lines) if depth < 0 else depth
                if not (place.declares and _depth(line) > depth):
                    yield Field(f"{owner}.{found.group(1)}", None if place.declares else found.group(2))


def _opened(place: _Place, line: str, path: str) -> str:
    """The type whose fields follow, where users meet them: settings by its name, a model by its place too."""
    found = place.opens.match(line) if place.hint in line else None
    if not found:
        return ""
    owner = found.group(1)
    if not place.declares:
        return owner
    return owner if not _OF_A_MODEL.search(owner) and _is_met(owner, line, path) else ""


def _is_met(owner: str, line: str, path: str) -> bool:
    """Whether others than the program itself fill the fields of a type in."""
    if path.endswith(".rs"):  # what clap reads are flags
        spoken = owner.endswith(("Request", "Response")) and line.startswith("pub")
        return spoken or bool(line.startswith("pub struct") and _RUST_SETTINGS.search(owner) and _SETTINGS.search(path))
    if path.endswith(".proto") or (owner[0].isupper() and _KUBERNETES.search(path)):
        return True
    return is_model(owner, path) or (is_configuration(owner) and owner[0].isupper())


def _least_depth(lines: tuple[str, ...]) -> int:
    """How deep the outermost indented code lies."""
    code = (line for line in lines if line[:1] in _BLANK and (bare := line.lstrip()) and bare[0] not in "*/")
    return min(map(_depth, code), default=0)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())
