"""Git processes that are kept for the next question: `git diff-tree --stdin`, few at a time, ended when idle.

A process of its own for each commit costs more than its diff. An answer is complete when git has echoed a line that is
no object's name, drawn anew for each process, which no content of a commit can foresee. A process that took too long,
wrote too much or ended is not asked again. All end by themselves when this process does: their input is then over.
"""

from __future__ import annotations

import os
import secrets
import select
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fcntl import F_SETPIPE_SZ, fcntl
from pathlib import Path
from typing import Final, NamedTuple

# A worker has many threads, but its machine few cores: git's part of the work is all computing.
MOST_PROCESSES: Final = 4
IDLE_SECONDS: Final = 30.0
# What git keeps of each commit for its own use is given back with its process.
MOST_ANSWERS: Final = 1000
_PIPE_BYTES: Final = 1024 * 1024
_ECHO: Final = "echo"  # no hexadecimal digits, as an object's name would have


class Ended(Exception):
    """The process ended before its answer was complete."""


class Overlong(Exception):
    """Git wrote more than was allowed."""


class Command(NamedTuple):
    """A git command that answers lines on its standard input; equal ones share their processes.

    `stamp` stands for what a process reads once, when it begins: with another stamp, another process is asked.
    """

    words: tuple[str, ...]
    folder: Path
    environment: tuple[tuple[str, str], ...]
    stamp: tuple[int, ...] = ()

    @classmethod
    def of(cls, words: Sequence[str], folder: Path, environment: Mapping[str, str], stamp: tuple[int, ...]) -> Command:
        """The command in a form that can be compared."""
        return cls(tuple(words), folder, tuple(sorted(environment.items())), stamp)


class _Process:
    """One running command."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.answers = 0
        self.idle_since = 0.0
        self._process = subprocess.Popen(
            command.words, cwd=command.folder, env=dict(command.environment), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip
        assert self._process.stdin
        assert self._process.stdout
        self._given, self._output = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        with suppress(OSError):  # the machine may allow less
            fcntl(self._output, F_SETPIPE_SZ, _PIPE_BYTES)
        self._readable = select.poll()
        self._readable.register(self._output, select.POLLIN)
        self._end = f"{_ECHO} {secrets.token_hex(16)}\n".encode()

    def ask(self, question: str, deadline: float, limit: int) -> bytes:
        """What git writes to one line. Raises Ended, Overlong, TimeoutError; then the process is of no use any more."""
        try:
            os.write(self._given, question.encode() + b"\n" + self._end)  # less than a pipe always takes
        except BrokenPipeError:
            raise Ended from None
        answer = bytearray()
        while not answer.endswith(self._end):
            if len(answer) > limit + len(self._end):
                raise Overlong
            if not (part := self._read(deadline)):
                raise Ended
            answer += part
        self.answers += 1
        if len(answer) > limit + len(self._end):
            raise Overlong
        return bytes(answer[: -len(self._end)])

    def _read(self, deadline: float) -> bytes:
        while True:
            if not self._readable.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError
            with suppress(BlockingIOError):
                return os.read(self._output, _PIPE_BYTES)

    @property
    def usable(self) -> bool:
        """Whether it may be asked again."""
        return self.answers < MOST_ANSWERS and self._process.poll() is None

    def end(self) -> None:
        """Let it end; it is killed, since it may be in the middle of an answer."""
        self._process.kill()
        with self._process:
            pass


class Processes:
    """The processes of all commands together. Safe to share between threads."""

    def __init__(self, most: int = MOST_PROCESSES, idle_seconds: float = IDLE_SECONDS) -> None:
        self._most, self._idle_seconds = most, idle_seconds
        self._free = threading.Condition()
        self._idle: list[_Process] = []  # in the order in which they became so
        self._count = 0
        self._reaper: threading.Thread | None = None

    def ask(self, command: Command, question: str, *, seconds: float, limit: int) -> bytes:
        """What a command writes to one line of its input, within `seconds`, the wait for a free process included.

        Raises Ended, Overlong (over `limit` bytes), TimeoutError, and OSError when git cannot be started.
        """
        deadline = time.monotonic() + seconds
        process, answered = self._taken(command, deadline), False
        try:
            answer = process.ask(question, deadline, limit)
            answered = True
            return answer
        finally:
            self._give_back(process, usable=answered and process.usable)

    def end_all(self) -> None:
        """End those that are idle now."""
        with self._free:
            ended, self._idle = self._idle, []
            self._count -= len(ended)
            self._free.notify_all()
        for process in ended:
            process.end()

    def _taken(self, command: Command, deadline: float) -> _Process:
        unwanted = None
        with self._free:
            while True:
                if kept := self._kept(command):
                    return kept
                if self._count < self._most:
                    self._count += 1
                    break
                if self._idle:  # of another clone
                    unwanted = self._idle.pop(0)
                    break
                if not self._free.wait(deadline - time.monotonic()):
                    raise TimeoutError
        try:
            if unwanted:
                unwanted.end()
            return _Process(command)
        except BaseException:
            self._one_less()
            raise

    def _kept(self, command: Command) -> _Process | None:
        """The one that was used last, so that those that are not needed become idle."""
        for process in reversed(self._idle):
            if process.command == command:
                self._idle.remove(process)
                return process
        return None

    def _give_back(self, process: _Process, *, usable: bool) -> None:
        if not usable:
            process.end()
            self._one_less()
            return
        with self._free:
            process.idle_since = time.monotonic()
            self._idle.append(process)
            self._free.notify()
            if self._reaper is None:
                self._reaper = threading.Thread(target=self._reap, name="git-reaper", daemon=True)
                self._reaper.start()

    def _one_less(self) -> None:
        with self._free:
            self._count -= 1
            self._free.notify()

    def _reap(self) -> None:
        """End what has been idle for long; this thread ends with the last process."""
        while True:
            time.sleep(self._idle_seconds / 4)
            with self._free:
                before = time.monotonic() - self._idle_seconds
                ended = [process for process in self._idle if process.idle_since < before]
                self._idle = [process for process in self._idle if process.idle_since >= before]
                self._count -= len(ended)
                self._free.notify_all()
                if over := self._count == 0:
                    self._reaper = None
            for process in ended:
                process.end()
            if over:
                return


shared = Processes()


def _begin_anew() -> None:
    """A forked child has its parent's list, but neither its threads nor a right to its processes' pipes."""
    global shared  # module state, as each process of the operating system has it once
    shared = Processes()


os.register_at_fork(after_in_child=_begin_anew)
