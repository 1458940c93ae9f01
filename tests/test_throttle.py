"""Wrong passwords are few a minute for each address, and nobody else waits for it."""

from __future__ import annotations

import base64
import time

from hypothesis import given
from hypothesis import strategies as st

from report.throttle import MOST_ADDRESSES, WRONG_ALLOWED, Throttle
from tests.serving import serving
from tests.test_site import PATH, filled


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_ten_wrong_guesses_a_minute_then_a_wait_that_ends() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    assert [throttle.guess("192.0.2.1", right=False) for _ in range(10)] == [0] * 10
    clock.now += 20.5
    assert throttle.guess("192.0.2.1", right=False) == 40
    assert throttle.guess("192.0.2.1", right=True) == 40  # or a right guess would show
    assert throttle.guess("192.0.2.2", right=True) == 0
    clock.now += 39.5
    assert throttle.guess("192.0.2.1", right=True) == 0
    assert [throttle.guess("192.0.2.1", right=False) for _ in range(11)] == [0] * 10 + [60]


def test_right_guesses_are_not_counted() -> None:
    throttle = Throttle(Clock())
    assert {throttle.guess("192.0.2.1", right=True) for _ in range(1000)} == {0}


def test_addresses_of_one_customer_are_one() -> None:
    throttle = Throttle(Clock())
    for last in range(WRONG_ALLOWED):
        assert throttle.guess(f"2001:db8:1:2::{last:x}", right=False) == 0
    assert throttle.guess("2001:db8:1:2:ffff::1", right=False) == 60
    assert throttle.guess("2001:db8:1:3::1", right=False) == 0
    for _ in range(WRONG_ALLOWED):
        throttle.guess("192.0.2.1", right=False)
    assert throttle.guess("::ffff:192.0.2.1", right=True) == 60


def test_memory_is_bounded() -> None:
    throttle = Throttle(Clock())
    for number in range(MOST_ADDRESSES + 500):
        throttle.guess(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", right=False)
    assert len(throttle._wrong) == MOST_ADDRESSES


@given(st.text())
def test_any_address_can_be_counted(address: str) -> None:
    assert Throttle(Clock()).guess(address, right=False) == 0


def basic(password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"anyone:{password}".encode()).decode()}


def test_the_site_answers_429_with_a_wait_and_never_sleeps() -> None:
    with serving(filled(), site_password="a good one", daybook_host="0.0.0.0") as client:  # noqa: S104
        assert [client.get(PATH).status for _ in range(30)] == [401] * 30  # without a password nothing is guessed
        assert client.get(PATH, **basic("a good one")).status == 200
        answers = [client.get(PATH, **basic(f"guess {number}")) for number in range(10)]
        assert [answer.status for answer in answers] == [401] * 10
        started = time.monotonic()
        late = client.get(PATH, X_Forwarded_For="192.0.2.9", **basic("a good one"))  # a header makes no new address
        assert time.monotonic() - started < 10
        assert late.status == 429
        assert 50 <= int(late.headers["Retry-After"]) <= 60
        assert "WWW-Authenticate" not in late.headers
        assert "密码错误次数过多" in late.text
        assert "Content-Security-Policy" in late.headers
