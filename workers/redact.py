"""Secrets out: credentials in a text are replaced by `[redacted: kind]`; pure.

One regular expression finds candidates. Each of its branches starts with a literal character that is rare in code, so
that `re` skips quickly over everything else, and every repetition in it is bounded. Where a shape alone does not prove
a secret (`token = "…"`), plain functions look at the name before it and at the value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from math import log2

from core.models import Diff, FileChange

# A value without quotes holds neither `=` (but at its end) nor `:`, so that no run of text is looked at twice.
_VALUE = (
    r"""(?:\\?["'`][^\s"'`<>|\\]{8,512}+\\?["'`]|[^\s"'`<>|\\(){}\[\],;=:&]{12,512}+={0,2}(?=[\s"'`&,;)\]}\\]|\Z))"""
)
# How the names below end (or a type, in `token: str = …`), and what may stand between a name and its sign: looking at
# one character spares most calls.
_NAME_END = r"""deytnlsDEYTNLS_"'`\]\\ \t-"""
# A key block as it looks in a file, in a patch (a sign before each line) and in a string with escaped line ends.
_PEM_BODY = r"(?:\\[nr]|[A-Za-z0-9+/=]){0,8000}+"
_PEM_LINE = (
    r"[ \t+\-\"']{0,40}+(?:[A-Z][A-Za-z-]{2,20}:[ ][^\r\n]{0,200}|[A-Za-z0-9+/=]{0,200}(?:\\[nr])*[\"',\\+ ]{0,8})"
)
_PEM_END = r"-----END[ ][A-Z0-9 ]{0,60}-----"
# Each branch starts at a character that is rare in code, and looks back for what must stand before it. A value that
# only may be a secret stands in a look-ahead: when it is none, what is inside it is still searched.
_SECRET = re.compile(
    rf"""
    I(?<=A[KSB]I)(?<![A-Za-z0-9]...)(?P<aws_key>A[A-Z0-9]{{16}})(?![A-Za-z0-9])
  | z(?<=AIz)(?P<google>a[0-9A-Za-z_-]{{35}})(?![0-9A-Za-z_-])
  | B(?=earer[ ](?P<bearer>[A-Za-z0-9._~+/-]{{20,1000}}+={{0,2}}))
  | J(?<=eyJ)(?<![A-Za-z0-9_-]...)(?P<jwt>[A-Za-z0-9_-]{{8,2000}}\.[A-Za-z0-9_-]{{10,8000}}\.[A-Za-z0-9_-]{{10,2000}})
  | -(?:
        ----BEGIN[ ](?P<pem>[A-Z0-9 ]{{0,40}}PRIVATE[ ]KEY(?:[ ]BLOCK)?-----
        {_PEM_BODY}(?:{_PEM_END}|[\"',\\+ ]{{0,8}}(?:\r?\n(?![^\r\n]{{0,40}}-----END){_PEM_LINE}(?=\r?\n|\Z)){{0,400}}
        (?:\r?\n[^\r\n]{{0,40}}{_PEM_END})?))
      | (?<=[abceikoprs]-)(?:
            (?<=sk-)(?<![A-Za-z0-9_-]...)(?:ant-(?P<anthropic>[A-Za-z0-9_-]{{16,255}})
            |(?P<openai>(?:proj|svcacct|admin|or-v1)-[A-Za-z0-9_-]{{20,255}}|[A-Za-z0-9]{{32,255}}))
          | (?<=pypi-)(?P<pypi>[A-Za-z0-9_-]{{50,1000}})
          | (?<=xox[abceoprs]-)(?P<slack>[A-Za-z0-9-]{{10,255}})
          | (?<=xapp-)(?P<slack_app>[0-9]-[A-Za-z0-9-]{{10,255}})))
  | _(?=[A-Za-z0-9]{{16}}|(?:pat|live|test)_)(?:
        (?<=gh[opsur]_)(?P<github>[A-Za-z0-9]{{36,255}})
      | (?<=github_)pat_(?P<github_pat>[A-Za-z0-9_]{{22,255}})
      | (?<=hf_)(?<![A-Za-z0-9]...)(?P<hugging_face>[A-Za-z0-9]{{30,100}})(?![A-Za-z0-9_])
      | (?<=npm_)(?P<npm>[A-Za-z0-9]{{36}})(?![A-Za-z0-9_])
      | (?<=[sr]k_)(?P<stripe>(?:live|test)_[A-Za-z0-9]{{16,255}})
      | (?<=whsec_)(?P<stripe_webhook>[A-Za-z0-9]{{24,255}}))
  | ://(?P<slack_url>hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{{8,200}})
  | :(?=//[^\s:/@"'`<>]{{0,100}}:(?P<url>[^\s/@"'`<>]{{3,256}}+)@)
  | =(?<=[{_NAME_END}rgRG:=!?]=)(?=>?[ \t]{{0,20}}(?P<assigned>{_VALUE}))
  | :(?<=[{_NAME_END}]:)(?=[ \t]{{0,20}}(?P<keyed>{_VALUE}))
    """,
    re.VERBOSE,
)

# What each group finds, and how many characters before the branch's first belong to the secret.
_KINDS = {
    "aws_key": ("AWS access key", 2),
    "google": ("Google API key", 2),
    "jwt": ("JWT", 2),
    "anthropic": ("Anthropic key", 2),
    "openai": ("OpenAI key", 2),
    "pypi": ("PyPI token", 4),
    "slack": ("Slack token", 4),
    "slack_app": ("Slack token", 4),
    "github": ("GitHub token", 3),
    "github_pat": ("GitHub token", 6),
    "hugging_face": ("Hugging Face token", 2),
    "npm": ("npm token", 3),
    "stripe": ("Stripe key", 2),
    "stripe_webhook": ("Stripe key", 5),
    "slack_url": ("Slack webhook", 5),
}
_PASSWORDS = ("password", "passwd", "passphrase", "pwd")
_AWS_SECRETS = ("secretaccesskey", "awssecretkey", "awssecret")
_NAMES = (
    *_PASSWORDS,
    *_AWS_SECRETS,
    *("secret", "secretkey", "clientsecret", "token", "apikey", "accesskey", "authkey", "privatekey", "credential"),
    *("credentials", "encryptionkey", "signingkey", "accountkey", "masterkey"),
)
_DIGEST_NAMES = ("sha", "hash", "digest", "checksum", "md5", "revision", "commit")
_HINT = re.compile(r"pass|pwd|secret|token|key|cred")
_STRING_TYPES = re.compile(r":\s{0,8}(?:str|string|String|SecretStr|(?:&'static )?&?str)\s{0,8}$")
_NAME_BEFORE = re.compile(r"[A-Za-z0-9_.-]{1,100}$")
_PLACEHOLDER = re.compile(
    r"example|your|xxx|change.?me|placeholder|dummy|sample|test|fake|mock|redacted|foobar|insert|\*\*\*|\.\.\.|\$\{|%\("
    r"|12345678|abcdef",
    re.IGNORECASE,
)
_PLAIN_URL_PASSWORDS = frozenset({"password", "passwd", "pass", "pwd", "secret", "token", "***", "xxx", "xxxx"})
_URL_FORMAT = re.compile(r"[{}$(]|\*\*\*|%(?![0-9A-Fa-f]{2})")  # `%2F` is an escape within a password, `%s` is none
_DOTTED_NAME = re.compile(r"[A-Za-z_]\w*(?:(?:\.|::|->)[A-Za-z_]\w*)+\Z")
_WORD = r"(?:[A-Z]?[a-z]++|[A-Z]++|v?\d{1,4})"
_WORDS = re.compile(rf"{_WORD}(?:[-_./:@+~]{_WORD}){{0,40}}\Z")
_SIGN = re.compile(r"[+ ]|-(?!----[^-])")
_HEX = re.compile(r"[0-9a-fA-F]{32,}\Z")


def redact(text: str) -> str:
    """The text with secrets replaced by `[redacted: kind]`; the number of lines stays."""
    parts, done = list[str](), 0
    for match in _SECRET.finditer(text):
        group = match.lastgroup or ""
        kind, back = _KINDS.get(group, ("", 0))
        start = match.start() - back if kind or group == "pem" else match.start(group)
        written = f"[redacted: {kind}]" if kind else _SPECIAL[group](match)
        if written is not None and start >= done:
            parts += (text[done:start], written)
            done = match.end(group)
    return "".join(parts) + text[done:] if parts else text


def redact_diff(diff: Diff) -> Diff:
    """The diff with the secrets of its patches and paths replaced; counts of lines stay true."""
    return diff.model_copy(update={"files": tuple(_redact_file(change) for change in diff.files)})


def _redact_file(change: FileChange) -> FileChange:
    return change.model_copy(
        update={
            "path": redact(change.path),
            "previous_path": change.previous_path and redact(change.previous_path),
            "patch": change.patch and redact(change.patch),
        }
    )


def _pem(match: re.Match[str]) -> str:
    """Each line of the block is blotted out behind the sign it has in a patch."""
    mark = "[redacted: private key]"
    _, *lines = match[0].split("\n")
    first = "\r" if "\r\n" in match[0] else ""
    signs = [(_SIGN.match(line), "\r" if line.endswith("\r") else "") for line in lines]
    return "\n".join((f"{mark}{first}", *(f"{sign[0] if sign else ''}{mark}{end}" for sign, end in signs)))


def _bearer(match: re.Match[str]) -> str | None:
    value = match["bearer"]
    return None if _names_its_kind(value) or not _looks_random(value) else "[redacted: token]"


def _url(match: re.Match[str]) -> str | None:
    password = match["url"]
    plain = password.strip("[]").lower() in _PLAIN_URL_PASSWORDS or _URL_FORMAT.search(password)
    return None if plain else "[redacted: password]"


def _names_its_kind(value: str) -> bool:
    """Whether a token whose shape tells its kind is inside; it is then found, and named, by itself."""
    return any(match.lastgroup in _KINDS for match in _SECRET.finditer(value))


def _assignment(match: re.Match[str]) -> str | None:
    """`name = "value"`: a secret when the name says so and the value does not look like code or a placeholder."""
    start = match.start()
    if not _HINT.search(match.string[max(0, start - 60) : start].lower()):
        return None
    name = _name_before(match.string[max(0, start - 120) : start])
    plain = name.lower().replace("_", "").replace("-", "")
    if not plain.endswith(_NAMES) or any(word in plain for word in _DIGEST_NAMES):
        return None
    written = match[match.lastgroup or 0]
    quote = re.match(r"\\?[\"'`]", written)
    value = written[len(quote[0]) : -len(quote[0])] if quote else written
    kind = _assigned_kind(plain, value, literal=bool(quote) or name.isupper())
    if not kind or _names_its_kind(value):
        return None
    return f"{quote[0]}[redacted: {kind}]{quote[0]}" if quote else f"[redacted: {kind}]"


def _name_before(head: str) -> str:
    """The name that a value is assigned to, from what stands before its `=` or `:`; empty when there is none."""
    head = _STRING_TYPES.sub("", head.rsplit("\n", 1)[-1].rstrip(" \t:=!?"))
    found = _NAME_BEFORE.search(head.rstrip(" \t\"'`]\\"))
    return found[0] if found else ""


def _assigned_kind(name: str, value: str, *, literal: bool) -> str | None:
    if name.endswith(_AWS_SECRETS) and re.fullmatch(r"[A-Za-z0-9/+]{40}", value):
        return "AWS secret key"
    if value.startswith(("[redacted", "$", "%", "{")) or _PLACEHOLDER.search(value) or _DOTTED_NAME.match(value):
        return None
    if name.endswith(_PASSWORDS) and literal:
        typed = not value.isalpha() and not _WORDS.match(value)
        return "password" if typed and _classes(value) >= 2 and _entropy(value) >= 2.5 else None
    if not literal or _HEX.match(value):
        secret = _looks_random(value)
    else:
        secret = len(value) >= 12 and _classes(value) >= 2 and not _WORDS.match(value) and _entropy(value) >= 3
        secret = secret and any(map(str.isdigit, value))
    if not secret:
        return None
    return "password" if name.endswith(_PASSWORDS) else "secret"


def _looks_random(value: str) -> bool:
    """Whether letters and digits change so often that nobody would have typed it as a name."""
    if _PLACEHOLDER.search(value) or _WORDS.match(value):
        return False
    if _HEX.match(value):
        return _entropy(value.lower()) >= 3
    kinds = ["a" if c.islower() else "A" if c.isupper() else "0" if c.isdigit() else "-" for c in value]
    changes = sum(a != b for a, b in pairwise(kinds))
    return len(value) >= 16 and "0" in kinds and changes >= 0.42 * len(value) and _entropy(value) >= 3.2


def _classes(value: str) -> int:
    tests: tuple[Callable[[str], bool], ...] = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
    return sum(any(map(test, value)) for test in tests)


def _entropy(value: str) -> float:
    """Bits per character, from the frequencies in the value itself."""
    return -sum(n / len(value) * log2(n / len(value)) for n in Counter(value).values())


_SPECIAL: dict[str, Callable[[re.Match[str]], str | None]] = {
    "pem": _pem,
    "bearer": _bearer,
    "url": _url,
    "assigned": _assignment,
    "keyed": _assignment,
}
