"""Secrets of each kind are replaced, and code that only looks like one is left as it is.

The secrets here are made up and put together at run time, so that no scanner takes this file for a leak.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.models import Diff, FileChange
from workers.redact import redact, redact_diff

BASE62 = "q8Zr4Kd0Vw7Lx2Nb9Ty5Hg1Jm6Pc3Rf8Ss4Ua0Ed7Qk2Wv9Xz5Bi1Co6Gl3Mn8Fp4Ty"
HEX = "9f3c1a7be0d24856af19c3d70b8e6254"
PEM = [
    "-----BEGIN RSA PRIVATE" + " KEY-----",
    "MIIEpAIBAAKCAQEAx" + BASE62[:47],
    BASE62[:64],
    "Zm9v+/8=",
    "-----END RSA PRIVATE KEY-----",
]

SECRETS = [
    ("AWS access key", "AK" + "IA" + "Q3Z7M5XK2PLW8RTD", "key: {} # prod"),
    ("AWS access key", "AS" + "IA" + "Q3Z7M5XK2PLW8RTD", '"{}"'),
    ("AWS secret key", BASE62[:38] + "/+", 'aws_secret_access_key = "{}"'),
    ("AWS secret key", BASE62[:38] + "/+", "AWS_SECRET_ACCESS_KEY={}"),
    ("GitHub token", "gh" + "p_" + BASE62[:36], 'token = "{}"  # mine'),
    ("GitHub token", "gh" + "o_" + BASE62[:36], "{}"),
    ("GitHub token", "gh" + "s_" + BASE62[:36], "curl -H 'Authorization: token {}' x"),
    ("GitHub token", "gh" + "u_" + BASE62[:36], "nx{}"),
    ("GitHub token", "github" + "_pat_" + BASE62[:22] + "_" + BASE62[:59], "({})"),
    ("Anthropic key", "sk" + "-ant-api03-" + BASE62 + "-AA", "ANTHROPIC_API_KEY={}"),
    ("OpenAI key", "sk" + "-" + BASE62[:48], "OPENAI_API_KEY='{}'"),
    ("OpenAI key", "sk" + "-proj-" + BASE62[:40] + "_" + BASE62[:8], "openai.api_key = '{}'"),
    ("Slack token", "xox" + "b-123456789012-1234567890123-" + BASE62[:24], "bot({})"),
    ("Slack token", "xa" + "pp-1-A0123456789-" + BASE62[:40], "{}"),
    ("Slack webhook", "https" + "://hooks.slack.com/services/T0AB12CD3/B0EF45GH6/" + BASE62[:24], "url: {}"),
    ("Google API key", "AI" + "za" + BASE62[:35], "key={}&q=1"),
    ("JWT", "ey" + "J" + BASE62[:20] + ".ey" + "J" + BASE62[:40] + "." + BASE62[:43], "x = {}"),
    ("npm token", "np" + "m_" + BASE62[:36], "//registry.example.test/:_authToken={}"),
    ("PyPI token", "py" + "pi-AgEIcHlwaS5vcmc" + BASE62, "password = {}"),
    ("Stripe key", "sk" + "_live_" + BASE62[:24], "'{}'"),
    ("Stripe key", "rk" + "_test_" + BASE62[:24], "'{}'"),
    ("Stripe key", "wh" + "sec_" + BASE62[:32], "'{}'"),
    ("Hugging Face token", "h" + "f_" + BASE62[:34], 'HF_TOKEN="{}"'),
    ("password", "Tr0ub4dor&3-x", 'password = "{}"'),
    ("password", "s3cr!tPassw0rt", "DB_PASSWORD={}"),
    ("password", "p%40ssw0rd9", "redis://admin:{}@db.internal:6379/0"),
    ("password", "hunter22", "postgresql+psycopg://u:{}@db/x"),
    ("password", "k1tten-Mittens", '{{"password": "{}"}}'),
    ("secret", BASE62[:32], 'client_secret: "{}"'),
    ("secret", HEX, 'API_KEY = "{}"'),
    ("secret", BASE62[:24], "auth_token: str = '{}'"),
    ("secret", BASE62[:40], '"api-key":"{}",'),
    ("secret", BASE62[:32], "https://x.invalid/a?access_token={}&b=1"),
    ("secret", BASE62[:32], 'secret := "{}"'),
    ("token", BASE62[:40], "Authorization: Bearer {}"),
]

CODE = [
    "token = tokenizer.encode(x)",
    "next_token = sampled_token_ids[request_index]",
    'eos_token = "<|im_end|>"',
    'tokenizer.pad_token = "<|finetune_right_pad_id|>"',
    'token = "your-token-here"',
    'api_key = "EMPTY"',
    'api_key="sk-no-key-required"',
    'password = "password"',
    'password = os.environ["DB_PASSWORD"]',
    "HF_TOKEN: ${{ secrets.HF_TOKEN_FOR_CI }}",
    "token: ${GITHUB_TOKEN}",
    "redis://user:password@localhost:6379/0",
    'f"postgres://{user}:{password}@{host}/db"',
    "https://github.com/octocat/Hello-World/commit/7fd1a60b01f91b314f59955a4e4d4e80d8edf11d",
    'sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
    "image: nvcr.io/nvidia/pytorch@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    'token_hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
    "def test_token_is_rotated_when_secret_changes_v2():",
    'secret_name = "daybook-production-credentials"',
    'token="claude-sonnet-5-5"',
    "key = cache_key_for_request_v2_with_long_name",
    "self.access_token = self.config.get_access_token_v2",
    "risk-assessment-of-the-longest-kind-of-hyphenated-text-0123456789",
    "hf_model_config_from_pretrained_checkpoint",
    "-----BEGIN PUBLIC KEY-----",
    "Bearer tokens are checked before the request body is read",
    'raise ValueError("password: must be at least 12 characters, see docs")',
    "max_tokens=4096, secret=None, token=''",
    "@@ -1,7 +1,9 @@ class TokenBucket:",
]


@pytest.mark.parametrize(("kind", "secret", "line"), SECRETS)
def test_a_secret_is_replaced_and_the_rest_of_its_line_kept(kind: str, secret: str, line: str) -> None:
    expected = line.format(f"[redacted: {kind}]")

    assert redact(line.format(secret)) == expected
    assert redact(f"+a\n+{line.format(secret)}\n b") == f"+a\n+{expected}\n b"
    assert redact(expected) == expected


@pytest.mark.parametrize("line", CODE)
def test_code_that_only_looks_like_a_secret_is_left_as_it_is(line: str) -> None:
    assert redact(line) == line
    assert redact(f"+{line}\n-{line}\n") == f"+{line}\n-{line}\n"


@pytest.mark.parametrize("sign", ["", "+", "-", " "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_private_key_is_blotted_out_line_by_line(sign: str, end: str) -> None:
    lines = [" before", *(sign + line for line in PEM), " import os", "+after"]

    mark = f"{sign}[redacted: private key]"
    first = mark if sign else "[redacted: private key]"
    assert redact(end.join(lines)) == end.join([" before", first, *[mark] * 4, " import os", "+after"])


def test_a_private_key_without_its_end_or_on_one_line_is_blotted_out() -> None:
    cut = "\n".join("+" + line for line in PEM[:3])
    assert redact(cut) == "\n".join(["+[redacted: private key]"] * 3)

    one_line = '{"key": "' + "\\n".join(PEM) + '\\n", "id": 7}'
    assert redact(one_line) == '{"key": "[redacted: private key]\\n", "id": 7}'

    joined = "\n".join(f'+    "{line}\\n" +' for line in PEM)
    assert BASE62[:30] not in redact(joined)
    assert redact(joined).count("\n") == joined.count("\n")


def test_a_diff_is_redacted_in_patches_and_paths() -> None:
    secret = "gh" + "p_" + BASE62[:36]
    change = FileChange(path=f"keys/{secret}", status="added", additions=1, patch=f"@@ -0,0 +1 @@\n+{secret}")
    binary = FileChange(path="logo.png", status="modified", missing="binary")
    diff = Diff(sha="a" * 40, parents=(), files=(change, binary), additions=1, deletions=0)

    redacted = redact_diff(diff)

    assert redacted.files[0].path == "keys/[redacted: GitHub token]"
    assert redacted.files[0].patch == "@@ -0,0 +1 @@\n+[redacted: GitHub token]"
    assert redacted.files[1] == binary
    assert secret not in redacted.model_dump_json()


SAFE = st.text(alphabet=st.sampled_from("abcxyz ()[]{}.,#+-\n\té中0"), max_size=400)


@given(SAFE)
def test_text_without_secrets_is_unchanged(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    "line",
    [
        'password_ = "{}"',
        '"password" : "{}"',
        "{{'password': '{}'}}",
        '$config["password"] = "{}"',
        'if password == "{}":',
        'password := "{}"',
        "password => '{}',",
        '{{\\"password\\": \\"{}\\"}}',
        'PASSWORD="{}"',
        'password: String = "{}"',
        'password: str="{}"',
    ],
)
def test_a_password_is_found_however_it_is_assigned(line: str) -> None:
    assert redact(line.format("Tr0ub4dor&3-x")) == line.format("[redacted: password]")


PIECES = ["a", "B7", "=", ":", '"', "://", "@", "-", "+", "_", "\n", "\r\n", " ", "token", "password", "\\n"]
KEY_PIECES = ["-----BEGIN PRIVATE" + " KEY-----", "-----END PRIVATE KEY-----", "gh" + "p_", BASE62[:40]]
ANY = st.lists(st.sampled_from(PIECES + KEY_PIECES) | st.text(max_size=3), max_size=40).map("".join)


@given(ANY)
def test_the_number_of_lines_stays(text: str) -> None:
    assert redact(text).count("\n") == text.count("\n")


@pytest.mark.parametrize("unit", ["=", ":", "://a:", "token=", "_", "sk-", "-----BEGIN PRIVATE" + " KEY-----\n", "'"])
def test_hostile_text_costs_no_more_than_linear_time(unit: str) -> None:
    text = (unit * 1_000_000)[:1_000_000]
    assert len(redact(text)) > 0  # pytest-timeout ends it if a repetition backtracks
