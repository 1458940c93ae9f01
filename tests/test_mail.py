"""A day's mail: what it says, that it goes through every kind of server, and what its failures tell a person."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from core.errors import Permanent, Transient
from core.models import Tier
from core.settings import Settings
from report.daily import DailyReport
from report.letter import MOST_ENTRIES, letter
from tests.fakes.smtp import FakeSmtp
from tests.hostile import hostile_text
from tests.outline import _Reader
from tests.records import analysis, record, report, sha_of
from workers.mail import Mailer, message_from_letter
from workers.publish_probe import probe_mail

FROM, TO = "daybook@example.org", ("a@example.org", "b@example.org")
TEXT = """\
Daily update report (2026-02-17) · octocat/hello-world

1 commit | 🔴 High 0 | 🟡 Medium 1 | 🟢 Low 0
Covered 1/1 · model 1 · rules 0 · degraded 0 · pending 0 · backfilled 0 · 4,350 tokens · $0.0002
Read the whole report: https://daybook.example/octocat/hello-world/2026-02-17

✨ Highlights
========================================
- Fixes a crash of `parse_header` on empty input. (`0000001`)

🟡 Medium-importance changes (1)
========================================

* Fix the parser (#12)
  https://github.com/octocat/hello-world/commit/{sha} | The Octocat | +12 −3 | 2 files
  Type of change: bug fix
  Importance: Medium
  Summary of the change: Fixes a crash of `parse_header` on empty input.
  Scope:
    - `parser/header.py`: all code that reads request headers
  Advice:
    - Run the parser's tests again after the upgrade.
"""


_KINDS = {"html", "head", "meta", "title", "body", "h1", "h2", "h3", "p", "a", "code", "strong", "ul", "li", "em"}


def english(count: int = 1, tier: Tier = Tier.MEDIUM, **changes: Any) -> DailyReport:
    records = [record(n, tier, analysis=analysis(tier, "en"), **changes) for n in range(1, count + 1)]
    return report(records, language="en")


def message(**changes: Any) -> EmailMessage:
    return message_from_letter(letter(english(**changes), None), FROM, TO)


@pytest.fixture
def server() -> Iterator[FakeSmtp]:
    with FakeSmtp() as fake:
        yield fake


def plain(server: FakeSmtp, **changes: Any) -> Mailer:
    values: dict[str, Any] = {"host": "127.0.0.1", "port": server.port, "security": "none", "sender": FROM}
    return Mailer(**values | changes)


def test_the_text_says_it_all_without_markup() -> None:
    assert letter(english(), "https://daybook.example/octocat/hello-world/2026-02-17").text == TEXT.format(
        sha=sha_of(1)
    )


def test_the_html_has_the_same_and_asks_nobody_for_anything() -> None:
    html = letter(english(message="<script>alert(1)</script> & <img src=x>"), None).html
    reader = _Tags()
    reader.feed(html)
    assert set(reader.outline.kinds) <= _KINDS
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert [text for _, text in reader.outline.headings] == [
        "Daily update report (2026-02-17) · octocat/hello-world", "✨ Highlights", "Medium-importance changes (1)",
        "<script>alert(1)</script> & <img src=x>",
    ]  # fmt: skip


class _Tags(_Reader):
    """As on a page, but styles stand on the tags, as mail programs want it."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, [(name, value) for name, value in attrs if name != "style"])


@given(hostile_text(), hostile_text())
def test_nothing_a_stranger_writes_becomes_markup_or_a_line_of_its_own(title: str, author: str) -> None:
    day = report([record(1, Tier.HIGH, title, author=author)])
    plain, hostile = letter(report([record(1, Tier.HIGH, "x", author="x")]), None), letter(day, None)
    assert len(hostile.text.splitlines()) == len(plain.text.splitlines())
    reader = _Tags()
    reader.feed(hostile.html)
    reader.close()
    assert reader.open == []
    assert set(reader.outline.kinds) <= _KINDS
    assert hostile.subject == plain.subject


def test_a_great_day_is_cut_and_says_so() -> None:
    written = letter(english(MOST_ENTRIES + 7, Tier.LOW), None)
    assert written.text.count("\n* ") == MOST_ENTRIES
    assert written.text.endswith("\n7 more commits are on the whole page.\n")
    assert "7 more commits are on the whole page." in written.html


def test_the_message_arrives_as_it_was_written(server: FakeSmtp) -> None:
    assert plain(server).send(message(), TO) == 2
    (mail,) = server.mails
    assert (mail.sender, mail.recipients) == (FROM, TO)
    told = message_from_bytes(mail.data, policy=default)
    assert {name: told[name] for name in ("Subject", "From", "To", "Message-ID", "List-Id", "Auto-Submitted")} == {
        "Subject": "Daily update report (2026-02-17) · octocat/hello-world",
        "From": FROM,
        "To": ", ".join(TO),
        "Message-ID": "<2026-02-17.octocat.hello-world.daybook@example.org>",
        "List-Id": "<octocat.hello-world.daybook>",
        "Auto-Submitted": "auto-generated",
    }
    text, html = told.get_body(("plain",)), told.get_body(("html",))
    assert text
    assert html
    assert text.get_content().replace("\r\n", "\n") == letter(english(), None).text
    assert html.get_content().replace("\r\n", "\n") == letter(english(), None).html
    assert max(map(len, mail.data.split(b"\r\n"))) <= 998


def test_a_revision_has_the_same_message_id() -> None:
    first, second = report([record(1)]), report([record(1), record(2)], revision=2)
    assert letter(first, None).name == letter(second, None).name != letter(first, None).list_name


def test_a_login_over_tls_from_the_start_or_after_starttls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    for security, implicit in (("starttls", False), ("tls", True)):
        with FakeSmtp(login=("daybook", "s3cret"), tls=context, implicit=implicit) as server:
            mailer = plain(server, security=security, user="daybook", password=SecretStr("s3cret"))
            assert mailer.send(message(), TO) == 2
            assert (server.encrypted, len(server.mails)) == (1, 1)


def certificate(folder: Path) -> Path:
    """A certificate of 127.0.0.1 with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_certificate_that_nobody_vouches_for_stops_the_mail(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    with FakeSmtp(tls=context) as server, pytest.raises(Permanent, match=r"TLS fails \(CERTIFICATE_VERIFY_FAILED"):
        plain(server, security="starttls").send(message(), TO)


def test_the_password_is_not_sent_where_tls_is_wanted_and_not_offered(server: FakeSmtp) -> None:
    server.login = ("daybook", "s3cret")
    with pytest.raises(Permanent, match="offers no STARTTLS"):
        plain(server, security="starttls", user="daybook", password=SecretStr("s3cret")).send(message(), TO)
    assert server.mails == []


@pytest.mark.parametrize(
    ("verb", "reply", "kind", "said"),
    [
        ("MAIL", "451 try later", Transient, r"the mail server is busy \(451\)"),
        ("MAIL", "553 not yours", Permanent, r"the mail server refuses: 553; check MAIL_FROM and SMTP_\*"),
        ("RCPT", "550 no such user", Permanent, r"the mail server refuses every recipient \(550\): check MAIL_TO"),
        ("RCPT", "450 greylisted", Transient, r"the mail server refuses every recipient \(450\): check MAIL_TO"),
        (".", "452 full", Transient, r"the mail server is busy \(452\)"),
        (".", "554 spam", Permanent, r"the mail server refuses: 554"),
    ],
)
def test_refusals_say_whether_to_try_again(
    server: FakeSmtp, verb: str, reply: str, kind: type[Exception], said: str
) -> None:
    server.replies[verb] = reply
    with pytest.raises(kind, match=said):
        plain(server).send(message(), TO)


def test_one_recipient_in_two_who_is_refused_does_not_stop_the_other(server: FakeSmtp) -> None:
    server.replies[f"RCPT TO:<{TO[0]}>"] = "550 no such user"
    server.replies[f"rcpt TO:<{TO[0]}>"] = "550 no such user"
    assert plain(server).send(message(), TO) == 1
    assert server.mails[0].recipients == (TO[1],)


def test_a_wrong_password_is_told_without_it(server: FakeSmtp) -> None:
    server.login = ("daybook", "right")
    with pytest.raises(Permanent) as caught:
        plain(server, user="daybook", password=SecretStr("wr0ng")).send(message(), TO)
    assert str(caught.value) == "the mail server refuses the login (535): check SMTP_USER and SMTP_PASSWORD"
    assert caught.value.__cause__ is None


def test_a_line_that_is_cut_and_a_server_that_is_not_there_are_tried_again(server: FakeSmtp) -> None:
    server.hang_up = "DATA"
    with pytest.raises(Transient, match="hung up"):
        plain(server).send(message(), TO)
    with FakeSmtp() as gone:
        pass
    with pytest.raises(Transient, match=r"cannot be reached \(ConnectionRefusedError"):
        plain(gone).send(message(), TO)


@given(st.text(max_size=60))
def test_no_address_can_add_a_header(text: str) -> None:
    try:
        address = Settings(mail_from=f"a@example.org{text}").mail_from
    except ValidationError:
        return
    assert address
    assert message_from_letter(letter(report([]), None), address, (address,))["From"] == address
    assert not set(address) & set('\r\n\0 ,<>"')


def test_check_tries_the_server_without_sending(server: FakeSmtp) -> None:
    settings: dict[str, Any] = {
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "smtp_security": "none",
        "mail_from": FROM,
    }
    assert [(found.verdict, found.text) for found in probe_mail(Settings(**settings))] == [
        ("ok", "127.0.0.1 takes mails of daybook@example.org")
    ]
    server.replies["EHLO"] = server.replies["HELO"] = "550 go away"
    assert probe_mail(Settings(**settings))[0].verdict == "wrong"
    assert server.mails == []
    assert probe_mail(Settings()) == []
    assert [found.text for found in probe_mail(Settings(mail_to=("a@example.org",)))] == [
        "MAIL_TO is set without a server"
    ]
