"""What SDKs ask of a managed identity endpoint. msauth has no part in it.

`msauth-run --serve` must answer what is written here. When a newer SDK asks in another way, these
tests say so, and the endpoint is what has to follow.
"""

from dataclasses import dataclass

import pytest

from ..conftest import SCRIPTS, Environment, run_program
from .places import command
from .recorder import LIFE, TENANT, Expiry, Recorder, american, epoch_text, short

ARM = "https://management.azure.com"
SECRET = "pssst"


@dataclass(frozen=True)
class Ask:
    """What one client sends: method, what follows the endpoint's path, query, and headers."""

    client: str
    variables: str
    version: str | None
    headers: frozenset[str]
    method: str = "GET"
    slash: str = ""
    name: str = ARM + "/.default"

    def __str__(self) -> str:
        return f"{self.client}-{self.variables}"


IDENTITY = frozenset({"x-identity-header"})
OLDER = frozenset({"secret"})
METADATA = frozenset({"metadata"})
ASKS = [
    Ask("go", "both", "2019-08-01", IDENTITY),
    Ask("node", "both", "2019-08-01", IDENTITY),
    Ask("java", "both", "2019-08-01", IDENTITY),
    Ask("python", "both", "2019-08-01", IDENTITY | METADATA),
    Ask("go", "msi", "2017-09-01", OLDER),
    Ask("node", "msi", "2017-09-01", OLDER | METADATA),
    Ask("python", "msi", "2017-09-01", OLDER),
    # Without IDENTITY_* it takes the place for Cloud Shell, which has no secret.
    Ask("java", "msi", None, METADATA),
    Ask("python-2020", "both", "2017-09-01", OLDER),
    Ask("node-2021", "both", "2017-09-01", OLDER),
    Ask("nodeauth", "both", "2017-09-01", OLDER, slash="/", name=ARM),
    Ask("msrestazure", "site", "2017-09-01", OLDER, slash="/", name=ARM),
    # Not on App Service by its name, it takes the place for Cloud Shell.
    Ask("msrestazure", "both", None, METADATA, method="POST", name=ARM),
    Ask("terraform", "arm", "2018-02-01", METADATA, name="arm"),
]
MARKS = frozenset({"x-identity-header", "secret", "metadata", "authorization"})


@pytest.fixture
def plain_env(bare_env: Environment) -> Environment:
    return bare_env | {"PATH": f"{SCRIPTS}:/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin"}


def variables(kind: str, address: str) -> Environment:
    endpoint = address + "/msi/token"
    identity = {"IDENTITY_ENDPOINT": endpoint, "IDENTITY_HEADER": SECRET}
    older = {"MSI_ENDPOINT": endpoint, "MSI_SECRET": SECRET}
    return {
        "both": identity | older,
        "msi": older,
        "site": older | {"APPSETTING_WEBSITE_SITE_NAME": "site"},
        "arm": {"ARM_USE_MSI": "true", "ARM_MSI_ENDPOINT": endpoint},
    }[kind]


@pytest.mark.parametrize("ask", ASKS, ids=str)
def test_a_client_asks_as_written(ask: Ask, recorder: Recorder, plain_env: Environment) -> None:
    dated = ask.version == "2017-09-01" and ask.variables != "msi"
    recorder.expiry = american if dated else epoch_text
    env = plain_env | variables(ask.variables, recorder.address)
    done = run_program(*command(ask.client), ask.name, env=env)
    assert done.stdout.split()[:2] == [ARM.encode(), TENANT.encode()], done.stderr
    for asked in recorder.asked:  # nodeauth asks twice
        assert (asked.method, asked.path) == (ask.method, "/msi/token" + ask.slash)
        sent = asked.query | asked.form
        assert sent.pop("resource") == ARM
        assert sent.pop("api-version", None) == ask.version
        assert not sent
        assert MARKS & set(asked.headers) == ask.headers


@pytest.mark.parametrize(
    ("client", "kind", "expiry", "understood"),
    [
        # The older ones read a date, and the epoch not at all …
        ("python-2020", "both", american, True),
        ("python-2020", "both", short, True),
        ("python-2020", "both", epoch_text, False),
        ("node-2021", "both", american, True),
        ("node-2021", "both", epoch_text, False),
        # … and today's read the epoch, and no date, whatever the version they ask for.
        ("python", "msi", epoch_text, True),
        ("python", "msi", american, False),
        ("go", "msi", epoch_text, True),
        ("go", "msi", american, False),
        ("node", "msi", epoch_text, True),
        ("node", "msi", american, False),
        ("go", "both", american, False),
        ("java", "both", american, False),
        ("python", "both", american, False),
        # Terraform reads expires_in alone.
        ("terraform", "arm", american, True),
    ],
)
def test_how_expires_on_is_read(
    client: str,
    kind: str,
    expiry: Expiry,
    understood: bool,
    recorder: Recorder,
    plain_env: Environment,
) -> None:
    recorder.expiry = expiry
    env = plain_env | variables(kind, recorder.address)
    name = "arm" if client == "terraform" else ARM + "/.default"
    words = run_program(*command(client), name, env=env).stdout.split()
    life = int(words[2]) if words and words[2] != b"unknown" else 0
    assert (LIFE - 60 <= life <= LIFE) is understood
    assert recorder.asked


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_terraform_asks_once_where_it_is_refused(
    status: int, recorder: Recorder, plain_env: Environment
) -> None:
    """429 and 500 it repeats after 2, 4, 8, 16 and 32 s."""
    recorder.status = status
    env = plain_env | variables("arm", recorder.address)
    done = run_program(*command("terraform"), "arm", env=env)
    assert done.returncode == 1
    assert f"HTTP status {status}".encode() in done.stderr
    assert len(recorder.asked) == 1
