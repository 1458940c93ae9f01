"""Messages made by the dozen are what Celery itself would send, each with its own identity."""

from __future__ import annotations

import json

from workers.app import message, messages, wake

ID = "octocat/hello-world@" + "0" * 40


def test_a_message_carries_the_id_and_nothing_else() -> None:
    sent = json.loads(message("fetch", ID))
    assert json.loads(sent["body"])[:2] == [[ID], {}]
    assert sent["content-type"] == "application/json"
    assert sent["headers"]["task"] == "daybook.fetch"
    assert sent["headers"]["argsrepr"] == f"['{ID}']"
    assert sent["properties"]["delivery_info"] == {"exchange": "", "routing_key": "fetch"}
    left_to_fill = [
        value for value in json.dumps(sent).replace(ID, "").split('"') if "@argument@" in value or "@task" in value
    ]
    assert left_to_fill == []


def test_every_message_has_its_own_ids() -> None:
    sent = [json.loads(raw) for raw in [*messages("fetch", [ID] * 20), *(wake("sweep") for _ in range(20))]]
    assert len({raw["headers"]["id"] for raw in sent}) == 40
    assert len({raw["properties"]["delivery_tag"] for raw in sent}) == 40
    assert all(raw["headers"]["id"] == raw["properties"]["correlation_id"] for raw in sent)


def test_a_task_without_arguments_is_routed_to_its_queue() -> None:
    sent = json.loads(wake("suspect"))
    assert json.loads(sent["body"])[0] == []
    assert sent["properties"]["delivery_info"]["routing_key"] == "suspect"
