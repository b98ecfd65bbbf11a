"""Profiles: what a file may say, who wins, and that a cache hit parses nothing."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest

import msauth
from msauth.broker import background, broker
from msauth.errors import UsageError
from msauth.request import profile_file, profiles
from msauth.request.options import PROFILE_KEYS
from msauth.request.request import TokenRequest
from msauth.request.selection import select
from msauth_sandbox import Sandbox

from .conftest import Environment, run_program

GRAPH = "https://graph.microsoft.com/.default"
APP = "11111111-2222-3333-4444-555555555555"
Write = Callable[..., Path]
Monkey = pytest.MonkeyPatch


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "profiles.toml"


@pytest.fixture
def write(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A function that writes profiles.toml, an hour ago unless told otherwise."""
    monkeypatch.setenv("MSAUTH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MSAUTH_CONFIG", str(config))
    for name in (*os.environ,):
        if name.startswith(("AZURE_", "MSAUTH_TENANT", "MSAUTH_CRED", "MSAUTH_PROF", "MSAUTH_CL")):
            monkeypatch.delenv(name)

    def put(text: str, *, age: float = 3600) -> Path:
        config.write_text(text)
        config.chmod(0o600)
        then = time.time() - age
        os.utime(config, (then, then))
        return config

    return put


def request(profile: str, scopes: tuple[str, ...] = (GRAPH,), **options: str) -> TokenRequest:
    given = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
    return select({"--profile": profile, **given}, os.environ).request(scopes)


ALL_KEYS = f"""
[all]
tenant = "Contoso.com"
credential = "browser"
client_id = "{APP}"
authority_host = "login.microsoftonline.us"
disable_instance_discovery = true
min_valid = 60
username = "alex@contoso.com"
identity_resource_id = "/subscriptions/s/resourcegroups/g/providers/x/y/z w"
persist = false
scopes = ["https://graph.microsoft.com/User.Read", "https://graph.microsoft.com/Mail.Read"]
az_config_dir = "~/az-work"
[ci]
assertion = ["/usr/bin/give", "it to me"]
assertion_audience = "api://other"
assertion_identity = "/subscriptions/s"
"""


def test_every_key_takes_effect(write: Write) -> None:
    write(ALL_KEYS)
    for _ in ("parsed", "compiled"):
        made = request("all", ())
        assert made.tenant == "contoso.com"
        assert made.credential == "browser"
        assert made.client_id == APP
        assert made.authority == "https://login.microsoftonline.us"
        assert not made.instance_discovery
        assert made.min_valid == 60
        assert made.username == "alex@contoso.com"
        assert made.identity_resource_id.endswith("z w")
        assert not made.persist
        assert made.profile == "all"
        assert len(made.scopes) == 2
        federated = request("ci")
        assert federated.credential == "federated"
        assert federated.assertion == "command\x1f/usr/bin/give\x1fit to me"
        assert federated.assertion_audience == "api://other"
        assert federated.assertion_identity == "/subscriptions/s"
    assert set(PROFILE_KEYS) | {"scopes"} == set(profile_file._CHECKS)


def test_background_renewal_renews_the_same_key(write: Write) -> None:
    write(ALL_KEYS)
    for made in (request("all", ()), request("ci")):
        again = background._request(background._arguments(made))
        assert again.cache_key == made.cache_key


def test_options_beat_variables_beat_profile_beat_defaults(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write('[work]\ntenant = "profile.com"\nauthority_host = "profile.host"\n')
    monkeypatch.setenv("AZURE_TENANT_ID", "default.com")
    monkeypatch.setenv("AZURE_CLIENT_ID", APP)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "default.host")
    assert request("").tenant == "default.com"
    assert request("work").tenant == "profile.com"
    assert request("work").authority == "https://profile.host"
    monkeypatch.setenv("MSAUTH_TENANT", "variable.com")
    assert request("work").tenant == "variable.com"
    assert request("work", tenant="option.com").tenant == "option.com"
    assert request("work", authority_host="option.host").authority == "https://option.host"


def test_default_profile(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write('[work]\ntenant = "work.com"\n[home]\ntenant = "home.com"\n')
    monkeypatch.setenv("MSAUTH_PROFILE", "work")
    assert select({}, os.environ).request((GRAPH,)).tenant == "work.com"
    assert request("home").tenant == "home.com"
    assert request("").tenant is None


def test_a_profile_has_records_of_its_own(write: Write) -> None:
    write('[one]\ntenant = "a.com"\n[two]\ntenant = "a.com"\n')
    keys = {request(name).cache_key for name in ("one", "two")}
    assert len(keys | {request("", tenant="a.com").cache_key}) == 3


def test_scopes_answer_only_when_nothing_is_asked(write: Write) -> None:
    write('[graph]\nscopes = ["https://graph.microsoft.com"]\n[bare]\n')
    assert select({"--profile": "graph"}, os.environ).scopes == (GRAPH,)
    assert request("graph", ()).scopes == (GRAPH,)
    assert request("graph", ("other/.default",)).scopes == ("other/.default",)
    with pytest.raises(UsageError, match="no product or scope"):
        request("bare", ())


def test_a_profiles_tenant_beats_the_challenge(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write('[work]\ntenant = "contoso.com"\n')
    work = select({"--profile": "work"}, os.environ)
    assert work.explicit_tenant == "contoso.com"
    other = "99999999-2222-3333-4444-555555555555"
    challenge = [f"Bearer authorization_uri=https://login.microsoftonline.com/{other}"]
    plain = select({}, os.environ)
    assert broker.devops_request(plain, "contoso", challenge).tenant == other
    asked = broker.devops_request(work, "contoso", challenge)
    assert asked.tenant == "contoso.com"


WRONG = [
    ('[work]\n\ntennant = "x"\n', "line 3: unknown key 'tennant'", "did you mean tenant?"),
    ('[work]\nclient-id = "x"\n', "line 2: unknown key 'client-id'", "did you mean client_id?"),
    ('[work]\n"qqqq" = 1\n', "line 2: unknown key 'qqqq'", "the keys are: tenant, "),
    ("[work]\n[work.sub]\n", "line 2: unknown key 'sub'", "the keys are: "),
    ("[other]\n[work]\ntenant = 5\n", "line 3: tenant of profile 'work' must be a string", ""),
    ('[work]\ntenant = "a b"\n', "line 2: tenant of profile 'work' is wrong", ""),
    ('[work]\ntenant = "a\\nb"\n', "unprintable", ""),
    ('[work]\nclient_id = "a/b"\n', "line 2: client_id", ""),
    ('[work]\nauthority_host = "http://x"\n', "line 2: authority_host", ""),
    ('[work]\ncredential = "browse"\n', "did you mean 'browser'?", ""),
    ('[work]\nscopes = "x/.default"\n', "scopes of profile 'work' must be an array", ""),
    ("[work]\nscopes = [1]\n", "must be an array of strings", ""),
    ('[work]\nscopes = ["a/b c"]\n', "line 2: scopes of profile 'work' is wrong", ""),
    ("[work]\nmin_valid = true\n", "must be a number of seconds", ""),
    ("[work]\nmin_valid = -1\n", "must be a number of seconds", ""),
    ('[work]\npersist = "no"\n', "must be true or false", ""),
    ('[work]\nassertion = "relative"\n', "line 2: assertion of profile 'work' must be an abs", ""),
    ("[work]\nassertion = []\n", "a list: a program and its words", ""),
    ('[work]\nassertion = ["give", "x"]\n', "must be an absolute path", ""),
    ('[work]\nassertion = ["managed-identity"]\n', "must be an absolute path", ""),
    ('[work]\nassertion = ["/x", 5]\n', "must be a string", ""),
    ('[work]\nassertion = ["/x", "a\\u001fb"]\n', "unprintable", ""),
    ("[work]\nassertion = {}\n", "must be a string", ""),
    ('[work]\nassertion = ""\n', "must be an absolute path", ""),
    (
        '[work]\ncredential = "browser"\nassertion = "/x"\n',
        "line 3: assertion of profile 'work' is read by the credential federated alone",
        "leave credential out",
    ),
    ('[work]\nassertion_identity = "x"\n', "neither a client id nor a resource id", ""),
    ("[work\n", "line 1: not valid TOML", ""),
    ("[work]\ntenant = \n", "line 2: not valid TOML", ""),
    ("[work]\n[work]\n", "line 2: not valid TOML", ""),
    ('[work]\ntenant = """', "line 2: not valid TOML", ""),
    ('tenant = "x"\n', "line 1: 'tenant' is outside of any profile", "put it under a table"),
    ("[wrok]\n", "no profile 'work' in ", "did you mean --profile wrok?"),
    ("[aaa]\n[bbb]\n", "no profile 'work' in ", "profiles there: aaa, bbb"),
    ("", "no profile 'work' in ", "add a table [work]"),
]


@pytest.mark.parametrize(("text", "message", "hint"), WRONG)
def test_what_is_wrong_is_said_with_its_line(
    text: str, message: str, hint: str, write: Write, config: Path
) -> None:
    write(text)
    with pytest.raises(UsageError) as caught:
        request("work")
    assert message in caught.value.message
    assert str(config) in caught.value.message
    assert (caught.value.hint or "").startswith(hint)


def test_a_mistake_in_one_profile_does_not_stop_another(write: Write) -> None:
    write('[bad]\ntennant = "x"\n[work]\ntenant = "a.com"\n')
    assert request("work").tenant == "a.com"


def test_not_utf8(write: Write, config: Path) -> None:
    write("")
    config.write_bytes(b'[work]\ntenant = "\xff"\n')
    with pytest.raises(UsageError, match="line 2: not UTF-8"):
        request("work")


def test_a_byte_order_mark_is_no_mistake(write: Write, config: Path) -> None:
    write("")
    config.write_bytes(b'\xef\xbb\xbf[work]\r\ntenant = "a.com"\r\n')
    assert request("work").tenant == "a.com"


def test_missing_file(write: Write, config: Path) -> None:
    with pytest.raises(UsageError, match="there is no file") as caught:
        request("work")
    assert caught.value.hint == "create it, with a table [work]"


@pytest.mark.parametrize(
    "name", ["a b", "a\nrequest.tenant=x", "", "x" * 65, "-a", "a/b", "match", "*"]
)
def test_names_that_cannot_be(name: str, write: Write) -> None:
    write('[work]\n[match.organisation]\ncontoso = "work"\n')
    with pytest.raises(UsageError, match="is not one"):
        profiles.values(name, os.environ)


def test_an_edit_takes_effect_at_once(write: Write) -> None:
    write('[work]\ntenant = "one.com"\n')
    assert request("work").tenant == "one.com"
    assert request("work").tenant == "one.com"
    write('[work]\ntenant = "two.com"\n', age=1800)
    assert request("work").tenant == "two.com"
    write("[other]\n", age=900)
    with pytest.raises(UsageError, match="no profile"):
        request("work")


def test_an_edit_too_quick_for_the_clock_takes_effect(write: Write, config: Path) -> None:
    write('[work]\ntenant = "one.com"\n', age=0)
    before = config.stat()
    assert request("work").tenant == "one.com"
    config.write_text('[work]\ntenant = "two.com"\n')
    os.utime(config, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert config.stat().st_mtime_ns == before.st_mtime_ns
    assert request("work").tenant == "two.com"


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_may_write_is_refused(mode: int, write: Write, config: Path) -> None:
    write('[work]\ntenant = "one.com"\n')
    assert request("work").tenant == "one.com"  # also when it is known already
    config.chmod(mode)
    with pytest.raises(UsageError, match="can be written by others") as caught:
        request("work")
    assert caught.value.hint == shlex.join(["chmod", "go-w", str(config)])
    config.chmod(0o644)
    assert request("work").tenant == "one.com"


def test_a_pipe_does_not_hang(write: Write, config: Path) -> None:
    os.mkfifo(config, 0o600)
    with pytest.raises(UsageError, match="not a file"):
        request("work")


@pytest.mark.parametrize("damage", ["truncate", "flip", "unusable"])
def test_a_damaged_cache_costs_only_time(damage: str, write: Write, tmp_path: Path) -> None:
    write('[work]\ntenant = "one.com"\n')
    assert request("work").tenant == "one.com"
    (kept,) = (tmp_path / "cache/v1").glob("*.profile")
    data = kept.read_bytes()
    if damage == "truncate":
        kept.write_bytes(data[:-3])
    elif damage == "flip":
        kept.write_bytes(data.replace(b"one.com", b"two.com"))
    else:
        (tmp_path / "cache/v1").chmod(0o777)
    assert request("work").tenant == "one.com"


@pytest.mark.parametrize("xdg", [None, "", "/x/y", "/x/y/", "relative"])
def test_the_place_is_platformdirs(xdg: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("MSAUTH_CONFIG", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    if xdg is not None:
        monkeypatch.setenv("XDG_CONFIG_HOME", xdg)
    expected = platformdirs.user_config_dir("msauth", appauthor=False)
    assert profiles.path(os.environ) == os.path.join(expected, "profiles.toml")


def test_msauth_config_names_another_file(tmp_path: Path) -> None:
    mine = str(tmp_path / "mine.toml")
    assert profiles.path({"MSAUTH_CONFIG": mine}) == mine


@pytest.mark.parametrize("name", ["mine.toml", "./mine.toml", "~/mine.toml", "../mine.toml"])
def test_a_relative_file_is_refused(
    name: str, bare_env: Environment, tmp_path: Path, write: Write
) -> None:
    """git runs the helper in the work tree: a hostile repository would choose who signs in."""
    (tmp_path / "mine.toml").write_text('[work]\ntenant = "evil.com"\n')
    with pytest.raises(UsageError, match="is not an absolute path") as caught:
        profiles.path({"MSAUTH_CONFIG": name})
    assert caught.value.hint == "unset MSAUTH_CONFIG"
    env = bare_env | {"MSAUTH_CONFIG": name}
    done = run_program("msauth-token", "--profile", "work", "arm", env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"MSAUTH_CONFIG={name} is not an absolute path" in done.stderr.decode()


PROBE = """
import sys
sys.path[:0] = [{packages!r}]
from msauth import git_credential
asked = b"protocol=https\\nhost=dev.azure.com\\npath=contoso/hello/_git/hello\\n\\n"
code, output = git_credential.run(["--profile", "work", "get"], lambda: asked)
assert code == 0 and b"password=" in output, output
print(*sorted(sys.modules))
"""


def probe(env: Environment) -> set[str]:
    packages = str(Path(msauth.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROBE.format(packages=packages)],
        env=env,
        capture_output=True,
        check=True,
    )
    return set(done.stdout.decode().split())


def test_a_cache_hit_with_a_profile_imports_no_parser(
    env: Environment, config: Path, write: Write, cloud: Sandbox
) -> None:
    write(f'[work]\ntenant = "{cloud.tenants["contoso"].id}"\n')
    env |= {"MSAUTH_CONFIG": str(config)}
    url = b"protocol=https\nhost=dev.azure.com\npath=contoso/hello/_git/hello\n\n"
    first = run_program("git-credential-msauth", "--profile", "work", "get", env=env, stdin=url)
    assert first.returncode == 0, first.stderr
    without = {*sys.stdlib_module_names} & probe(env)
    assert not without & {"tomllib", "re", "json", "argparse", "pathlib", "typing", "hashlib"}
    assert cloud.count("token") == 1


def test_git_takes_a_profile_per_organisation(
    env: Environment, config: Path, write: Write, cloud: Sandbox, tmp_path: Path
) -> None:
    """`[credential "https://dev.azure.com/ORG"]` with useHttpPath, as the README shows it."""
    write(
        f'[work]\ntenant = "{cloud.tenants["contoso"].id}"\n'
        f'[customer]\ntenant = "{cloud.tenants["fabrikam"].id}"\n'
    )
    gitconfig = tmp_path / "gitconfig"
    gitconfig.write_text(
        '[credential "https://dev.azure.com"]\n\thelper =\n\tuseHttpPath = true\n'
        '[credential "https://dev.azure.com/contoso"]\n\thelper = msauth --profile work\n'
        '[credential "https://dev.azure.com/fabrikam"]\n\thelper = msauth --profile customer\n'
    )
    env |= {"MSAUTH_CONFIG": str(config), "GIT_CONFIG_GLOBAL": str(gitconfig)}
    for organisation, name in (("contoso", "hello"), ("fabrikam", "widgets")):
        url = f"https://dev.azure.com/{organisation}/{name}/_git/{name}"
        done = run_program("git", "ls-remote", url, env=env)
        assert done.returncode == 0, done.stderr
        assert b"refs/heads/main" in done.stdout
        assert cloud.count("token", tenant=organisation) == 1
    third = run_program(
        "git", "credential", "fill", env=env, stdin=b"url=https://dev.azure.com/other/x/_git/x\n"
    )
    assert b"password" not in third.stdout


def test_git_takes_a_default_beside_the_profiles(
    env: Environment, config: Path, write: Write, cloud: Sandbox, tmp_path: Path
) -> None:
    """A section for an organisation empties the list of helpers before it names its own."""
    write(f'[customer]\ntenant = "{cloud.tenants["fabrikam"].id}"\n')
    gitconfig = tmp_path / "gitconfig"
    gitconfig.write_text(
        '[credential "https://dev.azure.com"]\n'
        "\thelper =\n\thelper = msauth\n\tuseHttpPath = true\n"
        '[credential "https://dev.azure.com/fabrikam"]\n'
        "\thelper =\n\thelper = msauth --profile customer\n"
    )
    env |= {"MSAUTH_CONFIG": str(config), "GIT_CONFIG_GLOBAL": str(gitconfig)}
    for name, project in (("contoso", "hello"), ("fabrikam", "widgets")):
        url = f"https://dev.azure.com/{name}/{project}/_git/{project}"
        done = run_program("git", "ls-remote", url, env=env)
        assert done.returncode == 0, done.stderr
        assert cloud.count("token", tenant=name) == 1
    # One is the profile that was asked for, one says that the file matches none.
    assert len(list(Path(env["MSAUTH_CACHE_DIR"]).glob("v1/*.profile"))) == 2


MATCHED = """
[work]
tenant = "contoso.com"
[customer]
tenant = "fabrikam.com"
[match.organisation]
Contoso = "work"
[match.registry]
"fabrikam.azurecr.io" = "customer"
[match.host]
"dev.azure.com" = "customer"
"""


@pytest.mark.parametrize(
    ("organisation", "host", "profile"),
    [
        ("contoso", "dev.azure.com", "work"),
        ("contoso", "contoso.visualstudio.com", "work"),
        ("other", "dev.azure.com", "customer"),
        ("", "fabrikam.azurecr.io", "customer"),
        ("", "other.azurecr.io", ""),
        ("other", "pkgs.dev.azure.com", ""),
        ("", "", ""),
    ],
)
def test_a_profile_is_matched_to_an_organisation_or_a_host(
    write: Write, organisation: str, host: str, profile: str
) -> None:
    write(MATCHED)
    for _ in range(2):  # parsed, then from the record
        assert select({}, os.environ, organisation=organisation, host=host).profile == profile


def test_what_is_chosen_beats_what_is_matched(write: Write, monkeypatch: Monkey) -> None:
    write(MATCHED)
    where = {"organisation": "contoso", "host": "dev.azure.com"}
    assert select({"--profile": "customer"}, os.environ, **where).profile == "customer"
    assert select({"--profile": ""}, os.environ, **where).profile == ""
    monkeypatch.setenv("MSAUTH_PROFILE", "customer")
    assert select({}, os.environ, **where).profile == "customer"


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ("[match]\norganization = {}\n", 2, "unknown key 'organization'", "organisation"),
        ('[match]\norganisation = "work"\n', 2, "must be a table", ""),
        ('[match.organisation]\na = "wrok"\n', 2, "'a' is matched to 'wrok', which is no", "work"),
        ('[match.organisation]\n"a/b" = "work"\n', 2, "'a/b' is no name of a organisation", ""),
        ('[match.registry]\n"https://x" = "work"\n', 2, "is no name of a registry", ""),
        ('[match.host]\n"dev.azure.com" = "match"\n', 2, "which is no profile", "work"),
        ('[match.host]\n"dev.azure.com" = 1\n', 2, "which is no profile", "work"),
        ('[match.host]\n"dev.azure.com" = ["work"]\n', 2, "which is no profile", "work"),
        ('[match.host]\n"dev.azure.com" = "a\\nb"\n["a\\nb"]\n', 2, "no profile", "work"),
    ],
)
def test_a_wrong_match_is_an_error_for_whoever_is_matched(
    write: Write, text: str, line: int, message: str, hint: str
) -> None:
    where = write(text + "[work]\n")
    with pytest.raises(UsageError) as error:
        select({}, os.environ, organisation="contoso", host="dev.azure.com")
    assert error.value.message.startswith(f"{where}, line {line}: ")
    assert message in error.value.message
    assert hint in (error.value.hint or "")
    assert select({"--profile": "work"}, os.environ, organisation="contoso").profile == "work"
    assert select({}, os.environ).profile == ""
    assert profile_file.names(str(where)) == ["work"]


def test_git_is_answered_by_the_profile_that_is_matched_to_the_organisation(
    env: Environment, write: Write, config: Path, cloud: Sandbox
) -> None:
    write(
        f'[work]\ntenant = "{cloud.tenants["fabrikam"].id}"\n'
        '[match.organisation]\nfabrikam = "work"\n'
    )
    env |= {"MSAUTH_CONFIG": str(config)}
    url = b"protocol=https\nhost=dev.azure.com\npath=fabrikam/widgets/_git/widgets\n\n"
    done = run_program("git-credential-msauth", "get", env=env, stdin=url)
    assert b"password=" in done.stdout, done.stderr
    assert b"\nrequest.profile=work\n" in b"".join(
        path.read_bytes() for path in Path(env["MSAUTH_CACHE_DIR"]).glob("v1/*.tok")
    )


def test_az_config_dir_chooses_among_several_sign_ins_of_az(write: Write) -> None:
    write('[a]\naz_config_dir = "~/az-a"\n[b]\naz_config_dir = "/az/b"\n[c]\naz_config_dir = "b"\n')
    home = os.environ["HOME"].rstrip("/")
    assert request("a").env["AZURE_CONFIG_DIR"] == f"{home}/az-a"
    assert request("b").env["AZURE_CONFIG_DIR"] == "/az/b"
    assert request("a").cache_key != request("b").cache_key
    with pytest.raises(UsageError, match="must be an absolute path, or begin with ~/"):
        request("c")
