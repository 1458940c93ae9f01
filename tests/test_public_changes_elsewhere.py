"""Public changes outside of Python: what Go, Rust, C, TypeScript, builds and manifests let users name."""

from __future__ import annotations

import pytest

from core.models import FileChange
from tests.patches import commit, diff, edited
from tests.test_public_changes import Expected, told
from workers.facts import facts_from

CHANGES: dict[str, tuple[FileChange, Expected]] = {
    "a Go flag": (
        edited("cmd/main.go", 'flag.String("addr", ":80", "x")', 'flag.String("addr", ":8080", "x")'),
        [("flag", "default_changed", "--addr", '":80"', '":8080"')],
    ),
    "a Go method goes by its type": (
        edited("api/client.go", "func (c *Client) Stop(a int) error {", "func (c *Server) Close(a int) error {"),
        [("function", "removed", "Client.Stop", None, None), ("function", "added", "Server.Close", None, None)],
    ),
    "a Go method of a type that is not exported": (edited("api/w.go", "func (w *writer) Write(p []byte) {"), []),
    "methods of a new Go type are told with it": (
        edited("api/cache.go", "", "type Cache[K any] struct {\n}\nfunc (c *Cache[K]) Get(k K) {"),
        [("class", "added", "Cache", None, None)],
    ),
    "a Rust method goes by its type": (
        edited(
            "src/lib.rs", "    pub fn new(a: A) -> Self {", "    pub fn open(b: B) -> Self {", "impl<'a> Pool<'a> {"
        ),
        [("function", "removed", "Pool::new", None, None), ("function", "added", "Pool::open", None, None)],
    ),
    "a Rust type that is gone is told with its methods": (
        edited("src/lib.rs", "pub struct Pool {\n}\nimpl Pool {\n    pub fn new() -> Self {\n    }\n}"),
        [("class", "removed", "Pool", None, None)],
    ),
    "a prototype over many lines": (
        edited("include/ggml.h", "GGML_API struct tensor * ggml_add(\n    struct ctx * a,\n    enum kind   b);"),
        [("function", "removed", "ggml_add", None, None)],
    ),
    "the type of a parameter is no type that comes": (
        edited("include/mm.h", "", "bool mm_fits(\n    enum mm_type     type,\n    struct mm_tensor t,\n    int n);"),
        [("function", "added", "mm_fits", None, None)],
    ),
    "a variable within a header's function": (
        edited("include/key.h", '  reg_key key(HKEY_CURRENT_USER, name, 0, READ);\n  return key.query(L"x", 1);'),
        [],
    ),
    "a class of a header is told with its members": (
        edited("include/pool.h", "class Pool {\npublic:\n  void run(int a);\nprivate:\n  int grow(int a);\n};"),
        [("class", "removed", "Pool", None, None)],
    ),
    "a private member of a header": (edited("include/pool.h", "  int grow(int a);", "", "private:"), []),
    "a header beside its sources": (edited("src/engine/pool.h", "class Pool {\nvoid run(int a);"), []),
    "a flag of clap by its field": (
        edited("src/cli.rs", "#[arg(long, short)]\npub max_size: u32,", "#[arg(long, short)]\npub max_sizes: u32,"),
        [("flag", "renamed", "--max-sizes", "--max-size", "--max-sizes")],
    ),
    "a flag of clap over many lines": (
        edited(
            "src/cli.rs",
            "",
            "#[arg(\n    long,\n    env = Env::APP_PORT,\n    default_value_t = 80\n)]\n"
            "/// Where.\n#[cfg(unix)]\nport: u16,",
        ),
        [("flag", "added", "--port", None, "80"), ("environment", "added", "APP_PORT", None, "80")],
    ),
    "a flag of clap whose field stands elsewhere now": (
        edited(
            "src/cli.rs",
            "#[arg(long)]\n    pub reinstall: bool,",
            ")]\n    pub reinstall: bool,",
        ),
        [],
    ),
    "a flag of clap and the variable of its name": (
        edited("src/main.rs", '#[clap(default_value = "2", long, env)]\n    max_best_of: usize,'),
        [("flag", "removed", "--max-best-of", '"2"', None), ("environment", "removed", "MAX_BEST_OF", '"2"', None)],
    ),
    "a flag of clap that the help leaves out": (
        edited("src/cli.rs", "", '#[arg(long, overrides_with = "system", hide = true)]\npub no_system: bool,'),
        [],
    ),
    "a variable that a Rust constant names": (
        edited("src/env_vars.rs", "", '    pub const APP_HOME: &\'static str = "APP_HOME";'),
        [("environment", "added", "APP_HOME", None, None)],
    ),
    "a variable of a typed reader in Go": (
        edited("envconfig/config.go", '	NumParallel = Uint("APP_NUM_PARALLEL", 1)'),
        [("environment", "removed", "APP_NUM_PARALLEL", "1", None)],
    ),
    "a field of a request in Go, by its name on the wire": (
        edited("api/types.go", '\tKeepAlive *Duration `json:"keep_alive,omitempty"`', "", "type ChatRequest struct {"),
        [("config", "removed", "ChatRequest.keep_alive", None, None)],
    ),
    "a field of a request in Rust": (
        edited("router/src/lib.rs", "    pub guideline: Option<String>,", "", "pub(crate) struct ChatRequest {"),
        [("config", "removed", "ChatRequest.guideline", None, None)],
    ),
    "a field of what clap reads is a flag": (
        edited("src/config.rs", "    pub a: bool,", "", "pub struct RunArgs {"),
        [],
    ),
    "a field of options in TypeScript": (
        edited("src/run.ts", "", "  maxRetries?: number;\n    deeper: string;", "export interface RunOptions {"),
        [("config", "added", "RunOptions.maxRetries", None, None)],
    ),
    "a comment above a list of options": (
        edited(
            "src/run.ts", "  type A,", "  type A,\n/**\n * Why.\n */\nexport interface RunOptions {\n  auth?: A;\n}\n"
        ),
        [("class", "added", "RunOptions", None, None)],
    ),
    "a comment between the options of both sides": (
        edited("src/run.ts", "  auth?: A;", " * Why.\n  auth?: A;", "export interface RunOptions {"),
        [],
    ),
    "a default in a Go literal": (
        edited(
            "api/types.go",
            "\t\tRepeatPenalty:    1.1,",
            "\t\tRepeatPenalty:    1.0,",
            "func DefaultOptions() Options {",
        ),
        [("config", "default_changed", "Options.RepeatPenalty", "1.1", "1.0")],
    ),
    "a default that a Go literal leaves out says nothing": (
        edited("api/types.go", "\t\tSeed: -1,", "\t\tTopK: 40,", "func DefaultOptions() Options {"),
        [],
    ),
    "a default of a Rust type": (
        edited(
            "src/config.rs", "            max_size: 512,", "            max_size: 1024,", "impl Default for Config {"
        ),
        [("config", "default_changed", "Config.max_size", "512", "1024")],
    ),
    "a default of a member in C++": (
        edited(
            "common/common.h",
            "    int32_t n_ctx = 512; // size",
            "    int32_t n_ctx = 4096; // size",
            "struct app_params {",
        ),
        [("config", "default_changed", "app_params.n_ctx", "512", "4096")],
    ),
    "a default of a list in C": (
        edited(
            "src/app.cpp",
            "        /*.n_ctx =*/ 512,",
            "        /*.n_ctx =*/ 4096,",
            "struct app_params app_default_params() {",
        ),
        [("config", "default_changed", "app_params.n_ctx", "512", "4096")],
    ),
    "the flags by which kernels are tried": (
        edited("ops/gemm.py", "", "@cute.jit\ndef _go(a):\n    parser.add_argument('--batch', type=int)"),
        [],
    ),
    "a file that pins one thing": (
        edited("LLAMA_CPP_VERSION", "b7001", "b7012"),
        [("dependency", "changed", "LLAMA_CPP", "b7001", "b7012")],
    ),
    "a file that pins a commit": (
        edited("MLX_VERSION", "8c28c385f86d17e1da427bf8d81afe084ee17c35", "3abd0fd6b3eb9d9d3a34cb65e8a2189c57260399"),
        [("dependency", "changed", "MLX", "8c28c385f8", "3abd0fd6b3")],
    ),
    "a constant and a property are no functions": (
        edited(
            "src/A.java",
            'public class A {\n  public static final String NAME = "a";\n  public int size(int n) {\n  }\n}',
            "public interface B<T> {\n}",
        ),
        [
            ("class", "removed", "A", None, None),
            ("function", "removed", "size", None, None),
            ("class", "added", "B", None, None),
        ],
    ),
    "what a Go program has is not imported": (edited("cmd/launch/muse.go", "func Start(a int) error {"), []),
    "what a server's own pages export": (edited("frontend/src/types.ts", "", "export interface RunOptions {"), []),
    "a word of a build's script is no dependency": (edited("scripts/junit.py", 'errors = "0"', 'failures = "0"'), []),
    "a version in a build's script": (
        edited("scripts/build.sh", 'SCCACHE_VERSION="0.16.0"', 'SCCACHE_VERSION="0.17.0"'),
        [("dependency", "changed", "SCCACHE_VERSION", "0.16.0", "0.17.0")],
    ),
    "a folder in an image is no version": (
        edited("Dockerfile", "ENV PYTHONUSERBASE=/opt/pip", "ENV PYTHONUSERBASE=/home/pip"),
        [],
    ),
    "an entry point is no dependency": (
        edited("setup.py", "", "        'run-engine = engine.cli:main',\n        'engine=engine.cli:main',"),
        [],
    ),
    "a part of the same workspace": (
        edited(
            "Cargo.toml", 'app-io = { version = "0.1.0", path = "io" }', 'app-io = { version = "0.2.0", path = "io" }'
        ),
        [],
    ),
    "what a Go module asks for itself, and what others ask for": (
        edited("go.mod", "", "go 1.22.5\n\tgithub.com/a/one v1.2.0\n\tgithub.com/b/two v0.3.0 // indirect"),
        [("dependency", "added", "github.com/a/one", None, "v1.2.0")],
    ),
    "a variable that Go reads over many lines": (
        edited(
            "api/config.go",
            "",
            '\tt, err := envDurationOrDefault(\n\t\t"UPLOAD_TIMEOUT",\n\t\tusual,\n\t)\n\tos.Setenv("A_B", "1")',
        ),
        [("environment", "added", "UPLOAD_TIMEOUT", None, "usual")],
    ),
    "a variable for another process": (edited("src/run.rs", "", 'Command::new("x").env("RUST_LOG", "info");'), []),
    "a default that is given a name in Go": (
        edited("cmd/main.go", 'flag.Int("n", 8, "x")', 'const usual = 8\nflag.Int("n", usual, "x")'),
        [],
    ),
    "a field that manifests of Kubernetes may have": (
        edited(
            "api/apps/v1alpha1/cat_types.go",
            "",
            '\tMinReplicas *int32 `json:"minReplicas,omitempty"`',
            "type CatSpec struct {",
        ),
        [("config", "added", "CatSpec.minReplicas", None, None)],
    ),
    "a field of a Go type that is nobody's manifest": (
        edited("pkg/cat_types.go", "", '\tMinReplicas *int32 `json:"minReplicas"`', "type catSpec struct {"),
        [],
    ),
    "a field of a message on the wire": (
        edited(
            "api/cat.proto",
            "  string name = 1;\n  int32 age = 2;",
            "  string name = 1;\n  repeated Toy toys = 3 [deprecated = true];\n  reserved 2;",
            "message Cat {",
        ),
        [("config", "removed", "Cat.age", None, None), ("config", "added", "Cat.toys", None, None)],
    ),
    "a new message on the wire": (
        edited("api/cat.proto", "", "message Dog {\n  string name = 1;\n}\nenum Kind {\n  KIND_NONE = 0;\n}"),
        [("class", "added", "Dog", None, None), ("class", "added", "Kind", None, None)],
    ),
    "a call of a service": (
        edited("api/cat.proto", "  rpc Feed(FeedRequest) returns (FeedResponse);", "", "service Cats {"),
        [("function", "removed", "Cats.Feed", None, None)],
    ),
    "an exported function of TypeScript": (
        edited("lib/index.ts", "export async function load(a) {"),
        [("function", "removed", "load", None, None)],
    ),
    "a public function of Rust": (
        edited("src/lib.rs", "", "pub fn parse(s: &str) {"),
        [("function", "added", "parse", None, None)],
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_public_changes_of_other_languages(case: str) -> None:
    file, expected = CHANGES[case]
    assert told(file) == expected


def test_a_field_that_two_languages_write_their_own_way_is_told_once() -> None:
    wire = edited("api/cat.proto", "", "  string last_meal = 1;", "message CatRequest {")
    page = edited("api/cat.ts", "", "  lastMeal: string;", "export interface CatRequest {")
    found = facts_from(commit("x"), diff(page, wire)).changes
    assert [(item.action, item.name) for item in found] == [("added", "CatRequest.last_meal")]
