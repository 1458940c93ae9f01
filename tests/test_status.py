"""`daybook status`: what the meters know, for a person and for programs."""

from __future__ import annotations

from cli.status import document, text
from core.ledger import Ledger, Stage
from tests.pushes import REPOSITORY, push, sha
from tests.test_ledger import claimed, given_up
from workers.celeryconfig import QUEUES


def worked(ledger: Ledger) -> None:
    """Three commits received, one told of again; one given up, one put off, one not begun; four requests refused."""
    ledger.receive(push([1, 2, 3]), [b"{}"] * 3)
    ledger.receive(push([3]), [b"{}"])
    first, second = claimed(ledger), claimed(ledger, commit_id=f"{REPOSITORY}@{sha(2)}")
    assert ledger.finish(first, given_up(first.record))
    assert ledger.retry(second, 60, "busy")
    ledger.took(Stage.FETCH, 0.5)
    ledger.took(Stage.FETCH, 1.5)
    ledger.refused({401: 3, 415: 1})


def test_for_a_person(ledger: Ledger) -> None:
    worked(ledger)
    ledger.pulse("worker@host/1")
    assert text(ledger.meters(("fetch", "analyse"))).splitlines() == [
        "commits   3 received, 0 analysed, 2 waiting, 1 given up",
        "oldest    0 s waiting",
        "today     3 received, 1 given up",
        "model     0 calls today, $0.00",
        "queues    fetch 3, analyse 0",
        "fetch     2 there, 1 put off, 1 given up, 1.00 s a run",
        "analyse   0 there, none done, 0.00 s a run",
        "refused   3 with 401, 1 with 415",
        "processes worker@host/1",
        "sweep     never ran",
    ]


def test_for_programs(ledger: Ledger) -> None:
    worked(ledger)
    found = document(ledger.meters(QUEUES))
    assert {"received", "analysed", "waiting", "failed", "oldest_waiting_seconds", "cost_usd_today", "queues",
            "reports"} <= set(found)  # fmt: skip
    fetch = found["stages"]["fetch"]
    assert (found["received"], found["duplicates"], found["failed"], found["refused"]) == (
        3,
        1,
        1,
        {"401": 3, "415": 1},
    )
    expected = {
        "done": 0, "put_off": 1, "paused": 0, "given_up": 1, "lost": 0, "waiting": 2, "mean_seconds": 1.0,
    }  # fmt: skip
    assert {key: fetch[key] for key in expected} == expected


def test_a_fresh_daybook(ledger: Ledger) -> None:
    assert document(ledger.meters(("fetch",)))["reports"] == {}
    assert text(ledger.meters(("fetch",))).splitlines()[1] == "oldest    nothing waits"
