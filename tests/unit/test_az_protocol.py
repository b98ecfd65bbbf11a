"""What the shims of az and azd understand of a command line, and what they print."""

import json

import pytest

from msauth.protocols import az

TENANT = "0f0e0d0c-1111-2222-3333-444455556666"
GRAPH = "https://graph.microsoft.com"
GET = ["account", "get-access-token"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {}),
        (["--resource", GRAPH], {"resource": GRAPH, "scopes": (GRAPH + "/.default",)}),
        (["--resource=https://x/"], {"scopes": ("https://x//.default",)}),
        (["--scope", "a.b/c", "a.b/d", "-o", "tsv"], {"scopes": ("a.b/c", "a.b/d")}),
        (["--scope", "a", "--scope", "b"], {"scopes": ("b",)}),
        (["--scope=a", "-ojson"], {"scopes": ("a",), "output": "json"}),
        (["--tenant", TENANT], {"tenant": TENANT}),
        (["-t", TENANT, "-o=tsv"], {"tenant": TENANT, "output": "tsv"}),
        (["--tenant", "a", "--tenant", "b"], {"tenant": "b"}),
        (["--subscription", "My own"], {"subscription": "My own"}),
        (["--resource-type", "ms-graph"], {"resource_type": "ms-graph"}),
        (["--only-show-errors", "--output=none"], {"output": "none"}),
    ],
)
def test_az_is_understood(words: list[str], expected: dict[str, object]) -> None:
    wanted = az.read_az(GET + words)
    assert wanted is not None
    for name, value in expected.items():
        assert getattr(wanted, name) == value


@pytest.mark.parametrize(
    "words",
    [
        ["--res", GRAPH],  # az understands abbreviations
        ["--resource", "@file"],  # and expands files
        ["--scope", "@file"],
        ["--scope=-x"],
        ["--resource"],
        ["--resource="],
        ["--resource", "--tenant"],
        ["--resource", GRAPH, "--scope", "x"],
        ["--resource", GRAPH, "--resource-type", "arm"],
        ["--tenant", TENANT, "--subscription", "x"],  # az complains
        ["--help"],
        ["-h"],
        ["--debug"],
        ["--verbose"],
        ["extra"],
        ["--", "x"],
        ["--only-show-errors=1"],
        ["--query", "length(accessToken)"],
        ["-q", "accessToken"],  # az has no such option
    ],
)
def test_az_itself_is_to_answer(words: list[str]) -> None:
    assert az.read_az(GET + words) is None


@pytest.mark.parametrize(
    "argv",
    [
        [],
        ["account"],
        ["account", "show"],
        ["--output", "json", *GET],
        ["account", "--output", "json", "get-access-token"],
        ["get-access-token"],
        ["login"],
    ],
)
def test_another_command_is_az_s(argv: list[str]) -> None:
    assert az.read_az(argv) is None


@pytest.mark.parametrize(
    ("argv", "scopes", "tenant"),
    [
        (["--output", "json"], (), ""),
        (["-o", "json", "--scope", "a", "--scope=b"], ("a", "b"), ""),
        (["-ojson", "--no-prompt", "--tenant-id", TENANT], (), TENANT),
        (["--output=json", "--no-prompt=true", f"--tenant-id={TENANT}"], (), TENANT),
    ],
)
def test_azd_is_understood(argv: list[str], scopes: tuple[str, ...], tenant: str) -> None:
    wanted = az.read_azd(["auth", "token", *argv])
    assert wanted is not None
    assert (wanted.scopes, wanted.tenant) == (scopes, tenant)


@pytest.mark.parametrize(
    "argv",
    [
        ["auth", "token"],  # not as JSON
        ["auth", "token", "--output", "none"],
        ["auth", "token", "--output", "json", "--claims", "e30="],
        ["auth", "token", "--output", "json", "--debug"],
        ["auth", "token", "--output", "json", "--scope"],
        ["auth", "token", "--output", "json", "--scope", "--tenant-id"],
        ["auth", "token", "--output", "json", "x"],
        ["auth", "login"],
        ["--output", "json", "auth", "token"],
        [],
    ],
)
def test_azd_itself_is_to_answer(argv: list[str]) -> None:
    assert az.read_azd(argv) is None


VALUES = az.values_of("T", 1_893_456_000, TENANT, "S")
LOCAL = VALUES["expiresOn"]
ONE_LINE = f"T\t{LOCAL}\t1893456000\tS\t{TENANT}\tBearer\n"


@pytest.mark.parametrize(
    ("query", "output", "text"),
    [
        ("", "tsv", ONE_LINE),
        ("", "none", ""),
        ("accessToken", "tsv", "T\n"),
        (" accessToken ", "json", '"T"\n'),
        ("expires_on", "json", "1893456000\n"),
        ("expires_on", "tsv", "1893456000\n"),
        ("subscription", "tsv", "S\n"),
        ("[accessToken,tenant]", "tsv", f"T\n{TENANT}\n"),
        ("[accessToken, expires_on]", "json", '[\n  "T",\n  1893456000\n]\n'),
        ("{t:accessToken, e : expires_on}", "json", '{\n  "e": 1893456000,\n  "t": "T"\n}\n'),
        ("{t:accessToken,e:expires_on}", "tsv", "T\t1893456000\n"),
        ("{z:tokenType,a:tokenType}", "tsv", "Bearer\tBearer\n"),
    ],
)
def test_az_s_output(query: str, output: str, text: str) -> None:
    """As azure-cli 2.91 printed it; test_shims_real_az compares with the real one."""
    words = ["--query", query] if query else []
    wanted = az.read_az([*GET, *words])
    assert wanted is not None
    assert az.can_write(wanted, output)
    assert az.write_az(wanted, output, VALUES) == text


def test_all_of_az_s_json() -> None:
    wanted = az.read_az(GET)
    assert wanted is not None
    text = az.write_az(wanted, "json", VALUES)
    assert text == json.dumps(VALUES, indent=2, sort_keys=True) + "\n"
    assert "subscription" not in az.values_of("T", 1, TENANT, "")


@pytest.mark.parametrize(
    "query",
    [
        "nosuch",
        "accessToken | [0]",
        "accessToken.x",
        "[]",
        "{}",
        "[accessToken",
        "{accessToken}",
        "{1a:accessToken}",
        "{a:accessToken,a:tenant}",
        '{"a b":accessToken}',
        "[accessToken][0]",
        "'accessToken'",
        "`1`",
        "@",
        "keys(@)",
        "{a:[accessToken]}",
    ],
)
def test_a_query_that_is_more_than_fields(query: str) -> None:
    assert az.read_query(query) is None


def test_a_field_that_is_not_there_is_az_s_to_print() -> None:
    wanted = az.read_az([*GET, "--query", "subscription"])
    assert wanted is not None
    assert az.write_az(wanted, "json", az.values_of("T", 1, TENANT, "")) is None


@pytest.mark.parametrize("output", ["yaml", "table", "jsonc", "yamlc", "JSON", ""])
def test_other_outputs_are_az_s(output: str) -> None:
    wanted = az.read_az(GET)
    assert wanted is not None
    assert not az.can_write(wanted, output)


def test_azd_s_output() -> None:
    text = az.write_azd("T", 1_893_456_000)
    assert text == '{\n  "token": "T",\n  "expiresOn": "2030-01-01T00:00:00Z"\n}\n'
