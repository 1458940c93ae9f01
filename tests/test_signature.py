"""Only GitHub, or who else has the secret, gets in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.running import signature
from webhook.signature import is_signed

# https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
SECRET, BODY = b"It's a Secret to Everybody", b"Hello, World!"
PUBLISHED = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_githubs_published_vector_fits() -> None:
    assert is_signed(BODY, PUBLISHED, [SECRET])


@pytest.mark.parametrize(
    "given_signature",
    [
        None, "", "sha256=", PUBLISHED.upper(), PUBLISHED[:-1], PUBLISHED + "0", PUBLISHED.removeprefix("sha256="),
        "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59", "sha256=é" + PUBLISHED[8:], "sha256=" + "0" * 64,
    ],
)  # fmt: skip
def test_anything_else_does_not(given_signature: str | None) -> None:
    assert not is_signed(BODY, given_signature, [SECRET])


def test_either_secret_fits_while_they_are_rotated_and_none_means_nobody() -> None:
    assert is_signed(BODY, PUBLISHED, [b"new", SECRET])
    assert is_signed(BODY, PUBLISHED, [SECRET, b"new"])
    assert not is_signed(BODY, PUBLISHED, [])
    assert not is_signed(BODY, PUBLISHED, [b"new"])


@given(st.binary(min_size=1), st.integers(min_value=0), st.integers(1, 255))
def test_one_changed_byte_does_not_fit(body: bytes, place: int, change: int) -> None:
    changed = bytearray(body)
    changed[place % len(body)] ^= change
    assert is_signed(body, signature(body, "s"), [b"s"])
    assert not is_signed(bytes(changed), signature(body, "s"), [b"s"])
