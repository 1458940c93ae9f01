"""What the Messages API refuses: the checks of the fake Anthropic, with the real one's status, type and wording."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Known:
    """What a model takes: lengths in tokens; `adaptive`: it decides itself how much it thinks, and takes an effort."""

    cache_minimum: int
    window: int = 1_000_000
    most_output: int = 128_000
    adaptive: bool = True


MODELS = {
    "claude-haiku-5-5": Known(cache_minimum=512),
    "claude-sonnet-5-5": Known(cache_minimum=512),
    "claude-opus-5-5": Known(cache_minimum=512),
    "claude-sonnet-4-5": Known(cache_minimum=1_024, window=200_000, most_output=64_000, adaptive=False),
    "claude-haiku-4-5": Known(cache_minimum=4_096, window=200_000, most_output=64_000, adaptive=False),
}

MAX_BODY_BYTES = 32 * 1024 * 1024

_PARAMETERS = {
    *("model", "max_tokens", "messages", "system", "output_config", "metadata", "stop_sequences", "thinking"),
    *("tools", "tool_choice", "service_tier", "cache_control", "container", "inference_geo", "stream", "speed"),
    "diagnostics",
}
_COUNT_PARAMETERS = {
    "model",
    "messages",
    "system",
    "output_config",
    "thinking",
    "tools",
    "tool_choice",
    "cache_control",
}
_THINKING = {
    "enabled": {"type", "budget_tokens", "display"},
    "adaptive": {"type", "display"},
    "disabled": {"type"},
    "between_tools": {"type"},
}
_EFFORTS = {"low", "medium", "high", "xhigh", "max"}
_KEYWORDS = {
    *("type", "enum", "const", "anyOf", "allOf", "$ref", "$defs", "definitions", "default", "required", "properties"),
    *("additionalProperties", "items", "minItems", "description", "title", "format", "pattern"),
}
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
_MOST_OPTIONAL, _MOST_UNIONS = 24, 16
_REFERENCE = re.compile(r'"#/\$defs/([^"]+)"')
_TYPES = {"object", "array", "string", "integer", "number", "boolean", "null"}


class Refused(Exception):
    """A request that the API answers with an error."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


def invalid(message: str) -> Refused:
    return Refused(400, "invalid_request_error", message)


def check_headers(headers: Mapping[str, str], key: str | None) -> None:
    bearer = headers.get("authorization", "")
    given = headers.get("x-api-key") or (bearer[7:] if bearer.startswith("Bearer ") else "")
    if not given or (key is not None and given != key):
        raise Refused(401, "authentication_error", "invalid x-api-key")
    if not headers.get("anthropic-version"):
        raise invalid("anthropic-version: header is required")


def check_message_request(body: Any, *, counting: bool = False) -> None:
    """Raise Refused for what the real API would refuse of a request to create a message or to count its tokens."""
    if not isinstance(body, dict):
        raise invalid("The request body is not a JSON object")
    for name in body.keys() - (_COUNT_PARAMETERS if counting else _PARAMETERS):
        raise invalid(f"{name}: Extra inputs are not permitted")
    for name in {"model", "messages"} | (set() if counting else {"max_tokens"}):
        if name not in body:
            raise invalid(f"{name}: Field required")
    if body["model"] not in MODELS:
        raise Refused(404, "not_found_error", f"model: {body['model']}")
    if not counting:
        _check_max_tokens(body["max_tokens"], MODELS[body["model"]].most_output)
    if body.get("stream"):
        raise invalid("stream: this stand-in does not stream")
    _check_messages(body["messages"])
    _check_system(body.get("system"))
    _check_cached_blocks(body)
    _check_thinking(body.get("thinking"), body["model"], body.get("max_tokens"))
    _check_output_config(body.get("output_config"), body["model"])


def _check_max_tokens(value: Any, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid("max_tokens: Input should be a valid integer")
    if value < 0:
        raise invalid("max_tokens: Input should be greater than or equal to 0")
    if value > most:
        raise invalid(f"max_tokens: {value} > {most}, which is the maximum allowed number of output tokens")


def _check_thinking(thinking: Any, model: str, max_tokens: Any) -> None:
    if thinking is None:
        return
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in _THINKING or thinking.keys() - _THINKING[kind]:
        raise invalid("thinking: Input should be of type 'adaptive', 'between_tools', 'disabled' or 'enabled'")
    if kind == "adaptive" and not MODELS[model].adaptive:
        raise invalid("adaptive thinking is not supported on this model")
    if kind != "enabled":
        return
    if MODELS[model].adaptive:
        raise invalid('"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive".')
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int) or budget < 1_024:
        raise invalid("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
    if max_tokens is not None and budget >= max_tokens:
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise invalid("messages: at least one message is required")
    for n, message in enumerate(messages):
        if not isinstance(message, dict) or message.keys() - {"role", "content"}:
            raise invalid(f"messages.{n}: Extra inputs are not permitted")
        if message.get("role") not in {"user", "assistant"}:
            raise invalid(f"messages.{n}.role: Input should be 'user' or 'assistant'")
        _check_content(f"messages.{n}.content", message.get("content"))
    if messages[-1]["role"] == "assistant":
        raise invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )


def _check_system(system: Any) -> None:
    if system is not None:
        _check_content("system", system)


def _check_content(place: str, content: Any) -> None:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    if not isinstance(blocks, list) or not blocks:
        raise invalid(f"{place}: Input should be a valid list")
    for n, block in enumerate(blocks):
        if not isinstance(block, dict) or block.get("type") != "text":
            raise invalid(f"{place}.{n}: this stand-in takes text blocks only")
        if block.keys() - {"type", "text", "cache_control", "citations"}:
            raise invalid(f"{place}.{n}.text: Extra inputs are not permitted")
        if not isinstance(block.get("text"), str) or not block["text"].strip():
            raise invalid(f"{place}.{n}: text content blocks must be non-empty")
        _check_cache_control(f"{place}.{n}.cache_control", block.get("cache_control"))


def _check_cache_control(place: str, control: Any) -> None:
    if control is None:
        return
    if not isinstance(control, dict) or control.get("type") != "ephemeral" or control.keys() - {"type", "ttl"}:
        raise invalid(f"{place}: Input should be {{'type': 'ephemeral'}}")
    if control.get("ttl", "5m") not in {"5m", "1h"}:
        raise invalid(f"{place}.ephemeral.ttl: Input should be '5m' or '1h'")


def _check_cached_blocks(body: Mapping[str, Any]) -> None:
    """At most four, and in the order of the prompt no longer lifetime behind a shorter one."""
    controls = _cache_controls(body)
    if len(controls) > 4:
        raise invalid(f"A maximum of 4 blocks with cache_control may be provided. Found {len(controls)}.")
    lifetimes = [control.get("ttl", "5m") for control in controls]
    if lifetimes != sorted(lifetimes):  # "1h" sorts before "5m"
        raise invalid("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block.")


def _cache_controls(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those of all blocks in the order of the prompt; that of the request itself stands for its last block."""
    _check_cache_control("cache_control", body.get("cache_control"))
    contents = [body.get("system"), *(message["content"] for message in body["messages"])]
    blocks = [block for content in contents if isinstance(content, list) for block in content]
    return [place["cache_control"] for place in (*blocks, body) if place.get("cache_control")]


def _check_output_config(config: Any, model: str) -> None:
    if config is None:
        return
    if not isinstance(config, dict) or config.keys() - {"effort", "format"}:
        raise invalid("output_config: Extra inputs are not permitted")
    effort = config.get("effort")
    if effort is not None and effort not in _EFFORTS:
        raise invalid("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
    if effort is not None and not MODELS[model].adaptive:
        raise invalid("This model does not support the effort parameter.")
    form = config.get("format")
    if form is None:
        return
    if not isinstance(form, dict) or form.get("type") != "json_schema" or form.keys() != {"type", "schema"}:
        raise invalid("output_config.format: Input should be {'type': 'json_schema', 'schema': …}")
    check_schema(form["schema"], form["schema"])
    _check_size_of_schema(form["schema"])


def check_schema(schema: Any, root: Mapping[str, Any], place: str = "output_config.format.schema") -> None:
    """Raise Refused where a schema leaves the subset that structured outputs take."""
    if not isinstance(schema, dict):
        raise invalid(f"{place}: schema must be an object")
    for keyword in schema.keys() - _KEYWORDS:
        raise invalid(f"{place}: For '{schema.get('type')}' type, property '{keyword}' is not supported")
    if "$ref" in schema:
        target = str(schema["$ref"]).removeprefix("#/$defs/")
        if target not in root.get("$defs", {}):
            raise invalid(f"{place}: reference {schema['$ref']} cannot be resolved")
        if _reaches(target, target, root):
            raise invalid(f"{place}: Circular references are not supported: {schema['$ref']}")
    elif not schema.keys() & {"type", "enum", "const", "anyOf", "allOf"}:
        raise invalid(f"{place}: Schema type is required")
    _check_type(schema, place)
    for name, part in _parts(schema):
        check_schema(part, root, f"{place}.{name}")


def _check_type(schema: Mapping[str, Any], place: str) -> None:
    kind = schema.get("type")
    if kind is not None and kind not in _TYPES:
        raise invalid(f"{place}: type {kind!r} is not supported")
    if kind == "object" and schema.get("additionalProperties") is not False:
        raise invalid(f"{place}: For 'object' type, 'additionalProperties' must be explicitly set to false")
    if any(isinstance(value, dict | list) for value in schema.get("enum", ())):
        raise invalid(f"{place}: 'enum' values must be strings, numbers, booleans or null")
    if schema.get("minItems", 0) not in {0, 1}:
        raise invalid(f"{place}: For 'array' type, 'minItems' values other than 0 or 1 are not supported")
    if schema.get("format", "uuid") not in _FORMATS:
        raise invalid(f"{place}: For 'string' type, format {schema['format']!r} is not supported")


def _parts(schema: Mapping[str, Any]) -> list[tuple[str, Any]]:
    parts = [(f"properties.{name}", part) for name, part in schema.get("properties", {}).items()]
    parts += [(f"$defs.{name}", part) for name, part in schema.get("$defs", {}).items()]
    if "items" in schema:
        parts.append(("items", schema["items"]))
    return parts + [(f"{key}.{n}", part) for key in ("anyOf", "allOf") for n, part in enumerate(schema.get(key, []))]


def _reaches(name: str, wanted: str, root: Mapping[str, Any], seen: frozenset[str] = frozenset()) -> bool:
    """Whether a definition refers, directly or not, to another."""
    written = json.dumps(root["$defs"].get(name, {}))
    targets = set(_REFERENCE.findall(written))
    return wanted in targets or any(_reaches(target, wanted, root, seen | {name}) for target in targets - seen - {name})


def _check_size_of_schema(schema: Mapping[str, Any]) -> None:
    """The documented limits of what is compiled to a grammar."""
    optional = unions = 0
    for part in _all_parts(schema):
        optional += len(part.get("properties", {}).keys() - set(part.get("required", ())))
        unions += "anyOf" in part
    if optional > _MOST_OPTIONAL:
        raise invalid(f"Schemas contains too many optional parameters ({optional}); limit: {_MOST_OPTIONAL}")
    if unions > _MOST_UNIONS:
        raise invalid(f"Schemas contains too many parameters with union types ({unions}); limit: {_MOST_UNIONS}")


def _all_parts(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [schema, *(inner for _, part in _parts(schema) for inner in _all_parts(part))]
