"""Symbols: the definitions that hold changed lines, by language; cut hunks and hostile text cost and raise nothing."""

from __future__ import annotations

import subprocess
import sys
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.models import FileChange
from tests.patches import change, commit, diff
from workers.facts import facts_from


def touched(path: str, patch: str) -> tuple[str, ...]:
    return facts_from(commit("x"), diff(change(path, patch))).symbols


METHODS = """@@ -1,12 +1,12 @@ class Engine:
     def start(self):
         self.on = True

     def stop(self):
-        self.on = None
+        self.on = False

     def state(self):
         return self.on
"""
CUT = """@@ -40,9 +40,9 @@ class Engine:
                          block_size,
                          **options):
         super().__init__(block_size)
-        self.size = 1
+        self.size = 2

     def stop(self,
              now=False):
         pass
+        self.on = {
"""
CPP = """@@ -1,9 +1,9 @@ namespace x {
 void Engine::Run(int a)
 {
-    go(a);
+    go(a + 1);
 }
 template<class T>
 struct Pool {
     int size;
     void Free() {
-        a();
+        b();
     }
 };
"""
MACROS = """@@ -1,8 +1,8 @@ PYBIND11_MODULE(core, m) {
-  m.def("a");
+  m.def("b");
 }
 struct Pool {
   int size;
-  DECLARE_OBJECT_INFO(Pool, Object);
+  DECLARE_OBJECT_INFO(Pool, Other);
 };
-TEST_MODULE_INIT() {
+TEST_MODULE_INIT() { a();
 }
"""
CALL = """@@ -40,5 +40,5 @@ struct Lowerer {
     if (x)
       return;
-    reduce::CheckWidth(width, a);
+    reduce::CheckWidth(width, b);
+    items_.reserve(width);
+    items_[0]->push_back(b);
+    go(b);
   }
"""
TYPESCRIPT = """@@ -1,9 +1,9 @@
 export class Pool {
   free(now: boolean): void {
-    a();
+    b();
   }
 }
 export const load = async () => {
-  c();
+  d();
 };
"""
CASES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "the method that holds the line, no other in the hunk": ("a.py", METHODS, ("Engine.stop",)),
    "a cut hunk that does not parse": ("a.py", CUT, ("Engine", "Engine.stop")),
    "a decorator belongs to what it decorates": (
        "a.py",
        "@@ -1,4 +1,4 @@\n-@old\n+@new\n def run():\n     pass\n",
        ("run",),
    ),
    "a function within a function": (
        "a.py",
        "@@ -1,4 +1,4 @@\n def outer():\n     def inner():\n-        return 1\n+        return 2\n",
        ("outer",),
    ),
    "what stands in a text is no definition": (
        "a.py",
        '@@ -1,4 +1,5 @@\n def real():\n     """\n+    def quoted():\n     """\n     return 1\n',
        ("real",),
    ),
    "what is gone": ("a.py", "@@ -1,3 +1,1 @@\n-def gone(a):\n-    return a\n x = 1\n", ("gone",)),
    "the header's function": (
        "a.py",
        "@@ -90,3 +90,3 @@ def run(a,\n     x = 1\n-    y = 2\n+    y = 3\n",
        ("run",),
    ),
    "not the header's, where its inside has ended": (
        "a.py",
        "@@ -90,4 +90,4 @@ def run(a):\n     return a\n \n-LIMIT = 2\n+LIMIT = 3\n",
        (),
    ),
    "a class within a condition": (
        "a.py",
        "@@ -1,4 +1,4 @@\n if X:\n     class A:\n         def b(self):\n-            c\n+            d\n",
        ("A.b",),
    ),
    "C++": (
        "a.cc",
        CPP,
        ("Engine::Run", "Pool::Free"),
    ),
    "macros of C++ are no functions": ("a.cc", MACROS, ("Pool",)),
    "a call in C++ whose function is out of view": ("a.cc", CALL, ("Lowerer",)),
    "a C++ header's declarations": (
        "a.h",
        "@@ -1,4 +1,4 @@ class Pool {\n public:\n-    void Free(int a);\n+    void Free(long a);\n     int* Get();\n",
        ("Pool::Free",),
    ),
    "CUDA": (
        "a.cu",
        "@@ -1,4 +1,4 @@\n __global__ void scale(float* x)\n {\n-    x[0] = 1;\n+    x[0] = 2;\n }\n",
        ("scale",),
    ),
    "a cut C++ function": (
        "a.cc",
        "@@ -50,5 +50,5 @@ void Engine::Run(\n         if (a) {\n-            b();\n+            c;\n         }\n }\n",
        ("Engine::Run",),
    ),
    "Rust": (
        "a.rs",
        "@@ -1,5 +1,5 @@\n impl Pool for Big {\n     pub fn free(&self) {\n-        a();\n+        b();\n     }\n }\n",
        ("Big::free",),
    ),
    "Go": (
        "a.go",
        "@@ -1,4 +1,4 @@\n func (s *Server) Stop(now bool) error {\n-\treturn a\n+\treturn b\n }\n",
        ("Server.Stop",),
    ),
    "TypeScript": (
        "a.ts",
        TYPESCRIPT,
        ("Pool.free", "load"),
    ),
    "JavaScript below its class's header": (
        "a.js",
        "@@ -9,4 +9,4 @@ class Pool extends Base {\n   free() {\n-    a();\n+    b();\n   }\n",
        ("Pool.free",),
    ),
    "Java": (
        "A.java",
        "@@ -1,5 +1,5 @@\n public class Pool {\n   public void free() {\n-    a();\n+    b();\n   }\n }\n",
        ("Pool.free",),
    ),
    "a language without a parser": (
        "a.rb",
        "@@ -1,2 +1,2 @@ class Pool\n-def free\n+def release\n",
        ("release", "Pool", "free"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_definitions_that_hold_changed_lines(case: str) -> None:
    path, patch, expected = CASES[case]
    assert touched(path, patch.rstrip("\n")) == expected


LINE = st.one_of(
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.sampled_from(
        ["class A:", "    def b(self):", "        return", "void f() {", "}", "'''", "fn x(", "\\", "\t", "if 1:"]
    ),
)


@given(
    path=st.sampled_from(["a.py", "a.cc", "a.rs", "a.go", "a.ts", "a.tsx", "a.js", "a.java"]),
    header=LINE,
    lines=st.lists(st.tuples(st.sampled_from("+- "), LINE), max_size=20),
)
@settings(max_examples=150, deadline=None)
def test_any_hunk_is_read_without_raising(path: str, header: str, lines: list[tuple[str, str]]) -> None:
    patch = "\n".join([f"@@ -1 +1 @@ {header}", *(sign + line for sign, line in lines)])
    assert all(0 < len(name) <= 130 and "\n" not in name for name in touched(path, patch))


HOSTILE = [
    "(" * 300,
    "{" * 300,
    "a<" * 150,
    "if x:\n+ ",
    "-" * 300 + "1",
    "not " * 90,
    "lambda: " * 45,
    "[(" * 150,
    '"""',
    "template<",
]


@pytest.mark.parametrize("piece", HOSTILE, ids=lambda piece: piece[:8].strip())
@pytest.mark.parametrize("path", ["a.py", "a.cc", "a.rs", "a.ts"])
def test_hostile_code_is_parsed_within_bounds(path: str, piece: str) -> None:
    patch = "@@ -1,2 +1,2 @@\n+def f(): pass\n" + f"+{piece}\n" * 2_500
    started = process_time()
    touched(path, patch)
    assert process_time() - started < 10


def test_parsers_are_loaded_by_the_first_diff_not_by_the_import() -> None:
    code = "import sys, workers.facts, workers.triage; sys.exit('tree_sitter' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_symbols_of_a_whole_new_file_come_in_its_order() -> None:
    patch = "@@ -0,0 +1,6 @@\n+class B:\n+    def z(self):\n+        pass\n+\n+def a():\n+    pass"
    shown = FileChange.model_validate(
        {"path": "a.py", "status": "added", "patch": patch, "additions": 6, "deletions": 0}
    )
    assert facts_from(commit("x"), diff(shown)).symbols == ("B", "B.z", "a")
