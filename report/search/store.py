"""The index on disk: one SQLite file in DAYBOOK_HOME/search, read by any process while one of them writes.

A file is never replaced under its readers: each is a generation with a name of its own, the newest is the one in use.
`daybook reindex` builds the next one aside and then gives it its name; who still reads the old one ends undisturbed.
Within a generation, SQLite's write-ahead log lets readers go on while one process, which holds the folder's lock, adds
a day at a time. Whatever happens to the files, they can be made again from the ledger.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from report.search.entries import Indexed
from report.search.tokens import segmented

FORMAT = 1  # raise it when the tables, the tokens or what is indexed change: an index of another format is made again
BUSY_SECONDS = 2.0
CACHE_KIBIBYTES = 16_384

# The texts stand apart, so that the narrow rows which every search reads stay together. The index proper holds no text
# (`content=''`): what it holds of a commit is made again from `texts` when the commit is taken out.
_SCHEMA = f"""
    PRAGMA journal_mode = WAL;
    PRAGMA user_version = {FORMAT};
    CREATE TABLE marks (repository TEXT PRIMARY KEY, mark TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE days (repository TEXT, day TEXT, version TEXT NOT NULL, kept INTEGER NOT NULL,
                       PRIMARY KEY (repository, day)) WITHOUT ROWID;
    CREATE TABLE commits (id INTEGER PRIMARY KEY, repository TEXT NOT NULL, day TEXT NOT NULL, landed REAL NOT NULL,
                          tier TEXT NOT NULL, types TEXT NOT NULL, people TEXT NOT NULL, digest BLOB NOT NULL);
    CREATE TABLE texts (id INTEGER PRIMARY KEY, entry TEXT NOT NULL);
    CREATE INDEX commits_by_day ON commits (repository, day);
    CREATE INDEX commits_by_landing ON commits (landed DESC, id);
    CREATE VIRTUAL TABLE words USING fts5(title, said, names, people, wholes, tokenize = 'ascii', content = '',
                                          prefix = '2 3');
"""

_BROKEN = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class BrokenIndexError(Exception):
    """The file is gone, damaged or no index: `discard` it and make it again."""

    def __init__(self, generation: Path, reason: str) -> None:
        super().__init__(f"{generation.name}: {reason}")
        self.generation = generation


class IndexFolder:
    """The generations of an index, and who may write. The constructor does no I/O."""

    def __init__(self, home: Path) -> None:
        self.path = home / "search"

    def current(self) -> Path | None:
        """The generation in use; None before the first."""
        return max(self.path.glob(f"v{FORMAT}-*.sqlite"), default=None)

    @contextmanager
    def writing(self, *, wait: bool = False) -> Iterator[bool]:
        """Hold the lock of the one writer on this host; False when another process has it and `wait` is not set."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (self.path / "lock").open("w") as file:  # the kernel frees it when its process dies
            try:
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True

    def begun(self) -> Path:
        """A new, empty generation, not in use before `publish`."""
        fresh = self.path / f"new-{os.getpid()}-{time.time_ns()}"
        with closing(sqlite3.connect(fresh)) as connection:
            connection.executescript(_SCHEMA)
        return fresh

    def publish(self, fresh: Path) -> Path:
        """Put a generation, open nowhere, into use and remove all others."""
        target = self.path / f"v{FORMAT}-{time.time_ns():020d}.sqlite"
        fresh.rename(target)
        for file in self.path.iterdir():
            if not file.name.startswith((target.name, "lock")):
                file.unlink(missing_ok=True)
        return target

    def discard(self, generation: Path) -> None:
        """Remove a damaged generation, unless another process already did."""
        for suffix in ("", "-wal", "-shm"):
            with suppress(FileNotFoundError):
                generation.with_name(generation.name + suffix).unlink()


@contextmanager
def opened(generation: Path) -> Iterator[sqlite3.Connection]:
    """A connection for one thread.

    Raises BrokenIndexError for a file that is gone, damaged or none of ours; sqlite3.Error when it is locked for
    too long or the disk fails.
    """
    try:
        uri = f"{generation.absolute().as_uri()}?mode=rw"  # never makes a file
        with closing(sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
            if connection.execute("PRAGMA user_version").fetchone() != (FORMAT,):
                raise BrokenIndexError(generation, f"not an index of format {FORMAT}")
            connection.execute("PRAGMA synchronous = NORMAL")
            yield connection
    except sqlite3.DatabaseError as error:
        gone = not generation.exists()
        if gone or (error.sqlite_errorcode & 0xFF) in _BROKEN:
            raise BrokenIndexError(generation, str(error)) from error
        raise


def marks(index: sqlite3.Connection) -> dict[str, str]:
    """The mark of each repository when it was last read whole."""
    return dict(index.execute("SELECT repository, mark FROM marks"))


def set_mark(index: sqlite3.Connection, repository: str, mark: str) -> None:
    """Note that a repository is indexed as it stood at `mark`."""
    index.execute("REPLACE INTO marks VALUES (?, ?)", (repository, mark))


def versions(index: sqlite3.Connection, repository: str) -> dict[str, str]:
    """The version of each day of a repository."""
    return dict(index.execute("SELECT day, version FROM days WHERE repository = ?", (repository,)))


def known_repositories(index: sqlite3.Connection) -> list[str]:
    """The repositories that anything is held of."""
    return [name for (name,) in index.execute("SELECT repository FROM days UNION SELECT repository FROM marks")]


def write_day(
    index: sqlite3.Connection, repository: str, day: str, entries: Sequence[Indexed], *, version: str, kept: bool
) -> None:
    """Make a day's commits these, in one transaction; what has not changed is not written again.

    `kept` says that the day has a page.
    """
    wanted = {_digest(text): (entry, text) for entry in entries for text in [json.dumps(entry, ensure_ascii=False)]}
    with _transaction(index):
        rows = index.execute("SELECT digest, id FROM commits WHERE repository = ? AND day = ?", (repository, day))
        held = dict(rows.fetchall())
        for digest in held.keys() - wanted.keys():
            _take_out(index, held[digest])
        for digest, (entry, text) in wanted.items():
            if digest not in held:
                _put_in(index, repository, day, entry, text, digest)
        index.execute("REPLACE INTO days VALUES (?, ?, ?, ?)", (repository, day, version, kept))


def drop_day(index: sqlite3.Connection, repository: str, day: str) -> None:
    """Forget a day."""
    with _transaction(index):
        rows = index.execute("SELECT id FROM commits WHERE repository = ? AND day = ?", (repository, day)).fetchall()
        for (number,) in rows:
            _take_out(index, number)
        index.execute("DELETE FROM days WHERE repository = ? AND day = ?", (repository, day))


def drop_repository(index: sqlite3.Connection, repository: str) -> None:
    """Forget a repository that the ledger does not know."""
    for day in versions(index, repository):
        drop_day(index, repository, day)
    index.execute("DELETE FROM marks WHERE repository = ?", (repository,))


def commit_count(index: sqlite3.Connection) -> tuple[int, int]:
    """How many commits and days are held."""
    (commits,) = index.execute("SELECT count(*) FROM commits").fetchone()
    (days,) = index.execute("SELECT count(*) FROM days").fetchone()
    return commits, days


def optimise(index: sqlite3.Connection) -> None:
    """Merge the index into one piece and its log into the file, after it was written whole."""
    index.execute("INSERT INTO words(words) VALUES ('optimize')")
    index.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def entry_from_text(text: str) -> Indexed:
    """An entry as `texts` holds it."""
    return Indexed(*json.loads(text))


@contextmanager
def _transaction(index: sqlite3.Connection) -> Iterator[None]:
    index.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        index.execute("ROLLBACK")
        raise
    index.execute("COMMIT")


def _digest(text: str) -> bytes:
    return blake2b(text.encode(), digest_size=12).digest()


def _put_in(index: sqlite3.Connection, repository: str, day: str, entry: Indexed, text: str, digest: bytes) -> None:
    people = f"{entry.author}\n{entry.login}".casefold()
    number = index.execute(
        "INSERT INTO commits (repository, day, landed, tier, types, people, digest) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (repository, day, entry.landed, entry.tier, f" {entry.types} ", people, digest),
    ).lastrowid
    index.execute("INSERT INTO texts VALUES (?, ?)", (number, text))
    columns = _columns(entry)
    index.execute(
        "INSERT INTO words(rowid, title, said, names, people, wholes) VALUES (?, ?, ?, ?, ?, ?)", (number, *columns)
    )


def _take_out(index: sqlite3.Connection, number: int) -> None:
    (text,) = index.execute("SELECT entry FROM texts WHERE id = ?", (number,)).fetchone()
    columns = _columns(entry_from_text(text))
    index.execute(
        "INSERT INTO words(words, rowid, title, said, names, people, wholes) VALUES ('delete', ?, ?, ?, ?, ?, ?)",
        (number, *columns),
    )
    index.execute("DELETE FROM texts WHERE id = ?", (number,))
    index.execute("DELETE FROM commits WHERE id = ?", (number,))


def _columns(entry: Indexed) -> tuple[str, ...]:
    """What FTS5 is given of a commit."""
    title, first = segmented([entry.title])
    said, second = segmented([text for _, text in entry.said])
    names, third = segmented([*entry.names, entry.sha])
    people, fourth = segmented([entry.author, entry.login])
    return title, said, names, people, " ".join(dict.fromkeys([*first, *second, *third, *fourth]))
