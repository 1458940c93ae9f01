"""Where a repository keeps what its users call and configure, by the common names of folders and files; pure."""

from __future__ import annotations

from pathlib import PurePosixPath

_FOLDERS = {"cli", "api", "apis", "include", "entrypoints", "endpoints", "routes", "public", "commands", "cmd"}
_STEMS = {
    *("api", "cli", "protocol", "serving", "server", "config", "configs", "settings", "options", "messages"),
    *("arguments", "args", "server_args", "routes", "urls", "envs", "constants", "public", "types", "schema"),
    *("schemas", "app", "main", "client", "endpoints", "entrypoint", "flags", "__main__"),
}


_SCRIPTS = (".js", ".ts", ".tsx", ".jsx", ".mjs")


def exports_values(path: str) -> bool:
    """Whether a file is of a language that exports any value alike: a line does not tell a function from another."""
    return path.lower().endswith(_SCRIPTS)


def is_interface(path: str) -> bool:
    """Whether the name or a folder of a source file says that it is there for users."""
    pure = PurePosixPath(path.lower())
    return pure.stem in _STEMS or not _FOLDERS.isdisjoint(pure.parts[:-1])
