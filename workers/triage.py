"""Commit + facts → Triage (tier, score, reasons); pure.

The diff's facts decide, the meaning of the message's words adjusts, the style of the title (prefixes, brackets) plays
no part. Every contribution to the score carries its reason, so the page can say why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import NamedTuple

from core.models import Commit, Facts, FileRole, PublicChange, Reason, Tier, Triage
from core.places import exports_values
from core.settings import RepositorySettings
from workers.advisories import ADVISORY
from workers.change_type import change_type
from workers.dependencies import PIN
from workers.facts import UNCOUNTED_ROLES, matches
from workers.fileroles import role_of_path
from workers.measurements import best_gain
from workers.message import Message, one_line, read_message
from workers.reach import aside_role, is_aside, narrowing, only_role, small_build
from workers.rules import ChangeWeight, TriageRules, load_rules
from workers.vocabulary import FAULTS, STATED

__all__ = ["TriageRules", "load_rules", "triage"]

REASONS_LIMIT = 4
_SUBJECT_LIMIT = 60
_SIZES = frozenset({"large_feature", "large_change"})

_TIDYING = frozenset({"refactor", "remove", "perf", "log", "bump"})
_PRODUCT = frozenset({FileRole.SOURCE, FileRole.INTERFACE, FileRole.KERNEL, FileRole.CONFIG})
_DELIVERY = frozenset({FileRole.BUILD, FileRole.MANIFEST})
_NATURE = ("cosmetic", "version_bump", "logging")
_CODE_MARKS = (
    "advisory", "security", "unsafe_removed", "rejects", "status_code", "removed_module", "release_pipeline",
    "release_step", "removed_release",
)  # fmt: skip
# A version as a release has it; what is still in the making (dev, rc, alpha) is none.
_RELEASE = re.compile(r"\bv?\d{1,4}\.\d{1,4}(?:\.\d{1,4}){0,2}(?:\.?post\d{1,3})?(?![\w.-])")
_FLOOR = re.compile(r"(?:>=?|==|~=|\^|~|@|^)\s?v?(\d[\d.]*)")
_COMMIT = re.compile(r"\b[0-9a-f]{10,40}\b")  # its digits are no version
# Where installers resolve within a major version by themselves.
_BY_MAJOR = ("package.json", "Cargo.toml", "go.mod", "composer.json")


class Part(NamedTuple):
    """One contribution to the score and why."""

    weight: float
    reason: Reason


def triage(commit: Commit, facts: Facts, rules: TriageRules, repository: RepositorySettings) -> Triage:
    """How much a commit matters to who uses or builds on the repository, by the rules alone.

    `facts` may come from the message alone; then the words decide and the tier is never low for want of files.
    """
    facts = _without_ignored(facts, repository.ignore_paths)
    message = read_message(commit.message)
    if settled := _settled(commit, facts, message, rules, repository):
        return _judged(Tier.LOW, 0.0, [settled], facts, message)
    parts = _without_size_alone(list(_parts(facts, message, rules)), rules)
    parts += _narrowing_parts(sum(part.weight for part in parts), facts, message, rules)
    score = round(sum(part.weight for part in parts), 2)
    tier = _tier(score, rules)
    if watched := _watched(facts, repository):
        return _judged(Tier.HIGH, max(score, rules.thresholds.high), [watched, *_weighty(parts)], facts, message)
    return _judged(tier, score, _weighty(parts), facts, message)


def _judged(tier: Tier, score: float, reasons: list[Reason], facts: Facts, message: Message) -> Triage:
    kept = tuple(dict.fromkeys(reasons))[:REASONS_LIMIT] or (Reason(code="limited_scope"),)
    return Triage(tier=tier, type=change_type(facts, message, tier), score=score, reasons=kept)


def _tier(score: float, rules: TriageRules) -> Tier:
    if score >= rules.thresholds.high:
        return Tier.HIGH
    return Tier.MEDIUM if score >= rules.thresholds.medium else Tier.LOW


def _weighty(parts: list[Part]) -> list[Reason]:
    """The reasons that carried the score, weightiest first; what lowered it follows."""
    raised = sorted((part for part in parts if part.weight > 0.25), key=lambda part: -part.weight)
    lowered = sorted((part for part in parts if part.weight < -0.25), key=lambda part: part.weight)
    named = [part.reason for part in raised if not part.reason.code.startswith("base_")]
    base = [part.reason for part in raised if part.reason.code.startswith("base_")]
    low = [part.reason for part in lowered]
    return [*named, *low] or base or [part.reason for part in parts[:1]]


def _without_ignored(facts: Facts, patterns: tuple[str, ...]) -> Facts:
    if not patterns:
        return facts
    return facts.model_copy(
        update={
            "changes": tuple(change for change in facts.changes if not matches(change.path, patterns)),
            "paths": tuple(path for path in facts.paths if not matches(path, patterns)),
        }
    )


def _settled(
    commit: Commit, facts: Facts, message: Message, rules: TriageRules, repository: RepositorySettings
) -> Reason | None:
    """What is low without weighing."""
    if facts.merge:
        return Reason(code="merge_advisory" if "advisory" in facts.marks else "merge")
    if facts.files and (not facts.roles or (repository.ignore_paths and not facts.paths)):
        return Reason(code="ignored_paths")
    if _by_low_author(commit, repository) and not _security_fact(facts, message):
        return Reason(code="low_author", subject=_subject(commit.login or commit.author))
    if not facts.files and not facts.incomplete:
        return Reason(code="empty")
    nature = next((mark for mark in _NATURE if mark in facts.marks), None)
    if (
        nature
        and (nature != "cosmetic" or facts.files < rules.size.sweeping_files)
        and not set(facts.marks) & {"release_pipeline", "removed_release"}
    ):
        release = _RELEASE.search(message.title) if nature == "version_bump" else None
        return Reason(code="release", subject=release.group(0)) if release else Reason(code=nature)
    return None


def _by_low_author(commit: Commit, repository: RepositorySettings) -> bool:
    names = [name for name in (commit.login, commit.author) if name]
    return any(fnmatchcase(name.lower(), pattern.lower()) for name in names for pattern in repository.low_authors)


def _security_fact(facts: Facts, message: Message) -> bool:
    """A robot's changelog says "security" often; an advisory, a title or the code itself is meant here."""
    told = "security" in message.title_marks or bool(ADVISORY.search(f"{message.title}\n{message.prose}"))
    told = told or "advisory" in facts.marks
    return told or ("security" in facts.marks and "security" not in message.body_marks)


def _watched(facts: Facts, repository: RepositorySettings) -> Reason | None:
    watch = repository.watch
    for path in facts.paths:
        if matches(path, watch.paths):
            return Reason(code="watched", subject=_subject(path))
    if not (watch.symbols or watch.flags):
        return None
    names = {
        *facts.symbols,
        *(change.name for change in facts.changes),
        *(change.before or "" for change in facts.changes),
    }
    bare = names | {part for name in names for part in re.split(r"[.():]+", name)}
    for pattern in (*watch.symbols, *watch.flags):
        if hit := next((name for name in sorted(bare) if name and fnmatchcase(name, pattern)), None):
            return Reason(code="watched", subject=_subject(hit))
    return None


def _parts(facts: Facts, message: Message, rules: TriageRules) -> Iterator[Part]:
    product = _touches_product(facts)
    yield _base(facts, message, rules)
    if product and (gain := best_gain(facts.benchmarks)).times >= rules.body.gain_from:
        yield Part(rules.body.gain, Reason(code="measured", subject=_subject(gain.said)))
    yield from _mark_parts(facts, message, rules, product=product)
    if facts.breaking:
        yield Part(rules.marks["incompatible"].title, Reason(code="says_breaking"))
    if product:
        yield from _change_parts(facts, rules)
        yield from _size_parts(facts, message, rules)


def _without_size_alone(parts: list[Part], rules: TriageRules) -> list[Part]:
    """Size makes nothing high that has no other ground for it."""
    sizes = [part for part in parts if part.reason.code in _SIZES]
    score = sum(part.weight for part in parts)
    grounds = sum(part.weight for part in parts if part.weight > 0 and part not in sizes and not _is_base(part))
    if not sizes or score < rules.thresholds.high or grounds >= rules.size.other_ground:
        return parts
    excess = score - rules.thresholds.high + 0.1
    return [part._replace(weight=max(part.weight - excess, 0.0)) if part in sizes else part for part in parts]


def _is_base(part: Part) -> bool:
    return part.reason.code.startswith("base_")


def _narrowing_parts(score: float, facts: Facts, message: Message, rules: TriageRules) -> list[Part]:
    """A change of limited scope is medium: reach takes a commit down to that, never below."""
    parts, room = list[Part](), score - rules.thresholds.medium
    for weight, code, subject in narrowing(facts, message, rules.narrow) if _touches_product(facts) else ():
        weight = max(weight, -room) if room > 0 else 0.0
        room += weight
        parts.append(Part(weight, Reason(code=code, subject=_subject(subject))))
    return parts


def _touches_product(facts: Facts) -> bool:
    """Without a diff nothing speaks against it."""
    return not facts.files or any(role not in UNCOUNTED_ROLES and role is not FileRole.BINARY for role in facts.roles)


def _base(facts: Facts, message: Message, rules: TriageRules) -> Part:
    if "cosmetic" in facts.marks:
        return Part(rules.base.nature, Reason(code="cosmetic"))
    if not facts.files or any(role in _PRODUCT for role in facts.roles):
        area = next((area for area in facts.areas if area != "."), None)
        reason = Reason(code="base_product", subject=_subject(area)) if area else Reason(code="base_code")
        return Part(rules.base.product, reason)
    if any(role in _DELIVERY for role in facts.roles):
        return Part(rules.base.delivery, Reason(code="base_delivery"))
    if FileRole.VENDORED in facts.roles and (message.meaning == "fix" or FAULTS & set(message.title_marks)):
        return Part(rules.base.vendored_fix, Reason(code="vendored_fix"))
    return Part(rules.base.other, Reason(code=only_role(facts)))


def _mark_parts(facts: Facts, message: Message, rules: TriageRules, *, product: bool) -> Iterator[Part]:
    """Words weigh only where the product changed: a test may well speak of a crash."""
    said = {*message.title_marks, *message.body_marks}
    body = rules.body.feature_factor if _is_new(facts, message) else 1.0
    if product and message.danger:
        yield Part(rules.body.danger, Reason(code="danger"))
    elif product and message.clearer:
        yield Part(rules.body.clearer, Reason(code="clearer"))
        said = set()
    for mark, weight in rules.marks.items():
        total = 0.0
        if mark in {"security", "advisory"} and message.danger:
            continue
        if product and mark in said & {*message.title_marks}:
            total += weight.title
        elif product and mark in said:
            stated = mark not in STATED or mark in message.stated
            total += weight.body * body * (1.0 if stated else rules.body.loose_factor)
        elif mark in _CODE_MARKS and mark in facts.marks and mark not in said:
            total += weight.code * (body if mark == "security" else 1.0)
        if total:
            yield Part(total, Reason(code=mark if mark in said or mark != "security" else "security_code"))


def _change_parts(facts: Facts, rules: TriageRules) -> Iterator[Part]:
    """One part for each kind of public change, named by its first."""
    groups: dict[str, list[PublicChange]] = {}
    for change in facts.changes:
        groups.setdefault(_change_code(change), []).append(change)
    for code, changes in groups.items():
        weight = rules.changes.get(code)
        if weight:
            yield Part(_grouped(weight, changes), Reason(code=code, subject=_subject(_named(changes[0]))))


def _grouped(weight: ChangeWeight, changes: list[PublicChange]) -> float:
    outer = any(_is_outer(change) for change in changes)
    first = weight.outer if outer else weight.inner
    cap = weight.cap if outer else weight.cap - (weight.outer - weight.inner)
    return min(first + weight.more * (len(changes) - 1), cap)


def _is_outer(change: PublicChange) -> bool:
    """A C++ header declares the internal along with the public; its classes and functions are not taken for granted."""
    header = change.kind in {"class", "function"} and change.path.endswith((".h", ".hpp", ".hh", ".hxx"))
    return role_of_path(change.path) is FileRole.INTERFACE and not header


def _change_code(change: PublicChange) -> str:
    if change.kind == "dependency":
        return _dependency_code(change)
    if change.kind == "parameter" and change.action == "added" and change.after is None:
        return "required_parameter"
    if change.kind == "function" and exports_values(change.path):
        return f"{change.action}_export"
    return f"{change.action}_{change.kind}"


def _dependency_code(change: PublicChange) -> str:
    if change.name.startswith("python") and (change.action == "removed" or change.name == "python"):
        return "platform_dropped"
    if role_of_path(change.path) is FileRole.BUILD:
        return "image_added" if change.action == "added" else "image_changed"
    if change.action == "added":
        return "dependency_added"
    if change.action == "removed":
        return "dependency_removed"
    if PIN.fullmatch(PurePosixPath(change.path).name):
        return "dependency_cap"  # what is delivered has it within; nobody has to have it
    depth = 1 if change.path.endswith(_BY_MAJOR) and change.name != "rust" else 2
    moved = _floors(change.before, depth) != _floors(change.after, depth)
    return "dependency_floor" if moved else "dependency_cap"


def _floors(bound: str | None, depth: int) -> list[list[str]]:
    """The least versions a bound allows, cut to major, or major and minor: a patch release forces nobody to act."""
    return [found.split(".")[:depth] for found in _FLOOR.findall(_COMMIT.sub("", bound or ""))]


def _named(change: PublicChange) -> str:
    if change.action != "renamed" or not change.before or not change.after:
        return change.name
    whole = f"{change.before} → {change.after}"
    if len(whole) <= _SUBJECT_LIMIT:
        return whole
    # Rather less than half a name: the last part of each, or the new one alone.
    last = " → ".join(re.split(r"[/.]", name)[-1] for name in (change.before, change.after))
    return last if len(last) <= _SUBJECT_LIMIT else re.split(r"[/.]", change.after)[-1]


def _size_parts(facts: Facts, message: Message, rules: TriageRules) -> Iterator[Part]:
    size, lines = rules.size, facts.code_lines
    if "cosmetic" in facts.marks:
        if facts.files >= size.sweeping_files:
            yield Part(size.sweeping, Reason(code="sweeping", subject=str(facts.files)))
        return
    new, grown = _is_new(facts, message), facts.additions > 3 * facts.deletions
    steps = (*size.change, *size.feature) if new else size.change
    if weight := sum(extra for bound, extra in steps if lines >= bound):
        yield Part(weight, Reason(code="large_feature" if grown else "large_change", subject=str(lines)))
    tidy = size.tidy_bump_below if message.meaning == "bump" else size.tidy_below
    if 0 < lines < tidy and message.meaning in _TIDYING and _is_tidy(facts, message):
        yield Part(size.tidy, Reason(code="small_internal"))
    if lines < size.aside_below and is_aside(facts, message):
        yield Part(size.aside, Reason(code=f"mostly_{aside_role(facts, message)}"))
    if not any(role in _PRODUCT for role in facts.roles) and 0 < lines < size.tiny_build_below and not facts.changes:
        yield Part(size.tiny_build, Reason(code=small_build(facts)))


def _is_new(facts: Facts, message: Message) -> bool:
    """Whether something is brought in, by what the title's words say, or by the diff where they say nothing."""
    grown = facts.code_lines >= 200 and facts.additions > 3 * facts.deletions
    return message.meaning == "feature" or (message.meaning is None and grown)


def _is_tidy(facts: Facts, message: Message) -> bool:
    public = any(change.action != "added" for change in facts.changes) or facts.deprecations
    plain = not public and not set(message.title_marks) - {"performance"}
    plain = plain and "synchronisation" not in facts.marks and not message.benchmarks  # measured: no clean-up
    return plain and any(role in _PRODUCT for role in facts.roles)


def _subject(text: str) -> str:
    return one_line(text.replace("`", "'"), _SUBJECT_LIMIT)
