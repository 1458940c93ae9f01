"""Languages: which there are; each is one file of report/labels, found by its name."""

from __future__ import annotations

from importlib.util import find_spec
from pkgutil import iter_modules

FOLDER = "report.labels"


def languages() -> tuple[str, ...]:
    """The codes of all languages, such as `en` and `zh`, in order; nothing of their files is read."""
    spec = find_spec(FOLDER)
    places = spec.submodule_search_locations if spec else None
    return tuple(sorted(module.name for module in iter_modules(places or [])))
