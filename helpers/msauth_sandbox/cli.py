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
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from msauth.errors import MsauthError

from .home import Home, opens_a_shell, personal, welcome

if TYPE_CHECKING:
    from .cloud import Sandbox

SIGN_INS = (
    "azure-cli",
    "service-principal",
    "workload-identity",
    "managed-identity",
    "github-actions",
    "azure-pipelines",
    "none",
)
_FORWARDED = ("SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT")
_EPILOG = """\
examples:
  msauth-sandbox -- bash                       # a shell to look around in (zsh, fish, sh too)
  msauth-sandbox --as robin -- bash            # and inside: msauth-sandbox --as sam
  msauth-sandbox -- git clone https://contoso@dev.azure.com/contoso/hello/_git/hello
  msauth-sandbox --sign-in managed-identity -- msauth status
  msauth-sandbox --print-env > sandbox.env     # keeps serving until Ctrl-C; meanwhile,
  . ./sandbox.env                              # in another terminal, you are inside

HOME is a temporary folder in which git, kubectl and az are set up. Nothing leaves this machine:
hosts that the sandbox does not serve are refused.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sys.exit(_fail(message, f"{self.prog} --help", 2))


def parser() -> argparse.ArgumentParser:
    result = _Parser(
        prog="msauth-sandbox",
        usage="msauth-sandbox [options] -- COMMAND [ARG...]\n"
        "       msauth-sandbox [options] --print-env\n"
        "       msauth-sandbox --as NAME             (inside: be somebody else)",
        description="A miniature Microsoft cloud on loopback, to try msauth with no account.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument(
        "--sign-in",
        choices=SIGN_INS,
        default="azure-cli",
        metavar="KIND",
        help=f"what the command finds: {', '.join(SIGN_INS)} (default: azure-cli)",
    )
    result.add_argument(
        "--as",
        dest="user",
        metavar="NAME",
        help="who signs in, with az or a browser: alex (of contoso, a guest of fabrikam), "
        "sam (of contoso) or robin (of fabrikam) (default: alex)",
    )
    result.add_argument("--tenant", help="contoso or fabrikam (default: the person's, or contoso)")
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
    result.add_argument(
        "--round-trip",
        type=float,
        default=0.0,
        metavar="S",
        help="how far away the cloud is: the seconds to it and back (default: 0)",
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
    if options.user and not command and not options.print_env:
        return _become(options.user, options.tenant)
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
        hint = (
            "in the checkout: sh install/install.sh --extras sandbox, or pip install '.[sandbox]'"
        )
        return _fail(f"the package {error.name} is missing", hint, 1)
    try:
        cloud = Sandbox(
            options.expires_in,
            options.latency,
            options.directory,
            options.port,
            options.round_trip,
        )
        with signals_blocked():
            cloud.start()
    except OSError as error:
        return _fail(f"cannot start: {error}", "choose another --port or --directory", 1)
    try:
        return _inside(cloud, options, command)
    except MsauthError as error:
        return _fail(str(error), error.hint or "msauth-sandbox --help", 1)
    except KeyboardInterrupt:
        return 130
    finally:
        cloud.close()


def _inside(cloud: Sandbox, options: argparse.Namespace, command: Sequence[str]) -> int:
    cloud.configure(imds=options.sign_in == "managed-identity")
    identity = identity_environ(cloud, options.sign_in, options.user, options.tenant)
    own = cloud.environ | cloud.control_environ | git_proxy(cloud) | cloud.browser_environ()
    home = Home(cloud)
    own |= home.own | identity
    environ = home.environ(os.environ) | own
    home.make(environ)
    if options.print_env:
        return _serve(cloud, own, home.path_of('"$PATH"'))
    folder = None
    if opens_a_shell(command) and sys.stdin.isatty():
        # Where a person looks around, what they clone goes with the sandbox.
        folder = home.path
        if sys.stdout.isatty():
            who = cloud.user if options.sign_in == "azure-cli" else options.sign_in
            print(welcome(who, cloud.users, environ["PATH"]), end="", flush=True)
    status = run(command, environ, folder)
    if options.stats:
        print(json.dumps(cloud.stats(), indent=2), file=sys.stderr)
    return status


def _become(user: str, tenant: str | None) -> int:
    """Let az, in the sandbox that we are in, have somebody else signed in."""
    from .az import sign_in

    hint = "msauth-sandbox --as NAME -- bash"
    try:
        print(f"az has {sign_in(user, tenant)} signed in")
    except KeyError:
        return _fail("--as needs a command, or a sandbox around it", hint, 2)
    except OSError:
        return _fail("the sandbox around this has ended", hint, 1)
    except ValueError as error:
        return _fail(str(error), "msauth-sandbox --help", 1)
    return 0


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


def identity_environ(
    cloud: Sandbox, kind: str, user: str | None, tenant: str | None
) -> dict[str, str]:
    """What the chosen sign-in adds. az always gets its own configuration directory."""
    environ = cloud.azure_cli_environ()
    place = tenant or "contoso"
    try:
        cloud.configure(user=cloud.person(user).upn)
        if kind == "azure-cli":
            cloud.sign_in(user, tenant)
        if kind == "service-principal":
            return environ | cloud.service_principal_environ(place)
        if kind == "workload-identity":
            return environ | cloud.workload_identity_environ(place)
        if kind == "managed-identity":
            return environ | cloud.managed_identity_environ()
        if kind == "github-actions":
            return environ | cloud.github_actions_environ(place)
        if kind == "azure-pipelines":
            return environ | cloud.azure_pipelines_environ(place)
    except ValueError as error:
        raise MsauthError(str(error), "msauth-sandbox --help") from None
    return environ


def git_proxy(cloud: Sandbox) -> dict[str, str]:
    """A proxy or CA in a repository's configuration would win over the environment's."""
    pairs = (("http.proxy", cloud.url), ("http.sslCAInfo", str(cloud.ca_file)))
    environ = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for number, (key, value) in enumerate(pairs):
        environ |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return environ


def run(command: Sequence[str], environ: dict[str, str], folder: Path | None = None) -> int:
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
        child = subprocess.Popen(command, env=environ, cwd=folder)
    except FileNotFoundError:
        return _fail(f"{command[0]}: not found", "check the spelling and PATH", 127)
    except OSError as error:
        return _fail(f"{command[0]}: {error.strerror}", "check that it is an executable file", 126)
    for number in early:
        child.send_signal(number)
    status = child.wait()
    return status if status >= 0 else 128 - status


def _serve(cloud: Sandbox, environ: Mapping[str, str], path: str) -> int:
    for name in sorted(personal(os.environ) - set(environ)):
        print(f"unset {name}")
    for name, value in sorted(environ.items()):
        print(f"export {name}={shlex.quote(value)}")
    print(f"export PATH={path}")
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
