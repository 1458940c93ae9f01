"""Redaction at work: `python bench/redaction.py CLONE [COMMITS]`; prints what it hits in real commits, and its speed.

The last COMMITS (1,000) commits of the clone are redacted, diffs and messages. Each distinct hit is printed by its
kind, with its line and the beginning of what was taken out, so that a person can judge whether it is a secret; one
secret of each of ten kinds is planted to see that it is found. Speed is in MB of text per second of CPU time, which
other processes change little, and by the clock.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

from workers.gitrepo import GitRepository
from workers.redact import redact

COMMITS = 1_000
SHOWN, SHOWN_VALUE = 80, 10  # characters of a line, and of what was taken out
ROUNDS = 3

_MARK = re.compile(r"\[redacted: ([A-Za-z ]{1,30})\]")
_RANDOM = "q8Zr4Kd0Vw7Lx2Nb9Ty5Hg1Jm6Pc3Rf8Ss4Ua0Ed7Qk2Wv9Xz5Bi1Co6Gl3Mn8Fp4Ty"
# Put together at run time, so that no scanner takes this file for a leak.
PLANTED = {
    "AWS access key": f"key: AK{'IA'}Q3Z7M5XK2PLW8RTD",
    "GitHub token": f"token = 'gh{'p_'}{_RANDOM[:36]}'",
    "Anthropic key": f"ANTHROPIC_API_KEY=sk{'-ant-'}api03-{_RANDOM}-AA",
    "OpenAI key": f"client(api_key='sk{'-proj-'}{_RANDOM[:40]}')",
    "Slack token": f"xox{'b-'}123456789012-1234567890123-{_RANDOM[:24]}",
    "Hugging Face token": f"login('h{'f_'}{_RANDOM[:34]}')",
    "JWT": f"ey{'J'}{_RANDOM[:20]}.ey{'J'}{_RANDOM[:40]}.{_RANDOM[:43]}",
    "private key": f"-----BEGIN RSA PRIVATE{' KEY'}-----",
    "password": "redis://admin:p%40ssw0rd9@db.internal:6379/0",
    "secret": f'client_secret: "{_RANDOM[:32]}"',
}


@dataclass(frozen=True, slots=True, order=True)
class Hit:
    """A line that was changed, shortened, without its sign and indentation, and how the first value began."""

    kind: str
    line: str
    value: str


def texts_of(clone: Path, commits: int) -> list[str]:
    """The messages and patches of a clone's last commits."""
    repository, found = GitRepository(clone), list[str]()
    landed = [info for landing in repository.first_parent(last=commits) for info in landing.commits]
    for info in landed[-commits:]:
        found.append(info.message)
        found += (change.patch for change in repository.diff(info.sha).files if change.patch)
    return found


def hits(texts: Sequence[str]) -> Iterator[Hit]:
    """Every line that redaction changes; it keeps the number of lines."""
    for text in texts:
        if (written := redact(text)) != text:
            pairs = zip(text.split("\n"), written.split("\n"), strict=True)
            for before, line in ((old, new) for old, new in pairs if old != new):
                value = before[line.index("[redacted: ") :]
                shown = f"{value[:SHOWN_VALUE]}… {len(value)} characters"
                yield from (Hit(kind, line.lstrip("+- \t")[:SHOWN], shown) for kind in _MARK.findall(line))


def speed(texts: Sequence[str]) -> tuple[float, float]:
    """Megabytes per second of CPU time and by the clock, in the best of some rounds."""
    size = sum(len(text.encode()) for text in texts) / 1e6
    cpu, clock = float("inf"), float("inf")
    for _ in range(ROUNDS):
        cpu_start, clock_start = process_time(), perf_counter()
        for text in texts:
            redact(text)
        cpu, clock = min(cpu, process_time() - cpu_start), min(clock, perf_counter() - clock_start)
    return size / cpu, size / clock


def found_kinds(planted: dict[str, str], text: str) -> list[str]:
    """The kinds of secrets that are found when each is planted into the middle of a text."""
    middle = text.find("\n", len(text) // 2) + 1
    return [kind for kind, line in planted.items() if _finds(kind, f"{text[:middle]}+{line}\n{text[middle:]}", line)]


def _finds(kind: str, text: str, line: str) -> bool:
    written = redact(text)
    return f"[redacted: {kind}]" in written and line not in written


def report(texts: Sequence[str]) -> str:
    found = list(hits(texts))
    distinct = sorted(set(found))
    planted = found_kinds(PLANTED, max(texts, key=len))
    cpu, clock = speed(texts)
    lines = [
        f"{len(texts)} texts, {sum(map(len, texts)) / 1e6:.1f} million characters",
        f"{len(found)} hits, {len(distinct)} distinct:",
        *(f"  {kind}: {count}" for kind, count in Counter(hit.kind for hit in found).most_common()),
        *(f"  {hit.kind:18} {hit.line}  ({hit.value})" for hit in distinct),
        f"planted secrets found: {len(planted)} of {len(PLANTED)}",
        f"{cpu:.0f} MB/s of CPU time, {clock:.0f} MB/s by the clock",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    if not 1 <= len(arguments) <= 2:
        print(__doc__)
        return 2
    commits = int(arguments[1]) if len(arguments) == 2 else COMMITS
    print(report(texts_of(Path(arguments[0]), commits)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
