"""Places are handed on in the order in which they were asked for, and none is lost by who would not wait."""

from __future__ import annotations

import threading
import time

from workers.fair_semaphore import FairSemaphore


def test_who_waits_longest_is_next_and_nobody_passes() -> None:
    places, served = FairSemaphore(1), list[int]()
    assert places.acquire(0)

    def wait(number: int) -> None:
        assert places.acquire(60)
        served.append(number)
        places.release()

    threads = [threading.Thread(target=wait, args=(number,)) for number in range(5)]
    for waiting, thread in enumerate(threads, start=1):
        thread.start()
        while len(places._waiting) < waiting:  # nothing else tells that it has begun to wait
            time.sleep(0.001)
    assert not places.acquire(0.01)  # it would have to wait for five others
    places.release()
    for thread in threads:
        thread.join(60)
    assert served == [0, 1, 2, 3, 4]
    assert places.acquire(0)


def test_who_gives_up_waiting_takes_no_place() -> None:
    places = FairSemaphore(2)
    assert places.acquire(0)
    assert places.acquire(0)
    assert not places.acquire(0.01)
    places.release()
    assert places.acquire(0)


def test_no_more_have_a_place_than_there_are_and_all_are_served() -> None:
    places, guard, inside, most, served = FairSemaphore(3), threading.Lock(), 0, 0, 0

    def work() -> None:
        nonlocal inside, most, served
        for turn in range(50):
            if not places.acquire(0.0001 if turn % 5 == 0 else 60):
                continue
            with guard:
                inside += 1
                most, served = max(most, inside), served + 1
            with guard:
                inside -= 1
            places.release()

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most <= 3
    assert served >= 12 * 40
    assert all(places.acquire(0) for _ in range(3))
    assert not places.acquire(0)
