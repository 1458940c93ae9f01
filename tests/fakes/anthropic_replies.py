"""Replies of the fake Anthropic: JSON made from the request's schema, in the language that its prompt asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_ZH = {
    "summary": "`{file}` 的处理流程改为先校验输入再执行，无效请求会提前返回错误，正常请求的结果不变。",
    "scope": "直接调用 `{file}` 的模块",
    "advice": "升级前请用现有请求回归测试 `{file}` 涉及的路径。",
    "risks": "如果调用方依赖旧的错误时机，`{file}` 提前返回可能改变其重试行为。",
    "": "该提交在 `{file}` 中没有涉及这一方面的改动。",
}
_EN = {
    "summary": "`{file}` now checks its input before it runs; invalid requests fail early, valid ones are unchanged.",
    "scope": "modules that call `{file}` directly",
    "advice": "Run your regression requests through `{file}` before you upgrade.",
    "risks": "Callers that rely on the old moment of failure may retry differently after the change in `{file}`.",
    "": "The change in `{file}` does not touch this.",
}
_FILE = re.compile(r"^=== (\S+)", re.MULTILINE)


def wants_chinese(system: str) -> bool:
    """Whether the system prompt asks for Chinese."""
    return bool(re.search(r"Chinese|中文", system))


def named_file(prompt: str) -> str:
    """The first file of the diff in the prompt."""
    found = _FILE.search(prompt)
    return found[1] if found else "README.md"


def reply_text(schema: Mapping[str, Any], prompt: str, *, chinese: bool) -> str:
    """JSON text that fits the schema."""
    texts = {name: text.format(file=named_file(prompt)) for name, text in (_ZH if chinese else _EN).items()}
    return json.dumps(_value(schema, schema, texts, ""), ensure_ascii=False)


def _value(schema: Mapping[str, Any], root: Mapping[str, Any], texts: Mapping[str, str], name: str) -> Any:
    if "$ref" in schema:
        return _value(root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root, texts, name)
    if choices := schema.get("anyOf") or schema.get("allOf"):
        return _value(choices[0], root, texts, name)
    if choices := schema.get("enum") or ([schema["const"]] if "const" in schema else []):
        return "bugfix" if "bugfix" in choices else choices[0]
    match schema["type"]:
        case "object":
            return {key: _value(part, root, texts, key) for key, part in schema["properties"].items()}
        case "array":
            return [_value(schema["items"], root, texts, name)]
        case "string":
            return texts.get(name, texts[""])
        case kind:
            return {"integer": 1, "number": 1.5, "boolean": True}.get(kind)
