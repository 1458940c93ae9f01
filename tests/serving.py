"""The site for tests: served on loopback from an archive in memory, and a reader of it."""

from __future__ import annotations

import hashlib
import http.client
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from werkzeug.serving import make_server

from core.ledger import Stamp, StoredDay
from core.ledger.fragments import FORMS, Form, Fragment, Stretch
from core.ledger.packing import packed
from core.ledger.stories import AmbiguousSha
from core.models import CommitRecord
from core.settings import Settings
from report.history import Archive
from report.site import create_site

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW = datetime(2026, 3, 7, 12, 0, tzinfo=UTC)  # 20:00 in Shanghai
FIRST_SEEN = datetime(2026, 2, 17, tzinfo=UTC)
WRITTEN = 1_771_345_800.0  # 2026-02-17 16:30 UTC: half past midnight in Shanghai


@dataclass
class Shelves:
    """An archive in memory; `asked` counts how often a report was read."""

    stored: dict[tuple[str, date], bytes] = field(default_factory=dict)
    commits: dict[tuple[str, str], CommitRecord] = field(default_factory=dict)
    known: list[str] = field(default_factory=list)
    past: dict[tuple[str, str], date] = field(default_factory=dict)
    fragments: dict[tuple[str, date, str], list[Fragment]] = field(default_factory=dict)
    asked: int = 0

    def repositories(self) -> list[str]:
        return self.known

    def first_seen(self, _: str) -> datetime:
        return FIRST_SEEN

    def report_stamps(self, repository: str) -> dict[date, Stamp | None]:
        days = sorted((day for name, day in self.stored if name == repository), reverse=True)
        return {day: Stamp(WRITTEN, hashlib.sha256(self.stored[repository, day]).hexdigest()) for day in days}

    def report(self, repository: str, day: date) -> bytes | None:
        self.asked += 1
        return self.stored.get((repository, day))

    def reports(self, repository: str, days: Sequence[date]) -> list[bytes | None]:
        return [self.report(repository, day) for day in days]

    def record(self, repository: str, sha: str) -> CommitRecord | None:
        return self.commits.get((repository, sha))

    def records(self, repository: str, day: date) -> list[CommitRecord]:
        mine = [record for (name, _), record in self.commits.items() if name == repository]
        return [record for record in mine if record.commit.landed_at.astimezone(SHANGHAI).date() == day]

    def past_day(self, repository: str, sha: str) -> date | None:
        return self.past.get((repository, sha))

    def change_marks(self) -> dict[str, str]:
        return {name: repr(self.report_stamps(name)) for name in self.known}

    def unreported_days(self, repository: str) -> dict[date, str]:
        landed = [one.commit.landed_at for (name, _), one in self.commits.items() if name == repository]
        days = {moment.astimezone(SHANGHAI).date() for moment in landed}
        return dict.fromkeys(days - self.report_stamps(repository).keys(), "")

    def has_commits(self, repository: str, day: date) -> bool:
        return bool(self.records(repository, day))

    def stored_day(self, repository: str, day: date, made_by: str) -> StoredDay:
        found = self.records(repository, day)
        said = [one.correction.model_dump_json().encode() if one.correction else None for one in found]
        kept = self.fragments.get((repository, day, made_by), [])
        numbers, words, rest = (b"".join(getattr(one, name) for one in kept) for name in ("numbers", "words", "rest"))
        shas = [one.commit.sha for one in found]
        records: list[bytes | None] = [packed(one) for one in found]
        sizes = {form: sum(len(getattr(one, form)) for one in kept) for form in FORMS}
        return StoredDay(shas, records, said, numbers, words, rest, sizes)

    def stored_forms(
        self, repository: str, day: date, made_by: str, _: bytes, asked: Mapping[Form, Sequence[Stretch]]
    ) -> dict[Form, list[bytes]]:
        kept = self.fragments.get((repository, day, made_by), [])
        logs = {form: b"".join(getattr(one, form) for one in kept) for form in asked}
        return {form: [logs[form][start:end] for start, end in some] for form, some in asked.items()}

    def keeps_fragments(self, _: date) -> bool:
        return True

    def keep_fragments(
        self, repository: str, day: date, made_by: str, fragments: Sequence[Fragment], *, anew: bool = False
    ) -> bool:
        before = [] if anew else self.fragments.get((repository, day, made_by), [])
        self.fragments[repository, day, made_by] = [*before, *fragments]
        return True

    def kin_of(self, repository: str, asked: Mapping[str, str]) -> list[CommitRecord]:
        told = [one for (name, _), one in self.commits.items() if name == repository]
        return [one for one in told if one.commit.sha not in asked]

    def find_commit(self, repository: str, prefix: str) -> str | None:
        found = [sha for name, sha in self.commits if name == repository and sha.startswith(prefix)]
        if len(found) > 1:
            raise AmbiguousSha
        return found[0] if found else None


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass
class Client:
    """A reader."""

    port: int

    def get(self, path: str, host: str = "127.0.0.1", method: str = "GET", **headers: str) -> Answer:
        """Ask for a page; header names with `_` for `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Host": f"{host}:{self.port}"} | {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, headers=sent)
        answer = connection.getresponse()
        found = Answer(answer.status, answer.headers, answer.read().decode())
        connection.close()
        return found


@contextmanager
def serving(archive: Archive, now: datetime = NOW, **settings: Any) -> Iterator[Client]:
    """The site on a loopback port, at a moment that stands still."""
    app = Flask("daybook", static_folder=None)
    app.register_blueprint(create_site(archive, configured(**settings), clock=lambda: now))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Client(server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def configured(**settings: Any) -> Settings:
    """Settings for a reader on the same machine."""
    values: dict[str, Any] = {"site_password": None, "site_public": False, "report_dir": Path("unused")}
    return Settings(_env_file=None, **values | settings)
