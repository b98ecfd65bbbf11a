"""What can be wrong on a machine: each seed makes one thing wrong, in a home and a work folder.

Every token here is made up: it has a PAT's shape and opens nothing.
"""

import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

FEED = "https://pkgs.dev.azure.com/contoso/_packaging/hello"
OTHER_HOST = "ghp_0123456789abcdefghijABCDEFGHIJ"
"""The secret of another host, which is none of our business, and never to be shown."""


class Scene(NamedTuple):
    """A home, a folder to work in, and the environment of a person there."""

    home: Path
    work: Path
    env: dict[str, str]

    def write(self, name: str, text: str) -> Path:
        """Write a file below the home (`~/…`) or the work folder, and return it."""
        path = self.home / name[2:] if name.startswith("~/") else self.work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def repository(self) -> Path:
        """Make the work folder a repository, and return its configuration."""
        git(self.work, "init", "-q", ".")
        return self.work / ".git" / "config"


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def old_pat(name: str) -> str:
    """Return 52 characters of base32, as PATs were until 2024."""
    digest = hashlib.sha256(name.encode()).digest()
    return base64.b32encode(digest).decode().lower().rstrip("=")[:52]


def new_pat(name: str) -> str:
    """Return 84 characters with AZDO near the end, as PATs are since."""
    text = hashlib.sha512(name.encode()).hexdigest()[:76]
    return text[:40].upper() + text[40:] + "AZDO" + "1a2B"


def basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


Seed = Callable[[Scene], None]
PATS: dict[str, tuple[str, Seed, str]] = {}
"""Name to the finding's id, the seed, and the token that it plants."""


def _pat(name: str, found: str, token: str, seed: Seed) -> None:
    PATS[name] = (found, seed, token)


def _file(name: str, found: str, token: str, file: str, text: str) -> None:
    def seed(scene: Scene) -> None:
        if ".git/" in file:
            config = scene.repository()
            config.write_bytes(config.read_bytes() + text.encode())
        else:
            scene.write(file, text)

    _pat(name, found, token, seed)


def _all() -> None:
    t = old_pat("remote")
    url = f"https://contoso:{t}@dev.azure.com/contoso/hello/_git/hello"
    _file("remote", "pat-git-config", t, ".git/config", f'[remote "origin"]\n\turl = {url}\n')
    t = new_pat("remote-user")
    url = f"https://{t}@dev.azure.com/contoso/hello/_git/hello"
    _file("remote-user", "pat-git-config", t, ".git/config", f'[remote "o"]\n\tpushurl = {url}\n')
    t = old_pat("insteadof")
    text = f'[url "https://x:{t}@contoso.visualstudio.com/"]\n\tinsteadOf = vs:\n'
    _file("insteadof", "pat-git-config", t, "~/.gitconfig.more", text)
    included = PATS["insteadof"][1]

    def include(scene: Scene) -> None:
        included(scene)
        config = scene.home / ".gitconfig"
        before = config.read_text() if config.exists() else ""
        config.write_text("[include]\n\tpath = .gitconfig.more\n" + before)

    _pat("insteadof", "pat-git-config", t, include)
    t = basic("", old_pat("header"))
    text = '[http "https://dev.azure.com/"]\n\textraHeader = "Authorization: Basic ' + t + '"\n'
    _file("header", "pat-git-config", t, ".git/config", text)
    t = basic("x", new_pat("header-everywhere"))
    text = f"[http]\n\textraheader = AUTHORIZATION: basic {t}\n"
    _file("header-everywhere", "pat-git-config", t, ".git/config", text)
    t = new_pat("helper")
    text = (
        '[credential "https://dev.azure.com"]\n\thelper = "!f() { echo password=' + t + '; }; f"\n'
    )
    _file("helper", "pat-git-config", t, ".git/config", text)
    t = old_pat("gitmodules")
    text = f'[submodule "a"]\n\tpath = a\n\turl = https://x:{t}@dev.azure.com/contoso/p/_git/a\n'
    _file("gitmodules", "pat-git-config", t, ".gitmodules", text)
    t = old_pat("credentials")
    text = f"https://me:{OTHER_HOST}@github.com\nhttps://me:{t}@dev.azure.com\n"
    _file("git-credentials", "pat-git-credentials", t, "~/.git-credentials", text)
    t = new_pat("store")

    def store(scene: Scene) -> None:
        file = scene.write("~/kept/passwords", f"https://x:{new_pat('store')}@dev.azure.com\n")
        config = scene.home / ".gitconfig"
        before = config.read_text() if config.exists() else ""
        config.write_text(f"[credential]\n\thelper = store --file {file}\n" + before)

    _pat("store", "pat-git-credentials", t, store)
    t = old_pat("netrc")
    text = (
        f"# mine\nmachine github.com login me password {OTHER_HOST}=\n"
        f"machine dev.azure.com\n  login me\n  password {t}\n"
    )
    _file("netrc", "pat-netrc", t, "~/.netrc", text)
    t = new_pat("netrc-line")
    text = f"machine github.com password {OTHER_HOST} machine dev.azure.com password {t}\n"
    _file("netrc-line", "pat-netrc", t, "lib/_netrc", text)
    t = old_pat("npm")
    text = (
        f"//registry.npmjs.org/:_authToken={OTHER_HOST}\nregistry={FEED}/npm/registry/\n"
        f"//pkgs.dev.azure.com/contoso/_packaging/hello/npm/registry/:_authToken={t}\n"
    )
    _file("npm", "pat-npmrc", t, "~/.npmrc", text)
    t = base64.b64encode(new_pat("npm-password").encode()).decode()
    text = (
        "; begin auth token\n"
        "//pkgs.dev.azure.com/contoso/_packaging/hello/npm/registry/:username=contoso\n"
        f"//pkgs.dev.azure.com/contoso/_packaging/hello/npm/registry/:_password={t}\n"
        "//pkgs.dev.azure.com/contoso/_packaging/hello/npm/registry/:email=x\n"
    )
    _file("npm-password", "pat-npmrc", t, "web/.npmrc", text)
    t = old_pat("pnpm")
    text = f"//contoso.pkgs.visualstudio.com/_packaging/hello/npm/registry/:_authToken={t}\n"
    _file("pnpm", "pat-npmrc", t, "~/.config/pnpm/auth.ini", text)
    t = old_pat("yarn")
    text = (
        f'npmRegistries:\n  "//registry.npmjs.org":\n    npmAuthToken: "{OTHER_HOST}"\n'
        f'  "//pkgs.dev.azure.com/contoso/_packaging/hello/npm/registry":\n'
        f"    npmAlwaysAuth: true\n    npmAuthToken: {t}\n"
    )
    _file("yarn", "pat-yarnrc", t, "web/.yarnrc.yml", text)
    t = old_pat("pip")
    text = (
        f"[global]\nextra-index-url =\n    https://x:{t}@pkgs.dev.azure.com/c/_packaging/h/pypi/\n"
    )
    _file("pip", "pat-ini", t, "~/.config/pip/pip.conf", text)
    t = new_pat("pypirc")
    text = (
        f"[distutils]\nindex-servers =\n    pypi\n    hello\n\n[pypi]\nusername = __token__\n"
        f"password = {OTHER_HOST}\n\n[hello]\nrepository = {FEED}/pypi/upload/\n"
        f"username = x\npassword = {t}\n"
    )
    _file("pypirc", "pat-ini", t, "~/.pypirc", text)
    t = new_pat("azure-devops-cli")
    text = f"[azdevops-cli:https://dev.azure.com/contoso]\npersonal access token = {t}\n\n"
    _file("az-devops", "pat-ini", t, "~/.azure/azuredevops/personalAccessTokens", text)
    t = old_pat("uv")
    text = f'[[index]]\nname = "hello"\nurl = "https://x:{t}@pkgs.dev.azure.com/c/_packaging/h/pypi/"\n'
    _file("uv", "pat-toml", t, "~/.config/uv/uv.toml", text)
    t = old_pat("pyproject")
    text = f'[[tool.uv.index]]\nname = "h"\nurl = "https://{t}@pkgs.dev.azure.com/c/_packaging/h/pypi/"\n'
    _file("pyproject", "pat-toml", t, "lib/pyproject.toml", text)
    t = new_pat("poetry")

    def poetry(scene: Scene) -> None:
        scene.write(
            "~/.config/pypoetry/auth.toml",
            f'[http-basic.other]\nusername = "me"\npassword = "{OTHER_HOST}"\n\n'
            f'[http-basic.hello]\nusername = "x"\npassword = "{new_pat("poetry")}"\n',
        )
        scene.write(
            "pyproject.toml",
            f'[[tool.poetry.source]]\nname = "hello"\nurl = "{FEED}/pypi/simple/"\n',
        )

    _pat("poetry", "pat-toml", t, poetry)
    t = basic("PAT", old_pat("cargo"))

    def cargo(scene: Scene) -> None:
        scene.write(
            "~/.cargo/credentials.toml",
            f'[registry]\ntoken = "{OTHER_HOST}"\n\n'
            f'[registries.hello]\ntoken = "Basic {basic("PAT", old_pat("cargo"))}"\n',
        )
        scene.write(
            ".cargo/config.toml", f'[registries.hello]\nindex = "sparse+{FEED}/Cargo/index/"\n'
        )

    _pat("cargo", "pat-toml", t, cargo)
    t = new_pat("nuget")
    text = f"""<?xml version="1.0" encoding="utf-8"?>
<configuration>
  <packageSources>
    <add key="my feed" value="{FEED}/nuget/v3/index.json" />
    <add key="github" value="https://nuget.pkg.github.com/contoso/index.json" />
  </packageSources>
  <packageSourceCredentials>
    <github>
      <add key="Username" value="me" />
      <add key="ClearTextPassword" value="{OTHER_HOST}" />
    </github>
    <my_x0020_feed>
      <add key="Username" value="x" />
      <add key="ClearTextPassword" value="{t}" />
    </my_x0020_feed>
  </packageSourceCredentials>
</configuration>
"""
    _file("nuget", "pat-nuget", t, "~/.nuget/NuGet/NuGet.Config", text)
    t = "AQAAANCMnd8BFdERjHoAwEEncryptedByWindows=="
    text = text.replace(new_pat("nuget"), t).replace("ClearTextPassword", "Password")
    _file("nuget-encrypted", "pat-nuget", t, "src/NuGet.config", text)
    t = old_pat("maven")
    text = f"""<settings>
  <servers>
    <server><id>central</id><username>me</username><password>{OTHER_HOST}</password></server>
    <server>
      <id>hello</id>
      <username>x</username>
      <password>{t}</password>
    </server>
  </servers>
  <profiles><profile><repositories><repository>
    <id>hello</id><url>{FEED}/maven/v1</url>
  </repository></repositories></profile></profiles>
</settings>
"""
    _file("maven", "pat-maven", t, "~/.m2/settings.xml", text)
    t = old_pat("requirements")
    text = f"--extra-index-url https://build:{t}@pkgs.dev.azure.com/c/_packaging/h/pypi/\n"
    _file("requirements", "pat-urls", t, "requirements-dev.txt", text)
    t = old_pat("bashrc")
    text = f"alias ll='ls -l'\nexport AZURE_DEVOPS_EXT_PAT='{t}'\n"
    _file("bashrc", "pat-shell", t, "~/.bashrc", text)
    for name, token, value in (
        ("AZURE_DEVOPS_EXT_PAT", old_pat("ext"), "{}"),
        ("SYSTEM_ACCESSTOKEN", new_pat("system"), "{}"),
        ("PIP_INDEX_URL", old_pat("pip-url"), "https://x:{}@pkgs.dev.azure.com/c/_packaging/h/"),
        (
            "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS",
            new_pat("vss"),
            '{{"endpointCredentials":[{{"endpoint":"' + FEED + '","password":"{}"}}]}}',
        ),
    ):

        def variable(scene: Scene, name: str = name, text: str = value.format(token)) -> None:
            scene.env[name] = text

        _pat(name, "pat-variable", token, variable)


_all()

BY_HAND = {"bashrc"}
"""Tokens that only a person can take out."""


# --- Other things ---------------------------------------------------------------------------------

OTHERS: dict[str, tuple[str, Seed, str]] = {}
"""Name to the finding's id, the seed, and why its fix is not run here ("": it is, or is none)."""


def _set(name: str, found: str, variable: str, value: str, unrun: str = "") -> None:
    def seed(scene: Scene) -> None:
        scene.env[variable] = value.format(home=scene.home, work=scene.work)

    OTHERS[name] = (found, seed, unrun)


_set("typing-error", "variable-unknown", "MSAUTH_TENNANT", "contoso.onmicrosoft.com")
_set("no-such-kind", "variable-wrong", "MSAUTH_CREDENTIAL", "azure-clu")
_set("not-a-tenant", "variable-wrong", "MSAUTH_TENANT", "conto so")
_set("no-such-profile", "variable-wrong", "MSAUTH_PROFILE", "nobody")
_set("relative-config", "variable-wrong", "MSAUTH_CONFIG", "profiles.toml")
_set("not-an-authority", "variable-wrong", "AZURE_AUTHORITY_HOST", "http://login.example.com")
_set("token-credentials", "variable-wrong", "AZURE_TOKEN_CREDENTIALS", "production")
_set("python-path", "python-path-relative", "PYTHONPATH", ":/usr/lib/x")
_set("proxy-port", "proxy-wrong", "ALL_PROXY", "http://proxy.example.com:port")
_set("proxy-kind", "proxy-wrong", "ALL_PROXY", "ftp://proxy.example.com")
_set("proxy-password", "proxy-password", "ALL_PROXY", "http://me:sEcReT-of-proxy@127.0.0.1:1")
_set("proxies-differ", "proxies-differ", "https_proxy", "http://127.0.0.1:9")
_set("no-bundle", "ca-bundle", "CURL_CA_BUNDLE", "{home}/none.pem")
_set("unverified", "tls-unverified", "GIT_SSL_NO_VERIFY", "1")
_set("no-certificate", "principal-file", "AZURE_CLIENT_CERTIFICATE_PATH", "{home}/none.pem")
_set("no-az-folder", "az-folder", "AZURE_CONFIG_DIR", "{home}/none")
_set("relative-cache", "cache-place", "MSAUTH_CACHE_DIR", "cache")


def _other(name: str, found: str, unrun: str = "") -> Callable[[Seed], Seed]:
    def keep(seed: Seed) -> Seed:
        OTHERS[name] = (found, seed, unrun)
        return seed

    return keep


@_other("relative-path", "path-relative")
def _relative_path(scene: Scene) -> None:
    scene.env["PATH"] = "bin:" + scene.env["PATH"]


@_other("no-proxy", "no-proxy-local")
def _no_proxy(scene: Scene) -> None:
    scene.env["NO_PROXY"] = scene.env["no_proxy"] = "example.com"


@_other("empty-bundle", "ca-bundle")
def _empty_bundle(scene: Scene) -> None:
    scene.env["SSL_CERT_FILE"] = str(scene.write("~/empty.pem", "\n"))


@_other("secret-missing", "principal-half")
def _secret_missing(scene: Scene) -> None:
    del scene.env["AZURE_CLIENT_SECRET"]
    _somebody_else(scene)


@_other("tenant-missing", "principal-half")
def _tenant_missing(scene: Scene) -> None:
    del scene.env["AZURE_TENANT_ID"]
    _somebody_else(scene)


def _somebody_else(scene: Scene) -> None:
    """Let az answer, so that nothing else is wrong."""
    scene.env["MSAUTH_CREDENTIAL"] = "managed-identity"


@_other("nobody", "nobody-signed-in", "a person would have to sign in")
def _nobody(scene: Scene) -> None:
    for name in [name for name in scene.env if name.startswith("AZURE_CLIENT")]:
        del scene.env[name]


@_other("cloud-shell-choice", "nobody-signed-in")
def _cloud_shell_choice(scene: Scene) -> None:
    """A Cloud Shell has one identity, and a variable chooses another."""
    del scene.env["AZURE_CLIENT_SECRET"], scene.env["AZURE_TENANT_ID"]
    scene.env["MSI_ENDPOINT"] = "http://127.0.0.1:1/oauth2/token"


@_other("cache-open", "cache-mode")
def _cache_open(scene: Scene) -> None:
    cache = Path(scene.env["MSAUTH_CACHE_DIR"])
    (cache / "v1").mkdir(parents=True, mode=0o700)
    (cache / "v1").chmod(0o755)


@_other("cache-is-file", "cache-place")
def _cache_file(scene: Scene) -> None:
    scene.env["MSAUTH_CACHE_DIR"] = str(scene.write("~/file", "")) + "/below"


@_other("runtime-open", "runtime-dir")
def _runtime(scene: Scene) -> None:
    del scene.env["MSAUTH_CACHE_DIR"]
    folder = scene.home / "run"
    folder.mkdir()
    folder.chmod(0o755)
    scene.env["XDG_RUNTIME_DIR"] = str(folder)


@_other("profile-key", "profile-wrong")
def _profile_key(scene: Scene) -> None:
    scene.write("~/.config/msauth/profiles.toml", '[work]\ntennant = "contoso.com"\n').chmod(0o600)


@_other("profile-open", "profile-wrong")
def _profile_open(scene: Scene) -> None:
    scene.write("~/.config/msauth/profiles.toml", '[work]\ntenant = "contoso.com"\n').chmod(0o666)


@_other("az-gone", "az-missing")
def _az_gone(scene: Scene) -> None:
    user = {"name": "alice@contoso.com", "type": "user"}
    entry = {
        "id": "1",
        "isDefault": True,
        "tenantId": "1",
        "environmentName": "AzureCloud",
        "user": user,
    }
    scene.write("~/.azure/azureProfile.json", json.dumps({"subscriptions": [entry]}))


@_other("az-encrypted", "az-encrypted", "az is not installed here")
def _az_encrypted(scene: Scene) -> None:
    scene.write("~/.azure/msal_token_cache.bin", "encrypted")


@_other("shadowed", "program-shadowed")
def _shadowed(scene: Scene) -> None:
    program = scene.write("~/other/git-credential-msauth", "#!/bin/sh\n")
    program.chmod(0o755)
    scene.env["PATH"] = f"{program.parent}{os.pathsep}{scene.env['PATH']}"


@_other("ssh", "no-browser")
def _ssh(scene: Scene) -> None:
    scene.env["SSH_CONNECTION"] = "192.0.2.1 1 192.0.2.2 22"
    scene.env["MSAUTH_CREDENTIAL"] = "browser"
