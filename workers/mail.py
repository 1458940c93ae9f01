"""Mail: a day's report as one message with HTML and plain text, through an SMTP server."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as MAIL_LINES
from email.utils import formatdate
from typing import TYPE_CHECKING, Final, Literal, Self

import structlog
from pydantic import SecretStr

from core.errors import Permanent, Transient

if TYPE_CHECKING:
    from core.settings import Settings
    from report.letter import Letter

log = structlog.get_logger()

TIMEOUT_SECONDS: Final = 20.0
PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True)
class Mailer:
    """One SMTP server, and who mails come from. Building one does no I/O; each mail has a connection of its own."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    sender: str
    user: str | None = None
    password: SecretStr | None = None
    timeout: float = TIMEOUT_SECONDS

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """The server that is set; raises Permanent naming what is missing."""
        if settings.smtp_host is None or settings.mail_from is None:
            raise Permanent("set SMTP_HOST and MAIL_FROM")
        return cls(
            host=settings.smtp_host,
            port=settings.smtp_port or PORTS[settings.smtp_security],
            security=settings.smtp_security,
            sender=settings.mail_from,
            user=settings.smtp_user,
            password=settings.smtp_password,
        )

    def send(self, message: EmailMessage, recipients: Sequence[str]) -> int:
        """Send a message and return how many recipients the server took; raises Transient or Permanent."""
        with _translated(), self._connection() as server:
            refused = server.send_message(message, from_addr=self.sender, to_addrs=list(recipients))
        if refused:
            log.error("mail_refused", recipients=len(refused), codes=sorted({code for code, _ in refused.values()}))
        return len(recipients) - len(refused)

    def probe(self) -> None:
        """Connect and log in without sending anything; raises Transient or Permanent."""
        with _translated(), self._connection() as server:
            server.ehlo_or_helo_if_needed()

    @contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        trust = ssl.create_default_context()
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=trust)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        with server:
            if self.security == "starttls":
                server.starttls(context=trust)
            if self.user is not None:
                server.login(self.user, self.password.get_secret_value() if self.password else "")
            yield server


def message_from_letter(letter: Letter, sender: str, recipients: Sequence[str]) -> EmailMessage:
    """The message of a letter; the same letter always has the same Message-ID, by which mail programs drop a second."""
    message = EmailMessage(policy=MAIL_LINES)  # which refuses a header with a line end in it
    message["Subject"] = letter.subject
    message["From"] = sender
    message["To"] = ", ".join(recipients)
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = f"<{letter.name}@{sender.rpartition('@')[2]}>"
    message["List-Id"] = f"<{letter.list_name}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    return message


@contextmanager
def _translated() -> Iterator[None]:
    """What goes wrong with a mail server, in words without addresses or passwords."""
    try:
        yield
    except smtplib.SMTPAuthenticationError as error:
        text = f"the mail server refuses the login ({error.smtp_code}): check SMTP_USER and SMTP_PASSWORD"
        raise Permanent(text) from None
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({code for code, _ in error.recipients.values()})
        kind = Transient if all(400 <= code < 500 for code in codes) else Permanent
        raise kind(f"the mail server refuses every recipient ({', '.join(map(str, codes))}): check MAIL_TO") from None
    except smtplib.SMTPServerDisconnected:
        raise Transient("the mail server hung up") from None
    except smtplib.SMTPResponseException as error:
        if 500 <= error.smtp_code < 600:
            raise Permanent(f"the mail server refuses: {error.smtp_code}; check MAIL_FROM and SMTP_*") from None
        raise Transient(f"the mail server is busy ({error.smtp_code})") from None
    except smtplib.SMTPNotSupportedError:
        text = "the mail server offers no STARTTLS or no login: set SMTP_SECURITY (tls, or none on this host)"
        raise Permanent(text) from None
    except ssl.SSLError as error:
        raise Permanent(f"the mail server's TLS fails ({error.reason}): check SMTP_PORT and SMTP_SECURITY") from None
    except (OSError, smtplib.SMTPException) as error:
        raise Transient(f"the mail server cannot be reached ({type(error).__name__})") from None
