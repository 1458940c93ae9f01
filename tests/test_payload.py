"""A delivery's bytes become a Push, are ignored with a reason, or are refused with the field's name."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import Commit, Push
from core.settings import RepositorySettings, Settings
from webhook.payload import BadPayload, Ignored, Received, json_body, read_push, zen_of

NOW = datetime(2026, 2, 17, 12, 0, tzinfo=UTC)
PAYLOADS = Path(__file__).parent / "payloads"
NEW_BRANCH = (PAYLOADS / "push__new_branch_one_commit.json").read_bytes()
SHA = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"


def read(body: bytes, *tables: RepositorySettings) -> Received | Ignored:
    return read_push(body, "a-delivery", Settings(daybook_repositories=tables), NOW)


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(NEW_BRANCH) | fields).encode()


def push_of(body: bytes, *tables: RepositorySettings) -> Push:
    received = read(body, *tables)
    assert isinstance(received, Received)
    return received.push


def commits(*changes: dict[str, Any]) -> list[dict[str, Any]]:
    first = json.loads(NEW_BRANCH)["commits"][0]
    return [first | change for change in changes]


def test_githubs_example_becomes_the_push_it_tells_of() -> None:
    landed = datetime(2019, 5, 15, 15, 20, 57, tzinfo=UTC)
    assert read(NEW_BRANCH) == Received(
        Push(
            repository="Codertocat/Hello-World",
            branch="master",
            before="0" * 40,
            after=SHA,
            pushed_at=landed,
            delivery="a-delivery",
            commits=(
                Commit(
                    repository="Codertocat/Hello-World",
                    sha=SHA,
                    message="Initial commit",
                    author=json.loads(NEW_BRANCH)["commits"][0]["author"]["name"],
                    login="Codertocat",
                    committed_at=datetime.fromisoformat(json.loads(NEW_BRANCH)["commits"][0]["timestamp"]),
                    landed_at=landed,
                    position=0,
                    branch="master",
                ),
            ),
        ),
        (),
    )


@pytest.mark.parametrize(
    ("body", "tables", "why"),
    [
        ((PAYLOADS / "push__tag_deleted.json").read_bytes(), (), "a tag, not a branch"),
        (changed(ref="refs/heads/topic"), (), "branch topic is not followed"),
        (changed(deleted=True, after="0" * 40, head_commit=None, commits=[]), (), "the branch was deleted"),
        (changed(ref="refs/notes/commits"), (), "not a branch"),
        (NEW_BRANCH, (RepositorySettings(name="octocat/other"),), "Codertocat/Hello-World is not followed"),
    ],
)
def test_what_is_not_for_us_is_ignored_with_the_reason(
    body: bytes, tables: tuple[RepositorySettings, ...], why: str
) -> None:
    assert read(body, *tables) == Ignored(why)


def test_branches_may_be_patterns_and_names_are_matched_as_github_does() -> None:
    table = RepositorySettings(name="codertocat/hello-world", branches=("main", "release/*"))
    assert push_of(changed(ref="refs/heads/release/1.2"), table).branch == "release/1.2"
    assert read(NEW_BRANCH, table) == Ignored("branch master is not followed")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ref": 7}, "ref: "),
        ({"ref": "master"}, "ref: "),
        ({"ref": "refs/heads/a b"}, "ref: "),
        ({"ref": None}, "ref: "),
        ({"after": "6113728"}, "after: "),
        ({"before": "Z" * 40}, "before: "),
        ({"after": SHA.upper()}, "after: "),
        ({"repository": None}, "repository: "),
        ({"repository": {"full_name": "../../etc"}}, "repository.full_name: "),
        ({"repository": {"full_name": "a/.."}}, "repository.full_name: "),
        ({"repository": {}}, "repository.full_name: "),
        ({"commits": None}, "commits: "),
        ({"commits": {}}, "commits: "),
        ({"commits": [None]}, "commits.0."),
        ({"commits": [{"id": "no"}]}, "commits.0.id: "),
    ],
)
def test_what_is_not_a_sha_a_ref_or_a_repository_is_refused_by_name(change: dict[str, Any], field: str) -> None:
    with pytest.raises(BadPayload) as refused:
        read(changed(**change))
    assert str(refused.value).startswith(field)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"7", b'"push"', b"\xff\xfe", b'{"ref": "\\ud800"}', b"[" * 100_000, b'{"a":' * 5000,
        b'{"ref": ' + b"1" * 5000 + b"}", NEW_BRANCH[:-20], b"\x00" * 100,
    ],
)  # fmt: skip
def test_unreadable_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadPayload):
        read(body)


def test_one_bad_commit_does_not_cost_the_others() -> None:
    received = read(
        changed(commits=commits({}, {"id": "nonsense"}, {"id": "b" * 40, "timestamp": "yesterday"}, {"id": "c" * 40}))
    )
    assert isinstance(received, Received)
    assert [(commit.sha, commit.position) for commit in received.push.commits] == [(SHA, 0), ("c" * 40, 3)]
    assert [fault.split(": ")[0] for fault in received.rejected] == ["commits.1.id", "commits.2.timestamp"]


def test_over_long_text_is_cut_and_marked() -> None:
    (commit,) = push_of(changed(commits=commits({"message": "x" * 100_000, "author": {"name": "y" * 1000}}))).commits
    assert len(commit.message) == 65_536
    assert commit.message.endswith("x … [cut]")
    assert len(commit.author) == 200


def test_ignored_authors_are_left_out() -> None:
    table = RepositorySettings(name="Codertocat/Hello-World", ignore_authors=("*[bot]",))
    both = commits({}, {"id": "b" * 40, "author": {"name": "renovate[bot]"}})
    assert [commit.sha for commit in push_of(changed(commits=both), table).commits] == [SHA]


def test_secrets_in_a_message_stay_out() -> None:
    (commit,) = push_of(changed(commits=commits({"message": "Use ghp_" + "a1B2" * 9}))).commits
    assert "a1B2" not in commit.message
    assert commit.message.startswith("Use [redacted: ")


def test_a_push_from_the_future_landed_now() -> None:
    repository = json.loads(NEW_BRANCH)["repository"] | {"pushed_at": 4_000_000_000}
    assert push_of(changed(repository=repository)).pushed_at == NOW
    repository["pushed_at"] = "2026-02-17T10:00:00Z"
    assert push_of(changed(repository=repository)).pushed_at == datetime(2026, 2, 17, 10, 0, tzinfo=UTC)


def test_the_form_carries_the_same_json() -> None:
    form = b"other=1&payload=" + quote_plus(NEW_BRANCH.decode()).encode()
    assert json_body(form, "application/x-www-form-urlencoded") == NEW_BRANCH
    assert json_body(NEW_BRANCH, "application/json") == NEW_BRANCH
    assert json_body(NEW_BRANCH, "text/plain") is None
    with pytest.raises(BadPayload, match="payload: the form has no such field"):
        json_body(b"other=1", "application/x-www-form-urlencoded")


def test_a_pings_zen_is_read() -> None:
    assert zen_of((PAYLOADS / "ping.json").read_bytes()) == json.loads((PAYLOADS / "ping.json").read_bytes())["zen"]
    with pytest.raises(BadPayload):
        zen_of(b"[]")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


def outcome(body: bytes) -> str:
    try:
        return f"read {read(body)}"
    except BadPayload as refused:
        return str(refused)


@given(st.sampled_from(["ref", "before", "after", "forced", "deleted", "repository", "commits"]), json_values)
def test_any_value_in_any_field_is_read_ignored_or_refused(field: str, value: object) -> None:
    assert outcome(changed(**{field: value})).startswith(("read", field))


@given(st.sampled_from(["id", "message", "timestamp", "author", "distinct"]), json_values)
def test_any_value_in_any_field_of_a_commit_too(field: str, value: object) -> None:
    assert outcome(changed(commits=commits({field: value}))).startswith(("read", f"commits.0.{field}"))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_read(body: bytes) -> None:
    with pytest.raises(BadPayload):
        read(body)
