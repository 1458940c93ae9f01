"""What the Messages API refuses: the checks of the fake Anthropic, with the real one's status, type and wording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MODELS = {
    "claude-haiku-5-5": True,
    "claude-sonnet-5-5": True,
    "claude-opus-5-5": True,
    "claude-sonnet-4-5": False,
    "claude-haiku-4-5": False,
}
"""Known models, and whether they take `output_config.effort`."""

MAX_OUTPUT_TOKENS = 128_000
MAX_BODY_BYTES = 32 * 1024 * 1024

_PARAMETERS = {
    *("model", "max_tokens", "messages", "system", "output_config", "metadata", "stop_sequences", "thinking"),
    *("tools", "tool_choice", "service_tier", "cache_control", "container", "inference_geo", "stream", "speed"),
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
_EFFORTS = {"low", "medium", "high", "xhigh", "max"}
_KEYWORDS = {
    *("type", "enum", "const", "anyOf", "allOf", "$ref", "$defs", "definitions", "default", "required", "properties"),
    *("additionalProperties", "items", "minItems", "description", "title", "format", "pattern"),
}
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
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
        _check_max_tokens(body["max_tokens"])
    if body.get("stream"):
        raise invalid("stream: this stand-in does not stream")
    _check_messages(body["messages"])
    _check_system(body.get("system"))
    if _cache_blocks(body) > 4:
        raise invalid(f"A maximum of 4 blocks with cache_control may be provided. Found {_cache_blocks(body)}.")
    _check_output_config(body.get("output_config"), body["model"])


def _check_max_tokens(value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise invalid("max_tokens: Input should be a valid integer")
    if value < 1:
        raise invalid("max_tokens: Input should be greater than or equal to 1")
    if value > MAX_OUTPUT_TOKENS:
        raise invalid(
            f"max_tokens: {value} > {MAX_OUTPUT_TOKENS}, which is the maximum allowed number of output tokens"
        )


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


def _cache_blocks(value: Any) -> int:
    if isinstance(value, dict):
        return int(value.get("cache_control") is not None) + sum(map(_cache_blocks, value.values()))
    return sum(map(_cache_blocks, value)) if isinstance(value, list) else 0


def _check_output_config(config: Any, model: str) -> None:
    if config is None:
        return
    if not isinstance(config, dict) or config.keys() - {"effort", "format"}:
        raise invalid("output_config: Extra inputs are not permitted")
    effort = config.get("effort")
    if effort is not None and effort not in _EFFORTS:
        raise invalid("output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'")
    if effort is not None and not MODELS[model]:
        raise invalid("This model does not support the effort parameter.")
    form = config.get("format")
    if form is None:
        return
    if not isinstance(form, dict) or form.get("type") != "json_schema" or form.keys() != {"type", "schema"}:
        raise invalid("output_config.format: Input should be {'type': 'json_schema', 'schema': …}")
    check_schema(form["schema"], form["schema"])


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
