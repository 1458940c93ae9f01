"""What can become of asking the model, by what the caller should do; each says what it cost all the same."""

from __future__ import annotations

from core.errors import Permanent, Transient
from core.models import Usage


class AnalysisRefused(Permanent):
    """The model gave no usable answer about this commit."""

    def __init__(self, reason: str, usage: Usage | None = None) -> None:
        super().__init__(reason)
        self.usage = usage or Usage()


class ReplyTruncated(AnalysisRefused):
    """The reply did not fit, even with more room; a shallower depth may."""


class TooLong(AnalysisRefused):
    """The prompt does not fit the model; a smaller view of the diff may."""


class ModelUnavailable(Transient):
    """The API cannot answer now; `usage` is what earlier calls of the same attempt cost."""

    def __init__(
        self, reason: str, *, retry_after: float | None = None, shared: bool = False, refused: bool = False
    ) -> None:
        super().__init__(reason, retry_after=retry_after, shared=shared, refused=refused)
        self.usage = Usage()


class NeedsDirectCall(Exception):
    """A batch gave no usable answer about this commit; asked directly, the model may."""

    def __init__(self, reason: str, usage: Usage | None = None) -> None:
        super().__init__(reason)
        self.usage = usage or Usage()
