"""Replies of the fake Anthropic: JSON made from the request's schema, in the language that its prompt asks for.

All names in a reply are taken from the commit in the prompt, unless a reply with invented names is asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ZH = {
    "summary": "`{file}` 的处理流程改为先校验输入再执行，无效请求会提前返回错误，正常请求的结果不变。",
    "scope": "直接调用 `{file}` 的模块",
    "advice": "升级前请用现有请求回归测试 `{file}` 涉及的路径。",
    "risks": "如果调用方依赖旧的错误时机，`{file}` 提前返回可能改变其重试行为。",
    "tier_reason": "影响面与规则的判断一致。",
    "what": "`{file}` now checks its input before it runs.",
    "": "该提交在 `{file}` 中没有涉及这一方面的改动。",
}
_EN = {
    "summary": "`{file}` now checks its input before it runs; invalid requests fail early, valid ones are unchanged.",
    "scope": "modules that call `{file}` directly",
    "advice": "Run your regression requests through `{file}` before you upgrade.",
    "risks": "Callers that rely on the old moment of failure may retry differently after the change in `{file}`.",
    "tier_reason": "Its reach is what the rules say.",
    "what": "`{file}` now checks its input before it runs.",
    "": "The change in `{file}` does not touch this.",
}
INVENTED = ("engine/phantom_router.py", "phantom_dispatch", "--phantom-window", "PHANTOM_CACHE_DIR")
"""A file, a function, a flag and an environment variable that no commit has."""

_INVENTED_SENTENCES = {
    True: ("升级前请确认 `phantom_dispatch` 的返回值。", "`engine/phantom_router.py` 新增 `--phantom-window`。"),
    False: ("Check what `phantom_dispatch` returns.", "`engine/phantom_router.py` gains `--phantom-window`."),
}
# Of what is said file by file.
_MOST_ENTRIES = 20
_LINES_OF_A_DAY = 4
_FILE = re.compile(r"^=== (.+?)(?: \(was .+?\))? \[|^=== (\S+)", re.MULTILINE)
_PATH_IN_FACTS = re.compile(r"\bin ([\w./-]+\.\w+)|^\W*([\w./-]+/[\w.-]+\.\w+)", re.MULTILINE)
_SHA = re.compile(r"^Commit: ([0-9a-f]{40,64})$", re.MULTILINE)
_GUESS = re.compile(r"^- Rules' .*\b(high|medium|low)\b", re.MULTILINE)
_EXAMPLE_SUMMARY = re.compile(r'"summary": ?("(?:[^"\\\n]|\\.)+")')


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the replies need it: its schema, its prompts, and what was set for its commit."""

    schema: Mapping[str, Any]
    system: str
    prompt: str
    chinese: bool
    opinion: tuple[str, str | None] | None = None


def wants_chinese(system: str) -> bool:
    """Whether the system prompt asks for Chinese."""
    return bool(re.search(r"Chinese|中文", system))


def shown_files(prompt: str) -> list[str]:
    """The files of the diff in the prompt, in their order, each once."""
    return list(dict.fromkeys(one or other for one, other in _FILE.findall(prompt)))


def named_file(prompt: str) -> str | None:
    """The first file of the diff in the prompt, or of its facts and notes where it has no diff; None of no file."""
    if files := shown_files(prompt):
        return files[0]
    found = _PATH_IN_FACTS.search(prompt)
    return (found[1] or found[2]) if found else None


def thing_in(prompt: str, *, chinese: bool) -> str:
    """What a text about the prompt's commit speaks of: its first file as a code span, or the commit itself."""
    file = named_file(prompt)
    return f"`{file}`" if file else ("该提交" if chinese else "the commit")


def commit_in(prompt: str) -> str | None:
    """The sha of the commit that the prompt is about."""
    found = _SHA.search(prompt)
    return found[1] if found else None


def reply_text(asked: Asked) -> str:
    """JSON text that fits the schema and names only what the commit has."""
    return json.dumps(_Writer(asked).value(asked.schema), ensure_ascii=False)


def with_one_invented_name(asked: Asked) -> str:
    """A good reply with one more sentence in it, about a function that the commit does not have."""
    reply, sentence = json.loads(reply_text(asked)), _INVENTED_SENTENCES[asked.chinese][0]
    if "advice" in reply:
        reply["advice"].append(sentence)
    elif "lines" in reply:
        reply["lines"][0]["text"] += f"{'' if asked.chinese else ' '}{sentence}"
    elif "summary" in reply:
        reply["summary"] = f"{reply['summary']}{'' if asked.chinese else ' '}{sentence}"
    return json.dumps(reply, ensure_ascii=False)


def with_invented_names(asked: Asked) -> str:
    """A reply that fits the schema and speaks of nothing but names that the commit does not have."""
    sentence = ("" if asked.chinese else " ").join(_INVENTED_SENTENCES[asked.chinese])
    return json.dumps(_Writer(asked, said=sentence).value(asked.schema), ensure_ascii=False)


def with_words_of_an_example(asked: Asked) -> str:
    """A reply whose summary is that of the last worked example in the system prompt, where there is one."""
    reply = json.loads(reply_text(asked))
    found = _EXAMPLE_SUMMARY.findall(asked.system)
    return json.dumps({**reply, "summary": json.loads(found[-1])} if found else reply, ensure_ascii=False)


class _Writer:
    """Makes a value for each part of a schema, by its name; all texts are `said` where that is given."""

    def __init__(self, asked: Asked, said: str | None = None) -> None:
        self._asked, self._said = asked, said
        guess = _GUESS.search(asked.prompt)
        agreed: tuple[str, str | None] = (guess[1] if guess else "medium", None)
        self._tier, self._reason = asked.opinion or agreed

    def value(self, schema: Mapping[str, Any], name: str = "", file: str | None = None) -> Any:
        if "$ref" in schema:
            return self.value(self._asked.schema["$defs"][schema["$ref"].removeprefix("#/$defs/")], name, file)
        if choices := schema.get("anyOf") or schema.get("allOf"):
            return self.value(choices[0], name, file)
        if choices := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
            wanted = self._tier if name == "tier" else "bugfix"
            return wanted if wanted in choices else choices[0]
        match schema["type"]:
            case "object":
                return {key: self.value(part, key, file) for key, part in schema["properties"].items()}
            case "array":
                return self._entries(schema["items"], name)
            case "string":
                return self._text(name, file)
            case kind:
                return {"integer": 1, "number": 1.5, "boolean": True}.get(kind)

    def _entries(self, items: Mapping[str, Any], name: str) -> list[Any]:
        """One entry; of what is said file by file, one for each file that is shown."""
        entry = self._asked.schema["$defs"][items["$ref"].removeprefix("#/$defs/")] if "$ref" in items else items
        if "commits" in entry.get("properties", {}):
            return [self._highlight(sha) for sha in _SHA.findall(self._asked.prompt)[:_LINES_OF_A_DAY]]
        by_file = "path" in entry.get("properties", {})
        files = shown_files(self._asked.prompt) if by_file and self._said is None else []
        return [self.value(items, name, file) for file in files[:_MOST_ENTRIES]] or [self.value(items, name)]

    def _highlight(self, sha: str) -> dict[str, Any]:
        """A line about one of the commits that are shown."""
        text = "`{sha}` 影响所有部署。" if self._asked.chinese else "`{sha}` reaches every deployment."
        return {"text": self._said or text.format(sha=sha[:7]), "commits": [sha[:10]]}

    def _text(self, name: str, file: str | None) -> str:
        if name == "path":
            return (file or named_file(self._asked.prompt) or "") if self._said is None else INVENTED[0]
        if name == "tier_reason" and self._reason is not None:
            return self._reason
        if self._said is not None:
            return self._said
        texts = _ZH if self._asked.chinese else _EN
        thing = f"`{file}`" if file else thing_in(self._asked.prompt, chinese=self._asked.chinese)
        return texts.get(name, texts[""]).replace("`{file}`", thing)
