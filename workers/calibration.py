"""How far the local estimate of tokens is from what the API counts, by model: learnt from each answer."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass
from typing import Protocol

import redis
import structlog

from core.ledger import Ledger

log = structlog.get_logger()

KEPT_SECONDS = 1.0


class Calibration(Protocol):
    """Where comparisons are kept."""

    def calibrate(self, model: str, estimated: int, actual: int) -> None:
        """Note that a prompt of so many estimated tokens had so many."""

    def token_ratio(self, model: str) -> float:
        """Actual tokens to an estimated one; 1.0 before any comparison."""


class Uncalibrated:
    """Takes the estimate as it is, where there is no ledger."""

    def calibrate(self, model: str, estimated: int, actual: int) -> None:
        """Forget it."""

    def token_ratio(self, model: str) -> float:  # noqa: ARG002 (the protocol's)
        """Always 1.0."""
        return 1.0


class LedgerCalibration:
    """The ledger's comparisons, told and asked for once a second: one prompt more or less moves a ratio by 2 %.

    When Redis is away, an answer that was paid for must not be lost for them.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._models: dict[str, _Compared] = {}
        self._guard = threading.Lock()

    def calibrate(self, model: str, estimated: int, actual: int) -> None:
        """Note a comparison, or leave it when Redis is away."""
        with self._guard:
            told = self._model(model).add(estimated, actual)
        try:
            if told:
                self._ledger.calibrate(model, *told)
        except redis.RedisError as error:
            log.warning("calibration_lost", reason=type(error).__name__)

    def token_ratio(self, model: str) -> float:
        """The ledger's ratio, of a second ago at most; 1.0 when Redis is away."""
        with self._guard:
            known = self._model(model)
            if known.asked_at + KEPT_SECONDS > time.monotonic():
                return known.ratio
        try:
            ratio, asked_at = self._ledger.token_ratio(model), time.monotonic()
        except redis.RedisError:
            return 1.0
        with self._guard:
            known.ratio, known.asked_at = ratio, asked_at
        return ratio

    def _model(self, model: str) -> _Compared:
        return self._models.setdefault(model, _Compared())


@dataclass(slots=True)
class _Compared:
    """What a process knows of one model's prompts, and has not told yet; times by the monotonic clock."""

    ratio: float = 1.0
    asked_at: float = -math.inf
    told_at: float = -math.inf
    estimated: int = 0
    actual: int = 0
    prompts: int = 0

    def add(self, estimated: int, actual: int) -> tuple[int, int, int] | None:
        """Add a comparison; what is to be told of them now, if anything is."""
        if estimated <= 0 or actual <= 0:
            return None
        self.estimated, self.actual, self.prompts = self.estimated + estimated, self.actual + actual, self.prompts + 1
        if (now := time.monotonic()) < self.told_at + KEPT_SECONDS:
            return None
        untold = self.estimated, self.actual, self.prompts
        self.told_at, self.estimated, self.actual, self.prompts = now, 0, 0, 0
        return untold
