"""A table gives the entries that it was made of, in any order, and by columns what they have."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from core.models import Tier
from report.brief import Brief
from report.daily import entry_from_record
from report.kinship import Called
from report.table import Rows, Table, landed
from tests.records import facts, record, sha_of

if TYPE_CHECKING:
    from report.daily import Entry

ENTRIES = [
    entry_from_record(record(n, tier, author=f"Author {n % 3}", facts=facts(areas=(f"part_{n % 2}",), pull_request=n)))
    for n, tier in enumerate([Tier.HIGH, Tier.LOW, Tier.MEDIUM, Tier.LOW, Tier.HIGH, Tier.LOW])
]


def by_columns(entries: list[Entry], known: int) -> Table:
    """The first ones known by columns, as they are read, and the others as entries."""
    names = ("author", "position", "found_by", "tier", "state")
    columns = {name: list(map(attrgetter(name), entries[:known])) for name in names}
    columns |= {name: [getattr(one.brief, name) for one in entries[:known]] for name in Brief._fields}
    columns |= {name: [getattr(one.called, name) for one in entries[:known]] for name in Called._fields}
    columns |= {"sha": [one.sha for one in entries[:known]], "landed": list(map(landed, entries[:known]))}
    columns["row"] = list(range(known))
    return Table.by_rows(Rows(known, columns, entries.__getitem__).followed_by(entries[known:]))


@given(st.permutations(ENTRIES), st.integers(0, len(ENTRIES)))
def test_it_is_what_it_was_made_of(entries: list[Entry], known: int) -> None:
    table, plain = by_columns(entries, known), Table.of(entries)
    assert (tuple(table), table, len(table)) == (tuple(entries), plain, len(entries))
    newest = sorted(entries, key=attrgetter("landed_at", "position", "sha"), reverse=True)
    assert tuple(table.newest_first()) == tuple(plain.newest_first()) == tuple(newest)
    for name in ("sha", "author", "tier", "types", "pull_request", "looked_up", "landed"):
        assert list(table.newest_first().column(name)) == list(plain.newest_first().column(name))
    assert list(table.column("row")) == [*range(known), *[-1] * (len(entries) - known)]
    wanted = [one.sha for one in newest[1::2]]
    assert tuple(table.without(wanted)) == tuple(one for one in entries if one.sha not in wanted)
    assert tuple(table.in_order_of([one.sha for one in newest])) == tuple(newest)
    assert table[1:3] == tuple(entries[1:3])
    assert table.places_of([entries[2].sha, sha_of(99)]) == {entries[2].sha: 2}


@given(st.permutations(ENTRIES), st.integers(1, len(ENTRIES)))
def test_who_stands_for_another_is_seen_in_the_columns(entries: list[Entry], known: int) -> None:
    table = by_columns(entries, known)
    gone = entries[-1].model_copy(update={"cancelled": True, "tier": Tier.LOW})
    head = entries[0].model_copy(update={"cancelled": True, "tier": Tier.LOW, "folded": (gone.member(),)})
    filed = table.with_entries({0: head, len(entries) - 1: gone})
    shown = filed.folded_into({0: head}, [gone.sha])
    assert tuple(shown) == (head, *entries[1:-1])
    assert shown.whole == (head, *entries[1:-1], gone)
    assert list(shown.told) == [0]
    assert list(shown.column("tier")) == [one.tier for one in shown]
    assert list(shown.whole.column("tier")) == [one.tier for one in shown.whole]
    assert shown.column("row")[0] == -1
    assert table.whole is table
