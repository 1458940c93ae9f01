"""Logs: one line an event, Daybook's and the libraries' alike, and no secret in any."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from core.log import configure_logging, logfmt
from core.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "correct horse")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield load_settings()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_every_event_is_one_line_with_its_secrets_blotted_out(settings: Settings) -> None:
    written = io.StringIO()
    configure_logging(settings, "web", extra_secrets=["battery staple"], stream=written)
    log = structlog.get_logger("ours")
    log.info("push_received", repository="octocat/hello-world", queued=3, note='a "quoted"\nline', none=None)
    log.debug("not_told")
    try:
        int("battery staple")
    except ValueError:
        log.exception("it_failed", remedy="correct horse")
    logging.getLogger("theirs").warning("a library says %s", "correct horse")
    lines = [re.sub(r"timestamp=\S+Z ", "", line) for line in written.getvalue().splitlines()]
    assert lines[0] == (
        r'level=info event=push_received repository=octocat/hello-world queued=3 note="a \"quoted\"\nline" none='
    )
    assert lines[1].startswith(
        'level=error event=it_failed remedy="***" exception="Traceback (most recent call last):\\n'
    )
    assert lines[1].endswith('''with base 10: '***'"''')
    assert lines[2:] == ['level=warning event="a library says ***"']


def test_a_line_that_nobody_can_read_any_more_is_no_failure(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = io.StringIO()
    configure_logging(settings, "web", stream=gone)
    structlog.get_logger().info("push_received")
    assert "push_received" in gone.getvalue()
    gone.close()
    structlog.get_logger().info("push_received")
    assert capsys.readouterr() == ("", "")


NAMES = st.sampled_from(["timestamp", "level", "event", "repository", "queued", "reason"])
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(' ="\\\na\u4e2d') | st.lists(st.text(' "=a'))


@given(st.dictionaries(NAMES, VALUES))
def test_a_line_is_as_structlogs_own_renderer_writes_it(event: dict[str, Any]) -> None:
    theirs = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"], drop_missing=True)
    assert logfmt(None, "info", event.copy()) == theirs(None, "info", event.copy())
