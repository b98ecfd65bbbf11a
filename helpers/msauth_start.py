"""Where the programs that must be fast start: their modules come from one file instead of twenty.

A cached answer costs what its files cost: for each module Python looks into directories, opens,
reads and closes a file. So the modules that a program needs for a cached answer are kept merged in
a file beside its own source (`msauth/git_credential.pyo`), which `msauth.merge` makes when it is
first missed, as Python itself makes its `.pyc` files. The sources stay the truth: the file is
ignored when one of them has changed, when it is damaged, and by another Python; then, and wherever
it cannot be written, everything is imported as usual.

The wheel has an empty file in the place of each. So whatever removes the package (uv removes only
what it has installed) takes these files along, and after an upgrade none of the old code is left,
also where all files have one fixed time.

This module stands beside the package and not in it, because Python would have to import that
before.
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
"""Of `source_hash`, a SipHash: it finds damage, not an attacker, who could edit the sources."""
FOLDER = __file__.removesuffix("_start.py")
"""The folder of the package msauth, beside this file."""
MADE_FOR = b"modules for "
OTHERS_STAY = 86400
"""Seconds that another Python's file is left alone: two of one folder do not take turns, and after
an upgrade of Python the new one has its own in the end."""
Stamp = tuple[int, int]
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
    """Return whether a merged file may be made: whether Python may write bytecode beside sources.

    It is asked before `merge` is imported, which takes half as long as Python's own start.
    """
    if sys.dont_write_bytecode or sys.pycache_prefix:
        return False
    allowed: bool = _system.access(path.rpartition("/")[0], _system.W_OK)
    return allowed


def load(folder: str, path: str) -> "Modules | None":
    """Return what a merged file holds, or nothing where it is another Python's.

    None: it is missing, damaged or out of date, or has long been another Python's, and may be
    made anew.
    """
    try:
        descriptor = _system.open(path, _system.O_RDONLY | getattr(_system, "O_BINARY", 0))
        try:
            status = _system.fstat(descriptor)
            data = memoryview(_system.read(descriptor, status.st_size))
        finally:
            _system.close(descriptor)
        head = version()
        if data[: len(head)] != head:
            from time import time

            others = data[: len(MADE_FOR)] == MADE_FOR and time() - status.st_mtime < OTHERS_STAY
            return [] if others else None
        hashed, body = data[len(head) : len(head) + 8], data[len(head) + 8 :]
        if source_hash(HASH_KEY, body) != hashed:
            return None
        stamps, size = loads(body)  # noqa: S302 - as safe as the .pyc files beside
        for source, stamp in stamps:
            found = stamp_of(f"{folder}/{source}")
            if found != stamp and found != as_in_an_image(stamp):
                return None
    except (OSError, ValueError, EOFError, TypeError):
        return None
    whole: Modules = loads(data[-size:])  # noqa: S302
    return whole


def version() -> bytes:
    """Return a merged file's first line: which Python its code is for, with and without -O.

    It stands before the hash, which Python 3.10 makes in another way than those after it.
    """
    magic: bytes = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER
    return b"%s%r %r\n" % (MADE_FOR, sys.implementation.cache_tag, magic)


def stamp_of(path: str) -> Stamp:
    """Return what changes with every edit of a source; raises OSError."""
    status = _system.stat(path)
    return status.st_mtime_ns, status.st_size


def as_in_an_image(stamp: Stamp) -> Stamp:
    """Return the stamp that a source has in a layer of a container image: to the second."""
    changed, size = stamp
    return changed - changed % 10**9, size


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
