"""Keeps this host's index up to date while it is searched, together with the other processes of the host."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog
from redis import RedisError

from report.search.filling import Source, fill, is_current
from report.search.store import BrokenIndexError, IndexFolder, commit_count, opened, optimise

log = structlog.get_logger()

LOOK_AGAIN_SECONDS = 1.0
WAIT_SECONDS = 0.5  # of a search, for the index to catch up; what takes longer goes on beside it
LONGEST_WAIT_SECONDS = 3.0  # where there is no index yet

Answer = TypeVar("Answer")


class IndexUnavailableError(Exception):
    """The index can be neither read nor made just now: no room, no right to write, or just begun."""


class Keeper:
    """One per process. The constructor does no I/O; every method is safe to call from any thread."""

    def __init__(self, source: Source, home: Path, *, look_again_seconds: float = LOOK_AGAIN_SECONDS) -> None:
        self._source = source
        self._folder = IndexFolder(home)
        self._look_again_seconds = look_again_seconds
        self._guard = threading.Lock()
        self._work: _Work | None = None

    def ask(self, question: Callable[[sqlite3.Connection], Answer]) -> tuple[Answer, bool]:
        """The answer of the index, and whether it holds all that was known a second ago.

        It catches up for a moment first. An index that is missing or damaged is made again.
        Raises redis.RedisError, or IndexUnavailableError.
        """
        work = self._working()
        complete = work.finished(WAIT_SECONDS)
        if self._folder.current() is None:
            complete = work.finished(LONGEST_WAIT_SECONDS)
        try:
            return self._read(question), complete
        except BrokenIndexError as error:
            self._discard(error)
        complete = self._working(anew=True).finished(LONGEST_WAIT_SECONDS)
        try:
            return self._read(question), complete
        except BrokenIndexError as error:
            raise IndexUnavailableError(str(error)) from error

    def rebuild(self) -> tuple[int, int]:
        """Make the index again beside the one in use, then put it in its place; (commits, days) in it.

        Waits for another process that is writing. Raises redis.RedisError, or IndexUnavailableError.
        """
        try:
            with self._folder.writing(wait=True):
                fresh = self._folder.begun()
                try:
                    with opened(fresh) as index:
                        fill(index, self._source, lambda _: None)
                        optimise(index)
                        counts = commit_count(index)
                    self._folder.publish(fresh)
                finally:
                    self._folder.discard(fresh)
        except (OSError, sqlite3.Error, BrokenIndexError) as error:
            raise IndexUnavailableError(str(error)) from error
        return counts

    def _read(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        generation = self._folder.current()
        if generation is None:
            raise IndexUnavailableError("the first index is being made")
        try:
            with opened(generation) as index:
                return question(index)
        except sqlite3.Error as error:
            raise IndexUnavailableError(str(error)) from error

    def _discard(self, broken: BrokenIndexError) -> None:
        log.warning("search_index_broken", reason=str(broken))
        self._folder.discard(broken.generation)

    def _working(self, *, anew: bool = False) -> _Work:
        """The look at the ledger that is under way, or the last one if it is recent, or else a new one."""
        with self._guard:
            work = self._work
            if work is None or (work.ended and (anew or work.age() > self._look_again_seconds)):
                work = self._work = _Work(self._catch_up)
                work.start()
            return work

    def _catch_up(self) -> bool:
        """Whether the index holds everything now; not, when another process is at it."""
        try:
            generation = self._folder.current()
            if generation is not None:
                with opened(generation) as index:
                    if is_current(index, self._source):
                        return True
            return self._write()
        except BrokenIndexError as error:
            self._discard(error)
            return self._write()

    def _write(self) -> bool:
        began = time.monotonic()

        def rest(spent: float) -> None:  # once nobody waits for it, leave half of the time to the pages and pushes
            if time.monotonic() - began > WAIT_SECONDS:
                time.sleep(spent)

        with self._folder.writing() as mine:
            if mine:
                generation = self._folder.current() or self._folder.publish(self._folder.begun())
                with opened(generation) as index:
                    fill(index, self._source, rest)
            return mine


class _Work(threading.Thread):
    """One look at the ledger, in the background; it does not hold up the end of its process."""

    def __init__(self, look: Callable[[], bool]) -> None:
        super().__init__(name="search-index", daemon=True)
        self._look = look
        self._complete = False
        self._error: Exception | None = None
        self._ended_at: float | None = None

    @property
    def ended(self) -> bool:
        return self._ended_at is not None

    def run(self) -> None:
        """Look, and keep the outcome for those who wait."""
        try:
            self._complete = self._look()
        except (RedisError, sqlite3.Error, OSError, BrokenIndexError) as error:
            log.warning("search_index_failed", reason=f"{type(error).__name__}: {error}")
            self._error = error
        finally:
            self._ended_at = time.monotonic()

    def age(self) -> float:
        """Seconds since it ended; 0 before."""
        return time.monotonic() - self._ended_at if self._ended_at is not None else 0.0

    def finished(self, seconds: float) -> bool:
        """Wait at most so long; whether the index is complete. Raises what the look met."""
        self.join(seconds)
        if isinstance(self._error, RedisError):
            raise self._error
        if self._error is not None:
            raise IndexUnavailableError(str(self._error)) from self._error
        return self.ended and self._complete
