"""Path of a changed file → what the file is for, and which area of the project it belongs to; pure."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import PurePosixPath

from core.models import FileChange, FileRole
from core.places import is_interface

# Longest path that is looked at; a longer one is still counted, by its first characters.
PATH_LIMIT = 512


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TEST_DIRS = _words(
    """test tests testing autotest e2e unittest unittests spec specs __tests__ testdata fixtures conformance"""
)
_DOC_DIRS = _words("""doc docs documentation website man changelog changelogs news newsfragments changes.d""")
_EXAMPLE_DIRS = _words(
    """example examples samples demo demos tutorial tutorials benchmark benchmarks bench cookbook notebooks"""
)
_PROGRAM_DIRS = _words("""server cli main""")
_NATIVE_SUFFIXES = _words(""".c .cc .cpp .cxx .h .hpp""")
_CI_DIRS = _words(
    """.github .gitlab .circleci .buildkite .azure-pipelines .ci ci .jenkins .claude .cursor .codex .agents .vscode
    .idea .devcontainer"""
)
_BUILD_DIRS = _words("""docker builder packaging cmake .docker dockerfiles rpm debian buildtools""")
_TOOL_ROOTS = _words("""scripts script hack devtools dev maint maintenance support""")
_VENDORED_DIRS = _words(
    """vendor vendored _vendor third_party third-party thirdparty 3rdparty external node_modules deps"""
)
# What a cluster is told to run; such a chart often lies in `dist`.
_CHART_DIRS = _words("""chart charts helm""")
_CHART_SUFFIXES = _words(""".yaml .yml .tpl .gotmpl""")
_GENERATED_DIRS = _words(
    """generated __generated__ _generated dist snapshots __snapshots__ applyconfiguration applyconfigurations"""
)
# Schemas that are made from the types of a Kubernetes API: config/crd/bases/apps.example.org_cats.yaml
_SCHEMA_DIRS = _words("""crd crds bases""")
_SCHEMA = re.compile(r"^[a-z\d-]{1,60}(?:\.[a-z\d-]{1,60}){1,6}_[a-z\d]{1,60}\.yaml$")

_LOCK_NAMES = _words(
    """package-lock.json yarn.lock pnpm-lock.yaml poetry.lock uv.lock cargo.lock go.sum gemfile.lock composer.lock
    pipfile.lock pdm.lock flake.lock bun.lockb constraints.txt package.resolved gradle.lockfile npm-shrinkwrap.json"""
)
_MANIFEST_NAMES = _words(
    """pyproject.toml setup.py setup.cfg package.json cargo.toml go.mod gemfile pom.xml pipfile build.gradle
    build.gradle.kts composer.json environment.yml vcpkg.json conanfile.txt conanfile.py mix.exs project.toml"""
)
_BUILD_NAMES = _words(
    """makefile cmakelists.txt meson.build build build.bazel workspace manifest.in configure.ac justfile
    docker-compose.yml docker-compose.yaml compose.yml compose.yaml build.xml setup.sh"""
)
_CI_NAMES = _words(
    """.pre-commit-config.yaml .travis.yml appveyor.yml azure-pipelines.yml .gitlab-ci.yml jenkinsfile tox.ini
    noxfile.py codecov.yml .codecov.yml .gitignore .gitattributes .editorconfig .clang-format .clang-tidy
    .flake8 .pylintrc renovate.json .mailmap codeowners ruff.toml .readthedocs.yaml .readthedocs.yml .gitmodules
    mypy.ini .dockerignore .prettierrc .git-blame-ignore-revs agents.md claude.md"""
)
_DOC_NAMES = _words(
    """license licence notice authors contributors copying readme changes changelog news history contributing
    security code_of_conduct citation"""
)
# What a site of documents is made by.
_SITE_NAMES = _words(
    """mkdocs.yml mkdocs.yaml docusaurus.config.js docusaurus.config.ts sidebars.js sidebars.ts book.toml typedoc.json
    doxyfile"""
)
_DOC_SUFFIXES = _words(""".md .rst .adoc .mdx .po .pot .bib .cff""")
# What no person wrote line by line: binaries and records.
_BINARY_SUFFIXES = _words(
    """.png .jpg .jpeg .gif .ico .webp .pdf .zip .gz .whl .so .dll .bin .pt .npy .mp4 .wav .ttf .woff .woff2 .jar
    .exe .a .o .parquet .jsonl .ndjson .tsv"""
)
_KERNEL_SUFFIXES = _words(""".cu .cuh .metal .hip .ptx .cl .s .asm .glsl .wgsl""")
_CONFIG_SUFFIXES = _words(""".toml .yaml .yml .json .ini .cfg .conf .properties .env .xml""")
_BUILD_SUFFIXES = _words(""".nix .cmake .bazel .bzl .mk .gradle .spec .dockerfile""")
_SOURCE_SUFFIXES = _words(
    """.py .pyi .pyx .pxd .c .cc .cpp .cxx .h .hh .hpp .hxx .inl .rs .go .js .jsx .ts .tsx .mjs .java .kt .scala
    .swift .rb .php .cs .m .mm .lua .pl .sh .bash .r .jl .ex .exs .erl .hs .ml .vue .svelte .sql .proto .thrift
    .graphql .html .css .scss .jinja .j2 .zig .dart"""
)

_TEST_STEM = re.compile(r"^(?:test_.*|(?:.*_)?(?:e2e|smoke)(?:_.*)?|.*_tests?|conftest|.*[.-](?:test|spec|e2e))$")
_TEST_FOLDER = re.compile(r"-tests?$|_tests$")  # crates/app-test, scripts/smoke-test, load_tests
_GENERATED = re.compile(
    r"(?:_pb2(?:_grpc)?\.pyi?|\.pb\.(?:go|cc|h)|\.min\.(?:js|css)|[._]generated\.\w+|\.snap|\.map)$"
    r"|^(?:_generated_|zz_generated)"
)
_REQUIREMENTS = re.compile(r"^(?:requirements?(?:[-_.].*)?|.*[-_.]requirements?)\.(?:txt|in)$")
_LOCKED = re.compile(r"^(?:.*[-_.])?requirements?[-_.](?:.*[-_.])?lock(?:ed)?(?:[-_.].*)?\.txt$")
# By its name, what serves tests, checks, documents or developers alone.
_TOOLING = re.compile(
    r"(?:^|[-_./])(?:tests?|testing|dev|develop|docs?|readthedocs|lint\w*|format|check\w*|ci|nightly|bench\w*|typing"
    r"|code_?owners?)(?:[-_./]|$)"
)
_DOCKERFILE = re.compile(r"^(?:dockerfile(?:[-_.].*)?|.*\.dockerfile|containerfile)$")
# `sgl-kernel` holds a package with kernels and what calls them; `kda_kernels` and `kernel_src` the kernels alone.
_KERNEL_FOLDER = re.compile(r"(?:^|[-_])kernels$|^kernel(?:[-_]src)?$")
_PAGES = frozenset({".ts", ".tsx", ".js", ".jsx", ".mjs"})
_PAGE_ROOTS = frozenset({"frontend", "webui", "web-ui", "dashboard"})
_PROGRAMS = frozenset({".go", ".h", ".m", ".c"})
_HEADERS = frozenset({".h", ".hpp", ".hh", ".hxx", ".inl"})
_NATIVE_ROOTS = frozenset({"src", "csrc", "detail", "impl"})
_SOURCE_ROOTS = frozenset({"src", "lib", "pkg", "source", "packages", "internal", "crates", "python", "include"})


def role_of(change: FileChange) -> FileRole:
    """What a file is for: by its path, then by what the source said of its content."""
    role = role_of_path(change.path)
    return FileRole.BINARY if change.missing == "binary" and role is FileRole.SOURCE else role


@lru_cache(maxsize=8192)
def role_of_path(path: str) -> FileRole:
    """What a file is for, by its path alone."""
    pure = PurePosixPath(path[:PATH_LIMIT].lower())
    folders, name = frozenset(pure.parts[:-1]), pure.name
    return (
        _role_by_exact_name(name, folders)
        or _role_by_folder(pure, folders)
        or _role_by_suffix(pure, folders)
        or FileRole.CONFIG
    )


def _role_by_exact_name(name: str, folders: frozenset[str]) -> FileRole | None:
    if name in _LOCK_NAMES or name.endswith(".lock") or _LOCKED.match(name):
        return FileRole.LOCK
    if _GENERATED.search(name) or (folders & _SCHEMA_DIRS and _SCHEMA.match(name)):
        return FileRole.GENERATED
    if folders & _GENERATED_DIRS and not _is_chart(name, folders):
        return FileRole.GENERATED
    # `deps` may hold lists of what to install beside, or instead of, others' code.
    if folders & (_VENDORED_DIRS - {"deps"} if _REQUIREMENTS.match(name) else _VENDORED_DIRS):
        return FileRole.VENDORED
    if folders & _CI_DIRS or name in _CI_NAMES or (name.startswith(".") and not name.startswith(".env")):
        return FileRole.DOCS if ".github" in folders and name.endswith(".md") else FileRole.CI
    return None


def _is_chart(name: str, folders: frozenset[str]) -> bool:
    return bool(folders & _CHART_DIRS) and PurePosixPath(name).suffix in _CHART_SUFFIXES


def _role_by_folder(pure: PurePosixPath, folders: frozenset[str]) -> FileRole | None:
    name, manifest = pure.name, _manifest_role(pure, folders)
    if manifest:
        return manifest
    # A package may be called `testing` or `spec` and be the product; its files are tests only below a test folder.
    if folders & (_TEST_DIRS - {"testing", "spec"}) or _TEST_STEM.match(pure.stem):
        return FileRole.TEST
    if any(map(_TEST_FOLDER.search, folders)):
        return FileRole.TEST
    if pure.stem in _DOC_NAMES or name in _SITE_NAMES or pure.suffix in _DOC_SUFFIXES or _is_of_documents(pure):
        return FileRole.DOCS
    if _is_example(pure, folders):
        return FileRole.EXAMPLE
    if _DOCKERFILE.match(name) and _TOOLING.search(name):
        return FileRole.CI
    if name in _BUILD_NAMES or pure.suffix in _BUILD_SUFFIXES or _DOCKERFILE.match(name) or folders & _BUILD_DIRS:
        return FileRole.BUILD
    if _is_chart(name, folders):
        return FileRole.BUILD
    # At the top these hold the maintainers' tools; deeper down they may be part of the product.
    if len(pure.parts) > 1 and pure.parts[0] in _TOOL_ROOTS:
        return FileRole.CI if _TOOLING.search("/".join(pure.parts[1:])) else FileRole.BUILD
    return None


def _is_of_documents(pure: PurePosixPath) -> bool:
    """Whether it lies among documents; at the top, `site` holds the project's own pages."""
    return not _DOC_DIRS.isdisjoint(pure.parts[:-1]) or (len(pure.parts) > 1 and pure.parts[0] == "site")


def _is_example(pure: PurePosixPath, folders: frozenset[str]) -> bool:
    if pure.suffix in _NATIVE_SUFFIXES and folders & _PROGRAM_DIRS:
        return False  # the programs that users of a native library run often lie among its examples
    return bool(folders & _EXAMPLE_DIRS) or pure.parts[:1] == ("sample",)  # deeper down it may draw a model's tokens


def _manifest_role(pure: PurePosixPath, folders: frozenset[str]) -> FileRole | None:
    """A manifest that users install from is one; what only tests, documents or tools install counts as those."""
    listed = _REQUIREMENTS.match(pure.name) or ("requirements" in folders and pure.suffix in {".txt", ".in"})
    if not listed and pure.name not in _MANIFEST_NAMES and not pure.name.endswith("_version"):
        return None
    if folders & _DOC_DIRS:
        return FileRole.DOCS
    if folders & _TEST_DIRS or folders & _EXAMPLE_DIRS:
        return FileRole.CI
    if listed and _TOOLING.search(str(pure)):
        return FileRole.CI
    return FileRole.MANIFEST


def _role_by_suffix(pure: PurePosixPath, folders: frozenset[str]) -> FileRole | None:
    suffix = pure.suffix
    if suffix in _BINARY_SUFFIXES:
        return FileRole.BINARY
    if suffix in _KERNEL_SUFFIXES or (suffix in _SOURCE_SUFFIXES and any(map(_KERNEL_FOLDER.search, folders))):
        return FileRole.KERNEL
    if suffix in _SOURCE_SUFFIXES:
        public = is_interface(str(pure))
        return FileRole.INTERFACE if public and suffix not in {".html", ".css", ".scss"} else FileRole.SOURCE
    if suffix in _CONFIG_SUFFIXES or pure.name == "version.txt":
        return FileRole.CONFIG
    return FileRole.DOCS if suffix in {".txt", ".ipynb", ".svg"} else None


@lru_cache(maxsize=8192)
def area_of(path: str) -> str:
    """The package or directory a file belongs to, at most two folders deep below the source root; `.` is the top."""
    folders = PurePosixPath(path[:PATH_LIMIT]).parts[:-1]
    if not folders:
        return "."
    depth = 3 if folders[0] in _SOURCE_ROOTS else 2
    return "/".join(folders[:depth])


@lru_cache(maxsize=8192)
def is_private(path: str) -> bool:
    """Whether a path is under a folder or file whose name begins with an underscore (not `__init__`).

    So is a header of C or C++ beside its sources, as users include what lies elsewhere, a program of Go's, and
    the pages that a server brings along.
    """
    pure = PurePosixPath(path[:PATH_LIMIT])
    if pure.suffix in _PROGRAMS and "cmd" in pure.parts:
        return True
    if pure.suffix in _PAGES and not _PAGE_ROOTS.isdisjoint(pure.parts):
        return True
    if pure.suffix in _HEADERS and not _NATIVE_ROOTS.isdisjoint(pure.parts) and not is_interface(path):
        return True
    return any(part.startswith("_") and not part.startswith("__") for part in pure.parts) or "internal" in pure.parts
