"""How far the local estimate of tokens is from what the API counts, by model: learnt from each answer."""

from __future__ import annotations

from typing import Protocol

import redis
import structlog

from core.ledger import Ledger

log = structlog.get_logger()


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
    """The ledger's comparisons. When Redis is away, an answer that was paid for must not be lost for them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def calibrate(self, model: str, estimated: int, actual: int) -> None:
        """Note a comparison, or leave it when Redis is away."""
        try:
            self._ledger.calibrate(model, estimated, actual)
        except redis.RedisError as error:
            log.warning("calibration_lost", reason=type(error).__name__)

    def token_ratio(self, model: str) -> float:
        """The ledger's ratio; 1.0 when Redis is away."""
        try:
            return self._ledger.token_ratio(model)
        except redis.RedisError:
            return 1.0
