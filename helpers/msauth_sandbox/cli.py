"""``msauth-sandbox``: run a command inside the miniature cloud, or keep serving it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .cloud import Sandbox

SIGN_INS = (
    "service-principal",
    "workload-identity",
    "managed-identity",
    "azure-cli",
    "github-actions",
    "azure-pipelines",
    "none",
)
_FORWARDED = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT")
_EPILOG = """\
examples:
  msauth-sandbox -- git clone https://contoso@dev.azure.com/contoso/hello/_git/hello
  msauth-sandbox --sign-in azure-cli -- az account get-access-token
  msauth-sandbox --print-env > sandbox.env     # keeps serving until Ctrl-C; meanwhile,
  . ./sandbox.env                              # in another terminal, you are inside

Nothing leaves this machine: hosts that the sandbox does not serve are refused.
"""


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        prog="msauth-sandbox",
        usage="msauth-sandbox [options] -- COMMAND [ARG...]\n"
        "       msauth-sandbox [options] --print-env",
        description="A miniature Microsoft cloud on loopback, to try msauth with no account.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "--sign-in",
        choices=SIGN_INS,
        default="service-principal",
        metavar="KIND",
        help=f"who the command is: {', '.join(SIGN_INS)} (default: service-principal)",
    )
    result.add_argument(
        "--tenant", default="contoso", help="contoso or fabrikam (default: contoso)"
    )
    result.add_argument(
        "--expires-in",
        type=float,
        default=3600,
        metavar="S",
        help="lifetime of tokens in seconds (default: 3600)",
    )
    result.add_argument(
        "--latency",
        type=float,
        default=0.0,
        metavar="S",
        help="how long each token request takes, in seconds (default: 0)",
    )
    result.add_argument("--port", type=int, default=0, help="loopback port (default: a free one)")
    result.add_argument(
        "--directory", help="where repositories, CA and log live (default: a temporary directory)"
    )
    result.add_argument(
        "--print-env", action="store_true", help="print export lines and serve until Ctrl-C"
    )
    result.add_argument(
        "--stats", action="store_true", help="print as JSON on stderr what was asked, at the end"
    )
    result.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    options = parser().parse_args(argv)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if bool(command) == options.print_env:
        return _fail(
            "give either a command or --print-env",
            "for example: msauth-sandbox -- git ls-remote "
            "https://contoso@dev.azure.com/contoso/hello/_git/hello",
            2,
        )
    try:
        from .cloud import Sandbox
    except ModuleNotFoundError as error:
        return _fail(f"the package {error.name} is missing", "pip install 'msauth[sandbox]'", 1)
    try:
        cloud = Sandbox(options.expires_in, options.latency, options.directory, options.port)
        with signals_blocked():
            cloud.start()
    except OSError as error:
        return _fail(f"cannot start: {error}", "choose another --port or --directory", 1)
    try:
        cloud.configure(imds=options.sign_in == "managed-identity")
        identity = identity_environ(cloud, options.sign_in, options.tenant)
        if options.print_env:
            return _serve(cloud, identity)
        status = run(command, child_environ(cloud, identity, os.environ))
        if options.stats:
            print(json.dumps(cloud.stats(), indent=2), file=sys.stderr)
        return status
    except SetupError as error:
        return _fail(str(error), error.hint, 1)
    except KeyboardInterrupt:
        return 130
    finally:
        cloud.close()


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Threads started inside never receive our signals, so the main thread always does.

    The kernel may give a second signal to any thread that accepts it, and Python would then run
    its handler only when the main thread returns from waiting: perhaps never.
    """
    numbers = {getattr(signal, name) for name in ("SIGINT", *_FORWARDED) if hasattr(signal, name)}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class SetupError(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def identity_environ(cloud: Sandbox, sign_in: str, tenant: str) -> dict[str, str]:
    """What the chosen sign-in adds. az always gets its own configuration directory."""
    try:
        cloud.service_principal_environ(tenant)
    except ValueError:
        raise SetupError(f"no tenant {tenant!r}", "use contoso or fabrikam") from None
    environ = cloud.azure_cli_environ()
    if sign_in == "service-principal":
        return environ | cloud.service_principal_environ(tenant)
    if sign_in == "workload-identity":
        return environ | cloud.workload_identity_environ(tenant)
    if sign_in == "managed-identity":
        return environ | cloud.managed_identity_environ()
    if sign_in == "github-actions":
        return environ | cloud.github_actions_environ(tenant)
    if sign_in == "azure-pipelines":
        return environ | cloud.azure_pipelines_environ(tenant)
    if sign_in == "azure-cli":
        _az_login(child_environ(cloud, environ, os.environ))
    return environ


def _az_login(environ: dict[str, str]) -> None:
    """``az login`` with a device code that the sandbox approves at once."""
    try:
        done = subprocess.run(
            ["az", "login", "--use-device-code", "--output", "none"],  # noqa: S607 - from PATH
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    except OSError:
        raise SetupError(
            "az cannot be run", "pip install azure-cli, or another --sign-in"
        ) from None
    if done.returncode:
        raise SetupError("az login failed", (done.stderr.strip().splitlines() or ["no output"])[-1])


def child_environ(
    cloud: Sandbox, identity: Mapping[str, str], inherited: Mapping[str, str]
) -> dict[str, str]:
    """The caller's environment, less every identity in it, plus the sandbox.

    What a client would keep of the sandbox (az's sign-ins, msauth's cache) goes into the sandbox's
    own directory, and a browser sign-in to its own browser, never to the person's real ones.
    """
    drop = set(cloud.identity_variables) | {"ALL_PROXY", "all_proxy"}
    kept = {name: value for name, value in inherited.items() if name not in drop}
    own = {
        "KUBECONFIG": str(cloud.kubeconfig()),
        "MSAUTH_CACHE_DIR": str(cloud.directory / "msauth-cache"),
        **git_proxy(cloud, inherited),
        **cloud.browser_environ(),
    }
    return kept | cloud.environ | cloud.control_environ | own | dict(identity)


def git_proxy(cloud: Sandbox, inherited: Mapping[str, str]) -> dict[str, str]:
    """A proxy or CA in the person's git configuration would win over the environment's."""
    given = inherited.get("GIT_CONFIG_COUNT", "")
    first = int(given) if given.isdigit() else 0
    pairs = (("http.proxy", cloud.url), ("http.sslCAInfo", str(cloud.ca_file)))
    environ = {"GIT_CONFIG_COUNT": str(first + len(pairs))}
    for number, (key, value) in enumerate(pairs, first):
        environ |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return environ


def run(command: Sequence[str], environ: dict[str, str]) -> int:
    """The command's exit code; 128 + N when signal N ended it; 126 and 127 as env(1)."""
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def forward(number: int, _frame: object) -> None:
        if child is None:
            early.append(number)
        else:
            child.send_signal(number)

    # The terminal sends Ctrl-C to the child as well, and the child decides what it means. A
    # Python function, not SIG_IGN, because an ignored signal would stay ignored in the child.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    for name in _FORWARDED:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), forward)
    try:
        child = subprocess.Popen(command, env=environ)
    except FileNotFoundError:
        return _fail(f"{command[0]}: not found", "check the spelling and PATH", 127)
    except OSError as error:
        return _fail(f"{command[0]}: {error.strerror}", "check that it is an executable file", 126)
    for number in early:
        child.send_signal(number)
    status = child.wait()
    return status if status >= 0 else 128 - status


def _serve(cloud: Sandbox, identity: Mapping[str, str]) -> int:
    environ = child_environ(cloud, identity, {})
    for name in sorted(set(cloud.identity_variables) - set(environ)):
        print(f"unset {name}")
    for name, value in sorted(environ.items()):
        print(f"export {name}={shlex.quote(value)}")
    sys.stdout.flush()
    # Before the line that says that we serve: who reads it may send the signal at once.
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: done.set())
    print(f"msauth-sandbox: serving on {cloud.url}; Ctrl-C ends it", file=sys.stderr, flush=True)
    done.wait()
    return 0


def _fail(message: str, hint: str, status: int) -> int:
    print(f"msauth-sandbox: error: {message}", file=sys.stderr)
    print(f"msauth-sandbox: hint: {hint}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
