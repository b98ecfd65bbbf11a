"""ExecCredential as clients write and read it."""

import json
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msauth.protocols import exec_credential
from msauth.protocols.exec_credential import V1, V1BETA1

B64TOKEN = st.text("ABCabc019-._~+/=", min_size=1)


def info(version: object = V1, spec: object = None, **more: object) -> str:
    return json.dumps({"kind": "ExecCredential", "apiVersion": version, "spec": spec, **more})


@pytest.mark.parametrize("version", [V1, V1BETA1])
@pytest.mark.parametrize("interactive", [True, False])
def test_what_kubectl_writes_is_read_without_json(
    version: str, interactive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    compact = json.dumps(
        {"kind": "ExecCredential", "apiVersion": version, "spec": {"interactive": interactive}},
        separators=(",", ":"),
    )
    monkeypatch.setattr(exec_credential, "_read_any", None)  # fails the test if it is called
    read = exec_credential.read(compact + "\n")
    assert (read.api_version, read.interactive, read.config) == (version, interactive, {})


@pytest.mark.parametrize(
    ("text", "interactive", "config"),
    [
        (info(spec={"interactive": True}), True, {}),
        (info(spec={"interactive": "true"}), False, {}),
        (info(spec=None), False, {}),
        (info(spec={"cluster": {"server": "https://x"}, "interactive": False}), False, {}),
        (info(spec={"cluster": {"config": ["another plugin's"]}}), False, {}),
        (
            info(
                spec={
                    "cluster": {
                        "config": {
                            "tenant": "contoso.com",
                            "serverId": "6dae",
                            "credential": "azure-cli",
                            "client-id": "c",
                            "ENVIRONMENT": "AzureChinaCloud",
                            "audience": "another plugin's",
                        }
                    }
                }
            ),
            False,
            {
                "tenant": "contoso.com",
                "serverId": "6dae",
                "credential": "azure-cli",
                "clientId": "c",
                "environment": "AzureChinaCloud",
            },
        ),
    ],
)
def test_read(text: str, interactive: bool, config: dict[str, str]) -> None:
    read = exec_credential.read(text)
    assert (read.interactive, read.config) == (interactive, config)


@pytest.mark.parametrize(
    ("text", "version", "interactive"),
    [
        ("{}", V1BETA1, False),
        ('{"kind":"ExecCredential"}', V1BETA1, False),
        ('{"kind":"","apiVersion":"","spec":{"interactive":true}}', V1BETA1, True),
        (f'{{"apiVersion":"{V1}"}}', V1, False),
        (info(None), V1BETA1, False),
    ],
)
def test_without_kind_or_version_it_is_what_kubelogin_takes_it_for(
    text: str, version: str, interactive: bool
) -> None:
    read = exec_credential.read(text)
    assert (read.api_version, read.interactive) == (version, interactive)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not an ExecCredential"),
        ('{"kind":"Secret","apiVersion":"v1"}', "not an ExecCredential"),
        (info("client.authentication.k8s.io/v1alpha1"), "unknown apiVersion"),
        (info(["v1"]), "unknown apiVersion"),
        (info(spec=[1]), "no object"),
        (info(spec={"cluster": {"config": {"tenant": 1}}}), "no text"),
    ],
)
def test_what_is_not_one_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        exec_credential.read(text)


@given(st.text() | st.dictionaries(st.text(), st.text() | st.none()).map(json.dumps))
def test_no_text_is_a_crash(text: str) -> None:
    try:
        read = exec_credential.read(text)
    except ValueError as error:
        message = str(error.args[0])
    else:
        assert read.api_version in (V1, V1BETA1)
        return
    assert message.startswith("KUBERNETES_EXEC_INFO")


@pytest.mark.parametrize("key", exec_credential.CONFIG_KEYS)
def test_a_key_is_known_in_every_spelling(key: str) -> None:
    kebab = "".join(f"-{c.lower()}" if c.isupper() else c for c in key)
    for spelling in (key, key.upper(), kebab, kebab.replace("-", "_")):
        assert exec_credential.config_key(spelling) == key
    assert exec_credential.config_key(key + "s") == ""


@given(B64TOKEN, st.integers(0, 4102444800), st.sampled_from([V1, V1BETA1]))
def test_an_answer_is_one_line_of_json(token: str, expires_on: int, version: str) -> None:
    text = exec_credential.write(version, token, expires_on)
    assert text.endswith("}\n")
    assert text.count("\n") == 1
    value = json.loads(text)
    assert value["kind"] == "ExecCredential"
    assert value["apiVersion"] == version
    assert value["status"]["token"] == token
    stamp = value["status"]["expirationTimestamp"]
    assert stamp == datetime.fromtimestamp(expires_on, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
