"""One side of a manifest's or build file's hunk → the dependencies, platforms and versions it names; pure, bounded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import unquote

from core.models import FileRole
from workers.fileroles import role_of_path

_REQUIREMENT = re.compile(
    r"^\s{0,8}([A-Za-z0-9][\w.-]{0,60})(?:\[[^\]]{0,60}\])?\s{0,4}((?:[<>=!~]=?|@)[^;#\n]{0,100})?(?:;.{0,120})?(?:\s#.{0,200})?$"
)
# A wheel by its address: `https://…/flash_attn-2.8.1%2Bcu12-cp312-cp312-linux_x86_64.whl`.
_WHEEL = re.compile(r"/([A-Za-z0-9][\w.]{0,60})-(\d[\w.%+]{0,60})(?:-[\w.]{1,60}){3}\.whl\b")
# What an image's `pip install` pins.
_PINNED = re.compile(r"(?<![\w.-])([A-Za-z][\w.-]{0,60})(?:\[[^\]]{0,60}\])?(==\d[\w.+!-]{0,40})")
_QUOTED = re.compile(r"[\"']([A-Za-z0-9][\w.-]{0,60})(?:\[[^\]]{0,60}\])?\s{0,2}((?:[<>]|[<>=!~]=)[^\"';]{1,80})[\"';]")
_BARE = re.compile(r"[\"']([A-Za-z0-9][\w.-]{0,60})(?:\[[^\]]{0,60}\])?\s{0,2}[\"';]")
_PYTHON = re.compile(r"\b(?:requires-python|python_requires|python)\s?=\s?[\"']([^\"']{1,40})[\"']")
_CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d{1,2})[\"']")
# `MIN_MLX_VERSION = "0.30.3"`, which a setup.py puts into what it asks for.
LEAST_OF = re.compile(
    r"^\s{0,4}(?:(?:MIN|MINIMUM|REQUIRED)_([A-Z][A-Z0-9_]{0,40}?)|([A-Z][A-Z0-9_]{0,40}?)_MIN(?:IMUM)?)_VERSION"
    r"\s?=\s?[\"'](\d[\w.]{0,20})[\"']"
)
_KEY_VERSION = re.compile(r"^\s{0,8}[\"']?([A-Za-z@][\w@/.-]{0,80})[\"']?\s?[=:]\s?(?:\{[^\n]{0,60}version ?= ?)?[\"']([\^~>=<*v]{0,2}\d[^\"'\n]{0,40})[\"']")  # fmt: skip # noqa: E501
_OPTIONAL = re.compile(r"\boptional\s?=\s?true\b")  # Poetry, Cargo: installed by who asks for it alone
# A part of the same workspace, which is versioned with it.
OWN_PART = re.compile(r"^\s{0,8}[\w-]{1,80}\s?=\s?\{(?=[^\n]{0,200}\bpath\s?=)[^\n]{0,60}\bversion\s?=")
_GO = re.compile(
    r"^\s{0,8}(?:require )?([\w.-]{1,60}\.[\w./-]{1,100}|go|toolchain) (v?\d[\w.+-]{0,60}|go\d[\w.]{0,20})\b"
)
_FROM = re.compile(r"^\s{0,4}FROM\s{1,4}(?:--\S{1,60}\s)?([^\s:@]{1,120})(?:[:@](\S{1,120}))?", re.IGNORECASE)
SEVERAL = " / "
_STAGE = re.compile(r"\sAS\s{1,4}([\w.-]{1,60})\s{0,8}$", re.IGNORECASE)
_SETS = re.compile(r"^\s{0,4}(?:ARG|ENV)\s{1,4}(?=\S)", re.IGNORECASE)
_PAIR = re.compile(r"(?<!\S)(\w{1,100})=(\"[^\"]{0,80}\"|'[^']{0,80}'|\S{1,80})")
_OLD_PAIR = re.compile(r"^(\w{1,100}) (\S{1,80})")
# One pair on a line of its own: more of an ARG or ENV that may have begun out of view.
_LONE_PAIR = re.compile(r"^\s{1,24}\w{1,100}=\S{1,80}(?:\s{1,4}\\)?\s{0,4}$")
_DIGIT = re.compile(r"\d")  # a path, or another setting's value, is no version
_VERSIONED = re.compile(r"VERSION|VER|TAG|CUDA|PYTHON", re.IGNORECASE)
_CMAKE = re.compile(
    r"\b(?:(cmake_minimum_required)\s?\(VERSION\s|find_package\s?\((\w{1,60})\s|set\s?\((CMAKE_C(?:XX|UDA)_STANDARD)\s)(\d[\d.]{0,16})",
    re.IGNORECASE,
)
_LEAST = re.compile(r"(?:>=?|==|~=|\^|~)\s?v?(\d[\d.]{0,20})")
_NOT_DEPENDENCIES = frozenset(
    (
        "version",
        "name",
        "description",
        "edition",
        "schema",
        "$schema",
        "line-length",
        "target-version",
        "fail_under",
        "level",
        "indent",
        "target-python",
        "requires-python",  # told as `python`
        "python-version",
        "python_version",
        "pythonversion",
        "minversion",
        "py-version",
    )
)


# A file that holds the version of one thing; that of the project itself is called VERSION.
PIN = re.compile(r"[A-Z][A-Z0-9]{1,40}(?:_[A-Z0-9]{1,40}){0,4}_VERSION")
_SECTIONED = frozenset({"pyproject.toml", "cargo.toml", "package.json"})
_SECTION = re.compile(r"^(?:\[{1,2}([\w.\"' -]{1,80})\]|\s{1,8}\"(\w{1,40})\": ?\{)")
_ASIDE = re.compile(
    r"dependency-groups|(?:workspace\.)?dev-dependencies|(?:target\..{1,60}\.)?dev-dependencies|devDependencies"
    r"|tool\.(?![\w.-]{0,60}(?:dependencies|extras)$)|tool\.[\w.-]{0,40}\b(?:group|dev)\b|scripts$|config$"
)
_COMMIT = re.compile(r"^([0-9a-f]{10})[0-9a-f]{30}$")
_SCRIPTS = (".sh", ".bash", ".ps1", ".mk", "makefile", "justfile", ".py", ".js", ".ts", ".rb", ".pl", ".example")
_PYTHON_PROJECT = frozenset({"pyproject.toml", "setup.py", "setup.cfg"})


def dependencies(path: str, lines: tuple[str, ...]) -> dict[str, str]:
    """Name → version bound ("" when unbound) of what one side of a hunk asks for, as far as users get it."""
    name = PurePosixPath(path.lower()).name
    if name in _SECTIONED:
        lines = _delivered(lines)
    if _is_image(name):
        return _docker(lines)
    if name == "cmakelists.txt" or name.endswith(".cmake"):
        return _cmake(lines)
    if name == "go.mod":
        asked = (line for line in lines if not line.rstrip().endswith("// indirect"))  # what others ask for
        return {found.group(1): found.group(2) for line in asked if (found := _GO.match(line))}
    if name.endswith((".txt", ".in")):
        return _requirements(lines)
    if name in _PYTHON_PROJECT:
        return _python_project(lines) | (_keyed(lines) if name == "pyproject.toml" else {})
    if PIN.fullmatch(PurePosixPath(path).name):
        return _pinned(PurePosixPath(path).name, lines)
    if role_of_path(path) is FileRole.MANIFEST:
        return _keyed(lines)
    # In what else builds it a version is one by its name alone, in scripts by a variable's.
    names = {key: value for key, value in _keyed(lines).items() if _VERSIONED.search(key)}
    return {key: value for key, value in names.items() if key.isupper()} if name.endswith(_SCRIPTS) else names


def _delivered(lines: tuple[str, ...]) -> tuple[str, ...]:
    """The lines without those of a section, in view, that only developers install or a tool reads."""
    kept, aside = list[str](), False
    for line in lines:
        if (line[:1] == "[" or line.rstrip().endswith("{")) and (found := _SECTION.match(line)):
            aside = bool(_ASIDE.match(found.group(1) or found.group(2)))
        elif line.strip() in {"}", "},"}:
            aside = False
        if not aside:
            kept.append(line)
    return tuple(kept)


def _pinned(name: str, lines: tuple[str, ...]) -> dict[str, str]:
    """What a file such as LLAMA_CPP_VERSION says by its one word."""
    words = [_COMMIT.sub(r"\1", line.strip()) for line in lines if line.strip()]
    return {name.removesuffix("_VERSION"): words[0]} if len(words) == 1 and " " not in words[0] else {}


def bare_names(path: str, lines: tuple[str, ...]) -> set[str]:
    """What one side of a Python project's hunk quotes without a version: dependencies, or words of another list.

    Which of them a dependency is, only a bound on the other side can tell.
    """
    if PurePosixPath(path.lower()).name not in _PYTHON_PROJECT:
        return set()
    return {found.lower() for line in lines for found in _BARE.findall(line)}


def pinned_in_image(path: str, lines: tuple[str, ...]) -> dict[str, str]:
    """What one side of an image's hunk installs by pip in one version; a list that is read by its changes alone."""
    if not _is_image(PurePosixPath(path.lower()).name) or not any("==" in line for line in lines):
        return {}
    runs = (line for line in _instructions(lines) if "pip" in line and "install" in line)
    return {found[1].lower(): found[2] for line in runs for found in _PINNED.finditer(line)}


def _is_image(name: str) -> bool:
    return name.startswith("dockerfile") or name.endswith((".dockerfile", "containerfile")) or ".dockerfile" in name


def least_versions(bound: str | None) -> set[str]:
    """The versions that a bound asks for at least, or exactly."""
    return set(_LEAST.findall(bound or ""))


def _requirements(lines: tuple[str, ...]) -> dict[str, str]:
    asked: dict[str, str] = {}
    for line in lines:
        if line.lstrip().startswith(("#", "-")):
            continue
        if ".whl" in line and (wheel := _WHEEL.search(line)):
            asked[wheel[1].replace("_", "-").lower()] = f"=={unquote(wheel[2])}"
        elif match := _REQUIREMENT.match(line):
            asked[match[1].lower()] = (match[2] or "").strip()
    return asked


def _python_project(lines: tuple[str, ...]) -> dict[str, str]:
    asked: dict[str, str] = {}
    for line in lines:
        if python := _PYTHON.search(line):
            asked["python"] = python.group(1)
        elif classifier := _CLASSIFIER.search(line):
            asked[f"python {classifier.group(1)}"] = ""
        elif least := LEAST_OF.match(line):
            asked[(least[1] or least[2]).lower()] = f">={least[3]}"
        else:
            for found in _QUOTED.finditer(line):  # a line may ask by a condition: "a<2" if released else "a"
                name, bound = found.group(1).lower(), found.group(2).strip()
                if "{" not in bound or name not in asked:  # `f"mlx>={MIN_MLX_VERSION}"`
                    _add(asked, name, bound)
    return asked


def _keyed(lines: tuple[str, ...]) -> dict[str, str]:
    found = (_KEY_VERSION.match(line) for line in lines if not (OWN_PART.match(line) or _OPTIONAL.search(line)))
    asked = {
        match.group(1): match.group(2) for match in found if match and match.group(1).lower() not in _NOT_DEPENDENCIES
    }
    return {"rust" if name == "rust-version" else name: bound for name, bound in asked.items()}


def _docker(lines: tuple[str, ...]) -> dict[str, str]:
    asked: dict[str, str] = {}
    stages = {found.group(1).lower() for line in lines if (found := _STAGE.search(line))}
    for line in _instructions(lines):
        if image := _FROM.match(line):
            # A bare name is most likely a stage of the same file, whose own FROM may be out of view.
            if image.group(1).lower() not in stages and (image.group(2) or "/" in image.group(1)):
                _add(asked, image.group(1), image.group(2) or "")
        elif sets := _SETS.match(line):
            body = line[sets.end() :]
            for pair in _PAIR.finditer(body) if "=" in body.split()[0] else _OLD_PAIR.finditer(body):
                if _VERSIONED.search(pair.group(1)) and _DIGIT.search(pair.group(2)):
                    _add(asked, pair.group(1), pair.group(2).strip("\"'"))
    return asked


def _instructions(lines: tuple[str, ...]) -> Iterator[str]:
    """A build file's instructions, each on one line; what goes on from above the view counts as settings, or not."""
    started, open_line = False, ""
    for line in lines:
        if line.lstrip().startswith("#"):
            continue
        if not started and _LONE_PAIR.match(line):
            open_line = open_line or "ENV "
        started = started or (bool(line.strip()) and not open_line)
        open_line += line.strip().removesuffix("\\") + " "
        if not line.rstrip().endswith("\\"):
            yield open_line
            open_line = ""
    if open_line:
        yield open_line


def _add(asked: dict[str, str], name: str, value: str) -> None:
    """A name that stands in several stages has all their values: which gave way to which cannot be told."""
    asked[name] = SEVERAL.join(sorted({*asked.get(name, value).split(SEVERAL), value}))


def _cmake(lines: tuple[str, ...]) -> dict[str, str]:
    asked: dict[str, str] = {}
    for line in lines:
        if found := _CMAKE.search(line):
            name = next(group for group in found.group(1, 2, 3) if group)
            asked["cmake" if name.lower() == "cmake_minimum_required" else name] = found.group(4)
    return asked
