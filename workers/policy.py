"""Two judges, one policy: the rules' tier and the model's opinion → the verdict; pure.

The policy, in the order in which its clauses are tried:

1. `rules`: without an opinion, or with one that gives no reason, the rules' tier stands.
2. `agreed`: both say the same.
3. `ceiling`: the model cannot raise what reaches nobody who runs the product: merges, empty commits, ignored paths,
   commits of low authors, a bare version, and changes of documents, tests, CI or looks alone.
4. `floor`: the model cannot lower what a diff or message shows to be a matter of security, of breaking what callers
   named or relied on, or of lost data; and it cannot lower what is watched at all.
5. `moved`: otherwise the model moves the tier by one, and its reason is shown.
6. `one_step`: where it wanted two, it gets one.

The types of a change are the model's, within the same bounds: what a floor's facts show to be security or breaking is
called so first, and a commit of documents, tests or CI alone is called what it is.
"""

from __future__ import annotations

from core.models import ChangeType, Facts, FileRole, Opinion, PublicChange, Tier, Triage, Verdict
from workers.fileroles import role_of_path
from workers.reach import only_role

_BY_RANK = (Tier.LOW, Tier.MEDIUM, Tier.HIGH)
_WATCHED = "watched"
_SECURITY = frozenset({"security", "security_code", "danger", "advisory", "unsafe_removed"})
_DATA_LOSS = frozenset({"corruption"})
_BREAKING = frozenset({"says_breaking", "incompatible", "platform_dropped", "dependency_floor"})
_FLOORS = frozenset({_WATCHED}) | _SECURITY | _DATA_LOSS | _BREAKING
_CEILINGS = frozenset(
    {"merge", "merge_advisory", "empty", "ignored_paths", "low_author", "cosmetic", "release", "version_bump"}
)
_CEILING_ROLES = frozenset({FileRole.DOCS, FileRole.TEST, FileRole.CI})
# What is named from outside the code: a command line, a deployment, a request, a settings file.
_NAMED_OUTSIDE = frozenset({"flag", "environment", "route", "config"})
_SETTLED_TYPES = frozenset({ChangeType.SECURITY, ChangeType.BREAKING})
MOST_TYPES = 3
_NAMED_IN_CODE = frozenset({"function", "class", "parameter"})


def joined(facts: Facts, triage: Triage, opinion: Opinion | None) -> Verdict:
    """The tier that the rules and the model come to, with the clause that decided; never further than one tier away."""
    wanted = opinion.tier.rank - triage.tier.rank if opinion else 0
    if opinion is None or (wanted and not opinion.reason.strip()):
        return Verdict(tier=triage.tier, rule="rules")
    if not wanted:
        return Verdict(tier=triage.tier, rule="agreed")
    if wanted > 0 and (fact := _ceiling(facts, triage)):
        return Verdict(tier=triage.tier, rule="ceiling", fact=fact)
    if wanted < 0 and (fact := _floor(facts, triage)):
        return Verdict(tier=triage.tier, rule="floor", fact=fact)
    moved = _BY_RANK[triage.tier.rank + (1 if wanted > 0 else -1)]
    return Verdict(tier=moved, rule="moved" if abs(wanted) == 1 else "one_step")


def joined_types(facts: Facts, triage: Triage, types: tuple[ChangeType, ...]) -> tuple[ChangeType, ...]:
    """The types that the model gave (at least one), with what the facts settle about them."""
    if _of_roles_that_reach_nobody(facts):
        return (triage.type,)
    if triage.type in _SETTLED_TYPES and _floor(facts, triage):
        return tuple(dict.fromkeys((triage.type, *types)))[:MOST_TYPES]
    return types


def _of_roles_that_reach_nobody(facts: Facts) -> bool:
    roles = {*facts.roles} - {FileRole.BINARY}
    return bool(roles) and roles <= _CEILING_ROLES


def _ceiling(facts: Facts, triage: Triage) -> str:
    """The code of the reason why nobody who runs the product is reached, or ""."""
    code = next((reason.code for reason in triage.reasons if reason.code in _CEILINGS), "")
    return code or (only_role(facts) if _of_roles_that_reach_nobody(facts) else "")


def _floor(facts: Facts, triage: Triage) -> str:
    """The code of the reason that the model cannot overrule, or ""."""
    code = next((reason.code for reason in triage.reasons if reason.code in _FLOORS), "")
    if code or facts.breaking:
        return code or "says_breaking"
    return next((f"{change.action}_{change.kind}" for change in facts.changes if _breaks(change)), "")


def _breaks(change: PublicChange) -> bool:
    """Whether callers must change for it: what they named is gone, or a flag does something else by default."""
    if change.action == "default_changed":
        return change.kind == "flag"
    if change.action not in {"removed", "renamed"}:
        return False
    if change.kind in _NAMED_OUTSIDE:
        return True
    return change.kind in _NAMED_IN_CODE and role_of_path(change.path) is FileRole.INTERFACE
