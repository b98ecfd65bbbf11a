"""Finding a command and becoming it, as env(1) and execvp(3) do."""

import _signal  # type: ignore[import-not-found] # `signal` would import enum

from ..system import S_ISREG, environment, os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..errors import MsauthError

_DEFAULT_PATH = "/bin:/usr/bin"  # of execvp(3) when PATH is not set
_COERCED = ("C.UTF-8", "C.utf8", "UTF-8")


def find(command: str, env: dict[str, str]) -> str:
    """Return the path of a command, from PATH unless it holds a slash.

    Raises MsauthError: looked up before signing in, so that a typing error asks nobody.
    """
    if "/" in command:
        candidates = [command]
    else:
        folders = env.get("PATH", _DEFAULT_PATH).split(":")
        candidates = [f"{folder or '.'}/{command}" for folder in folders] if command else []
    failure: OSError | None = None
    for path in candidates:
        try:
            status = os.stat(path)
            if S_ISREG(status.st_mode) and os.access(path, os.X_OK):
                return path
            failure = _error("EACCES")
        except (FileNotFoundError, NotADirectoryError) as error:
            failure = error if "/" in command else failure
        except OSError as error:
            failure = error
    raise _not_executed(command, failure or _error("ENOENT"))


def _not_executed(command: str, error: OSError) -> "MsauthError":
    """Return the error of a command that is not there (exit code 127), or cannot be run (126)."""
    from ..errors import MsauthError

    failure = MsauthError(f"cannot run {command}: {(error.strerror or str(error)).lower()}")
    failure.exit_code = 127 if isinstance(error, FileNotFoundError) else 126
    return failure


def _error(name: str) -> OSError:
    import errno

    number = getattr(errno, name)
    return OSError(number, os.strerror(number))


def become(path: str, argv: list[str], env: dict[str, str]) -> int:
    """Replace this process by a program: there is nobody to return to. Raises MsauthError."""
    for number in _python_ignores():
        _signal.signal(number, _signal.SIG_DFL)  # handlers are reset by execve(2) itself
    try:
        os.execve(path, argv, env)
    except OSError as error:
        import errno

        if error.errno != errno.ENOEXEC:
            raise _not_executed(argv[0], error) from None
    # A script without `#!` is run by sh, says execvp(3); its text is not ours to interpret.
    try:
        os.execve("/bin/sh", ["/bin/sh", path, *argv[1:]], env)
    except OSError as error:
        raise _not_executed(argv[0], error) from None


def _python_ignores() -> list[int]:
    """Return the signals that Python ignores from its start on, and a command must not."""
    names = ("SIGPIPE", "SIGXFSZ", "SIGXFZ")
    return [getattr(_signal, name) for name in names if hasattr(_signal, name)]


def given_environment() -> dict[str, str]:
    """Return a copy of our environment as it was given to us.

    In the C locale Python sets LC_CTYPE itself (PEP 538); a command must not see that.
    """
    env = dict(environment())
    if env.get("LC_CTYPE") in _COERCED:
        try:
            with open("/proc/self/environ", "rb", buffering=0) as given:
                data = given.read()
        except OSError:
            return env
        if data and not data.startswith(b"LC_CTYPE=") and b"\0LC_CTYPE=" not in data:
            del env["LC_CTYPE"]
    return env
