"""Where the programs that must be fast start: their modules come from one file instead of twenty.

A cached answer costs what its files cost: for each module Python looks into directories, opens,
reads and closes a file. So the modules that a program needs for a cached answer are kept merged in
a file beside its own source (`msauth/git_credential.pyo`), which `msauth.merge` makes when it is
first missed, as Python itself makes its `.pyc` files. The sources stay the truth: the file is
ignored when one of them has changed, when it is damaged, and by another Python; then, and wherever
it cannot be written, everything is imported as usual.

Its name ends as it does because pip removes such a file together with its source. This module
stands beside the package and not in it, because Python would have to import that before.
"""

import gc
import sys
from _imp import source_hash
from marshal import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType

_system = sys.modules.get("posix") or sys.modules["nt"]
"""The built-in module behind `os`, which importing alone would cost a tenth of Python's start."""
HASH_KEY = 0x6D7361757468
"""Of `source_hash`, SipHash-1-3: it finds damage, not an attacker, who could edit the sources."""
FOLDER = __file__.removesuffix("_start.py")
"""The folder of the package msauth, beside this file."""
# Each module's name, its source and, of a package, its folder, below FOLDER; and its code.
Modules = list[tuple[str, str, str | None, "CodeType"]]


def git_credential() -> int:
    """Run git-credential-msauth; `store` reads and ends here, which takes no module at all.

    A token is its own record: nothing that git knows of it is worth keeping.
    """
    if sys.argv[-1] != "store":
        return _run("git_credential")
    try:
        while _system.read(0, 65536):
            pass
    except OSError:
        pass  # what cannot be read is not there
    _system._exit(0)  # at once, as `options.write_and_exit` does
    return 0


def docker_credential() -> int:
    """Run docker-credential-msauth."""
    return _run("credential_helpers.docker")


def pnpm_token() -> int:
    """Run pnpm-token-msauth."""
    return _run("credential_helpers.pnpm")


def token() -> int:
    """Run msauth-token; `go` mostly has nothing to say, and takes no merged file either."""
    if sys.argv[1:2] == ["go"]:
        from msauth.token.program import main

        return main()
    return _run("token.program")


def run() -> int:
    """Run msauth-run."""
    return _run("run.program")


def _run(program: str) -> int:
    gc.set_threshold(20_000)  # a cached answer leaves less than that behind, and no garbage
    if not _traced():
        path = merged_file(FOLDER, program)
        modules = load(FOLDER, path)
        if modules is None and may_write(path):
            from msauth.merge import merge

            modules = merge(FOLDER, program)
        execute(FOLDER, modules or [])
    code: int = __import__(f"msauth.{program}", fromlist=("main",)).main()
    return code


def _traced() -> bool:
    """Say whether MSAUTH_TRACE is set: it tells lines, which merged code has not."""
    return not {b"MSAUTH_TRACE", "MSAUTH_TRACE"}.isdisjoint(_system.environ)


def merged_file(folder: str, program: str) -> str:
    """Return where the modules of a program are kept merged, below the package's folder."""
    return f"{folder}/{program.replace('.', '/')}.pyo"


def may_write(path: str) -> bool:
    """Say whether a merged file may be made: Python writes bytecode, and the folder is ours."""
    if sys.dont_write_bytecode or sys.pycache_prefix:
        return False
    allowed: bool = _system.access(path.rpartition("/")[0], _system.W_OK)
    return allowed


def load(folder: str, path: str) -> "Modules | None":
    """Return what a merged file holds, or nothing where it is another Python's.

    None: it is missing, damaged or out of date, and may be made anew.
    """
    try:
        descriptor = _system.open(path, _system.O_RDONLY | getattr(_system, "O_BINARY", 0))
        try:
            data = memoryview(_system.read(descriptor, _system.fstat(descriptor).st_size))
        finally:
            _system.close(descriptor)
        if source_hash(HASH_KEY, data[8:]) != data[:8]:
            return None
        made_for, stamps, size = loads(data[8:])  # noqa: S302 - as safe as the .pyc files beside
        if made_for != version():
            return []
        for source, stamp in stamps:
            if stamp_of(f"{folder}/{source}") != stamp:
                return None
    except (OSError, ValueError, EOFError, TypeError):
        return None
    found: Modules = loads(data[-size:])  # noqa: S302
    return found


def version() -> tuple[str, bytes, int]:
    """Return what the code in a merged file is for: this Python, and its level of optimization."""
    magic: bytes = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
    return (sys.implementation.cache_tag or "", magic, sys.flags.optimize)


def stamp_of(path: str) -> tuple[int, int]:
    """Return what changes with every edit of a source; raises OSError."""
    status = _system.stat(path)
    return status.st_mtime_ns, status.st_size


def execute(folder: str, modules: "Modules") -> None:
    """Put modules into sys.modules, each after those that it imports, as an import would."""
    loaded = sys.modules
    for name, source, package, code in modules:
        if name in loaded:
            continue
        module = _Module(name)
        values = module.__dict__
        values["__file__"] = f"{folder}/{source}"
        parent, _, word = name.rpartition(".")
        values["__package__"] = parent
        if package is not None:
            values["__package__"] = name
            values["__path__"] = [f"{folder}/{package}".rstrip("/")]
        loaded[name] = module
        try:
            exec(code, values)  # noqa: S102 - this is what importing is
        except BaseException:
            del loaded[name]
            raise
        if parent:
            setattr(loaded[parent], word, module)


_Module = type(sys)
