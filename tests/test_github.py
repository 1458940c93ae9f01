"""GitHub's commit API over the wire: paging, credentials, and each way it can fail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from core.errors import Permanent, Transient
from core.models import Diff, FileChange
from core.settings import Settings
from tests.fakes.github import FakeGitHub
from tests.fakes.github_answers import Trouble
from tests.fakes.githubrepo import file_json
from workers.github import EMPTY_BLOB, GitHub

NAME = "octocat/Hello-World"
SHA = "7fd1a60b01f91b314f59955a4e4d4e80d8edf11d"
PATCH = "@@ -1 +1 @@\n-old\n+new"


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        github.add_repository(NAME)
        github.add_commit(NAME, SHA, [file_json("README", patch=PATCH)], parents=("a" * 40,))
        yield github


@pytest.fixture
def client(fake: FakeGitHub) -> GitHub:
    return GitHub(api_url=fake.url, timeout=10)


EXPECTED = Diff(
    sha=SHA,
    parents=("a" * 40,),
    files=(FileChange(path="README", status="modified", additions=1, deletions=1, patch=PATCH),),
    additions=1,
    deletions=1,
)


def test_one_request_for_a_commit(fake: FakeGitHub, client: GitHub) -> None:
    assert client.diff(NAME, SHA) == EXPECTED
    assert fake.paths() == [f"/repos/{NAME}/commits/{SHA}"]
    assert "authorization" not in fake.requests[0].headers


def test_a_base_address_with_a_path_and_slash(fake: FakeGitHub) -> None:
    assert GitHub(api_url=fake.url + "/").diff(NAME, SHA) == EXPECTED


@pytest.mark.parametrize(
    ("count", "listed", "requests", "truncated"),
    [(300, 300, 1, False), (301, 301, 2, False), (3000, 3000, 10, False), (3001, 3000, 10, True)],
)
def test_pages_are_followed_to_the_end(
    fake: FakeGitHub, client: GitHub, count: int, listed: int, requests: int, truncated: bool
) -> None:
    fake.add_commit(NAME, "b" * 40, [file_json(f"f{number}", patch="@@ -0,0 +1 @@\n+x") for number in range(count)])
    diff = client.diff(NAME, "b" * 40)
    assert [file.path for file in diff.files] == [f"f{number}" for number in range(listed)]
    assert (diff.additions, diff.truncated, len(fake.requests)) == (count, truncated, requests)


def test_why_a_file_has_no_patch(fake: FakeGitHub, client: GitHub) -> None:
    files = [
        file_json("large", additions=90_000, deletions=1),
        file_json("binary", "added"),
        file_json("binary changed"),
        file_json("empty", "added", blob=EMPTY_BLOB),
        file_json("empty gone", "removed", blob=EMPTY_BLOB),
        file_json("moved", "renamed", previous="old"),
        file_json("mode", "changed"),
        file_json("half a pair \ud83d", patch="@@ -0,0 +1 @@\n+\udc00"),
        file_json("news", "a word of next year", patch=PATCH),
    ]
    fake.add_commit(NAME, "b" * 40, files)
    assert client.diff(NAME, "b" * 40).files == (
        FileChange(path="large", status="modified", additions=90_000, deletions=1, missing="too_large"),
        FileChange(path="binary", status="added", missing="binary"),
        FileChange(path="binary changed", status="modified", missing="binary"),
        FileChange(path="empty", status="added"),
        FileChange(path="empty gone", status="removed"),
        FileChange(path="moved", previous_path="old", status="renamed"),
        FileChange(path="mode", status="changed"),
        FileChange(path="half a pair ?", status="modified", additions=1, patch="@@ -0,0 +1 @@\n+?"),
        FileChange(path="news", status="modified", additions=1, deletions=1, patch=PATCH),
    )


@pytest.mark.parametrize(
    ("kind", "seconds", "expected"),
    [
        ("primary", 900, (899, 901)),
        ("primary_429", 900, (899, 901)),
        ("primary", 900_000, (3600, 3600)),
        ("primary", -5, (1, 1)),
        ("secondary", 45, (45, 45)),
        ("secondary_silent", 0, (60, 60)),
    ],
)
def test_a_limit_is_everybodys_and_nobody_sleeps(
    fake: FakeGitHub, client: GitHub, kind: Trouble, seconds: float, expected: tuple[float, float]
) -> None:
    fake.misbehave(kind, seconds=seconds, times=9)
    before = time.monotonic()
    with pytest.raises(Transient, match=r"^GitHub's request limit is reached: ") as caught:
        client.diff(NAME, SHA)
    assert time.monotonic() - before < 20
    assert caught.value.shared
    assert caught.value.retry_after is not None
    assert expected[0] <= caught.value.retry_after <= expected[1]
    assert len(fake.requests) == 1


@pytest.mark.parametrize("kind", ["error", "reset"])
def test_one_bad_moment_is_not_noticed(fake: FakeGitHub, client: GitHub, kind: Trouble) -> None:
    fake.misbehave(kind)
    assert client.diff(NAME, SHA) == EXPECTED
    assert len(fake.requests) == 2


@pytest.mark.parametrize("status", [500, 503])
def test_a_long_outage_is_transient(fake: FakeGitHub, client: GitHub, status: int) -> None:
    fake.misbehave("error", times=99, status=status)
    before = time.monotonic()
    with pytest.raises(Transient, match=rf"^{NAME}@{SHA[:12]}: GitHub answered {status} \(Server Error\)$") as caught:
        client.diff(NAME, SHA)
    assert (caught.value.shared, caught.value.retry_after) == (False, None)
    assert len(fake.requests) == 3
    assert time.monotonic() - before < 20


@pytest.mark.parametrize("kind", [pytest.param("slow", marks=pytest.mark.slow), "reset", "truncated"])
def test_a_broken_connection_is_transient(fake: FakeGitHub, kind: Trouble) -> None:
    fake.misbehave(kind, times=99, seconds=2)
    before = time.monotonic()
    with pytest.raises(Transient, match="GitHub could not be reached"):
        GitHub(api_url=fake.url, timeout=1).diff(NAME, SHA)
    assert time.monotonic() - before < 20


def test_nobody_listening_is_transient(fake: FakeGitHub) -> None:
    address = fake.url
    fake.__exit__(None, None, None)
    with pytest.raises(Transient, match="GitHub could not be reached"):
        GitHub(api_url=address).diff(NAME, SHA)


def test_a_diff_that_github_cannot_make_now_is_transient(fake: FakeGitHub, client: GitHub) -> None:
    fake.misbehave("diff_unavailable")
    with pytest.raises(Transient, match="temporarily unavailable"):
        client.diff(NAME, SHA)


@pytest.mark.parametrize(
    ("status", "words"),
    [(200, "GitHub's answer has an unexpected form"), (502, "GitHub answered 502")],
)
@pytest.mark.parametrize("after", [0, 1])
def test_either_page_may_be_something_else(
    fake: FakeGitHub, client: GitHub, status: int, words: str, after: int
) -> None:
    fake.add_commit(NAME, "b" * 40, [file_json(f"f{number}", patch=PATCH) for number in range(301)])
    fake.misbehave("error", after=after, times=9, status=status)
    with pytest.raises(Transient, match=words):
        client.diff(NAME, "b" * 40)


def test_an_empty_page_does_not_pass_for_the_end(fake: FakeGitHub, client: GitHub) -> None:
    fake.add_commit(NAME, "b" * 40, [file_json(f"f{number}", patch=PATCH) for number in range(301)])
    fake.misbehave("empty", after=1)
    diff = client.diff(NAME, "b" * 40)
    assert (len(diff.files), diff.additions, diff.truncated) == (300, 301, True)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (409, r"GitHub answered 409 \(Server Error\)"),
        (410, r"GitHub answered 410 \(Server Error\)"),
        (451, r"GitHub answered 451 \(Server Error\)"),
        (403, r"GitHub forbids it \(Server Error\): give the token or App read access to this repository's contents"),
    ],
)
def test_refusals_are_permanent(fake: FakeGitHub, client: GitHub, status: int, words: str) -> None:
    fake.misbehave("error", status=status)
    with pytest.raises(Permanent, match=rf"^{NAME}@{SHA[:12]}: {words}$"):
        client.diff(NAME, SHA)


def test_an_unknown_commit_is_permanent(client: GitHub) -> None:
    with pytest.raises(Permanent, match=rf"GitHub answered 422 \(No commit found for SHA: {'c' * 40}\)$"):
        client.diff(NAME, "c" * 40)


def test_an_unknown_repository_is_permanent(client: GitHub) -> None:
    with pytest.raises(Permanent, match="GitHub has no such commit, or the token or App may not read this repository"):
        client.diff("octocat/nothing", SHA)


def test_a_token_opens_a_private_repository(fake: FakeGitHub) -> None:
    fake.add_repository("octocat/private", private=True)
    fake.add_commit("octocat/private", SHA, [file_json("README", patch=PATCH)], parents=("a" * 40,))
    fake.tokens = {"good"}
    settings = Settings(github_token=SecretStr("good"), github_api_url=fake.url)
    assert GitHub.from_settings(settings).diff("octocat/private", SHA) == EXPECTED
    refused = r"GitHub refuses the credentials \(Bad credentials\): check GITHUB_TOKEN"
    with pytest.raises(Transient, match=refused) as caught:
        GitHub(token=SecretStr("bad"), api_url=fake.url).diff("octocat/private", SHA)
    assert (caught.value.shared, caught.value.retry_after) == (True, 60)  # a person mends it, and no commit is given up
    with pytest.raises(Permanent, match="may not read this repository"):
        GitHub(api_url=fake.url).diff("octocat/private", SHA)


def test_an_address_that_is_none(fake: FakeGitHub) -> None:
    with pytest.raises(Permanent, match="check GITHUB_API_URL"):
        GitHub(api_url=fake.url.replace("http", "gopher")).diff(NAME, SHA)


def test_threads_share_one_client(fake: FakeGitHub, client: GitHub) -> None:
    for number in range(64):
        fake.add_commit(NAME, f"{number:040x}", [file_json(f"f{number}", patch=PATCH)])
    with ThreadPoolExecutor(32) as pool:
        diffs = list(pool.map(lambda number: client.diff(NAME, f"{number:040x}"), range(64)))
    assert [diff.files[0].path for diff in diffs] == [f"f{number}" for number in range(64)]
    assert len(fake.requests) == 64


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def private_key(fake: FakeGitHub, key: rsa.RSAPrivateKey) -> str:
    """The App's key; the App is installed by octocat as number 7, and the repository is private."""
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    fake.add_app("42", public.decode(), {"octocat": 7})
    fake.repositories[NAME.lower()].private = True
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def app(fake: FakeGitHub, private_key: str) -> GitHub:
    return GitHub(app_id="42", private_key=SecretStr(private_key), api_url=fake.url, timeout=1)


def test_an_app_fetches_one_installation_token_for_all_threads(fake: FakeGitHub, private_key: str) -> None:
    client = app(fake, private_key.replace("\n", "\\n"))
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: client.diff(NAME, SHA), range(8))) == [EXPECTED] * 8
    assert fake.paths()[:2] == [f"/repos/{NAME}/installation", "/app/installations/7/access_tokens"]
    assert fake.paths()[2:] == [f"/repos/{NAME}/commits/{SHA}"] * 8


def test_an_apps_token_is_renewed_before_it_ends(fake: FakeGitHub, private_key: str) -> None:
    fake.token_lifetime = timedelta(seconds=10)  # less than what PyGithub takes for "about to expire"
    client = app(fake, private_key)
    assert client.diff(NAME, SHA) == client.diff(NAME, SHA) == EXPECTED
    assert fake.paths().count("/app/installations/7/access_tokens") >= 2
    assert fake.paths().count(f"/repos/{NAME}/installation") == 1


def test_an_app_that_was_installed_anew_is_found_again(fake: FakeGitHub, private_key: str) -> None:
    fake.token_lifetime = timedelta(seconds=10)
    client = app(fake, private_key)
    client.diff(NAME, SHA)
    fake._apps["42"].owners["octocat"] = 8
    with pytest.raises(Permanent):
        client.diff(NAME, SHA)
    assert client.diff(NAME, SHA) == EXPECTED


def test_an_app_that_is_not_installed(fake: FakeGitHub, private_key: str) -> None:
    fake.add_repository("github/docs")
    with pytest.raises(Permanent, match="the token or App may not read this repository"):
        app(fake, private_key).diff("github/docs", SHA)


def test_an_app_with_another_key(fake: FakeGitHub, private_key: str) -> None:
    fake._apps.clear()
    with pytest.raises(Transient, match=r"could not be decoded\): check GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY"):
        app(fake, private_key).diff(NAME, SHA)


def test_a_key_that_is_none(fake: FakeGitHub) -> None:
    with pytest.raises(Permanent, match=r"^GITHUB_APP_PRIVATE_KEY is not a private key: set it to the \.pem"):
        app(fake, "not a key").diff(NAME, SHA)


def test_an_app_meets_limits_too(fake: FakeGitHub, private_key: str) -> None:
    fake.misbehave("secondary", seconds=30)
    with pytest.raises(Transient) as caught:
        app(fake, private_key).diff(NAME, SHA)
    assert (caught.value.shared, caught.value.retry_after) == (True, 30)
