"""What a process learns of its prompts' tokens reaches the ledger whole, in few writes, and comes back to it."""

from __future__ import annotations

import threading
import time

import pytest

from core.ledger import Ledger
from workers.calibration import KEPT_SECONDS, LedgerCalibration

MODEL = "claude-haiku-5-5"


def test_comparisons_of_many_threads_are_told_together_and_none_is_lost(ledger: Ledger) -> None:
    calibration = LedgerCalibration(ledger)

    def compare() -> None:
        for _ in range(20):
            calibration.calibrate(MODEL, 1000, 1500)

    threads = [threading.Thread(target=compare) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    calibration.calibrate("another", 1000, 3000)
    assert ledger.token_ratio(MODEL) == pytest.approx(1.5)
    assert ledger.token_ratio("another") == pytest.approx(3.0)
    time.sleep(KEPT_SECONDS)
    calibration.calibrate(MODEL, 1000, 1500)
    told = float(ledger.redis.hget("daybook:calibration", f"{MODEL} estimated"))
    assert 90_000 < told <= 101_000  # faded a little
    assert ledger.token_ratio(MODEL) == pytest.approx(1.5)


def test_a_ratio_is_that_of_a_second_ago_at_most_and_of_all_processes(ledger: Ledger) -> None:
    calibration = LedgerCalibration(ledger)
    assert calibration.token_ratio(MODEL) == 1.0
    ledger.calibrate(MODEL, 1000, 2000)
    deadline = time.monotonic() + 60
    while calibration.token_ratio(MODEL) != 2.0:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_the_api_did_not_count_is_no_comparison(ledger: Ledger) -> None:
    calibration = LedgerCalibration(ledger)
    calibration.calibrate(MODEL, 1000, 0)
    calibration.calibrate(MODEL, 0, 1000)
    assert calibration.token_ratio(MODEL) == 1.0
    assert not ledger.redis.exists("daybook:calibration")
