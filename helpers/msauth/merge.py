"""Making the files from which `msauth_start` loads the modules of a cached answer."""

import ast
import os
import sys
from _imp import source_hash
from marshal import dumps
from types import CodeType

import msauth_start as start

_QUESTION = (
    *("", "system", "request", "request.options", "broker", "cache", "cache.record"),
    *("cache.folder", "request.clouds", "request.kinds", "request.request", "broker.entry"),
    *("broker.broker", "request.values", "request.profiles", "request.selection", "protocols"),
)
MODULES = {
    "git_credential": (*_QUESTION, "request.organisations", "protocols.git"),
    "credential_helpers.docker": (
        *(*_QUESTION, "request.urls", "protocols.docker"),
        *("credential_helpers", "credential_helpers.feeds"),
    ),
    "credential_helpers.pnpm": (
        *(*_QUESTION, "request.organisations", "request.urls"),
        *("credential_helpers", "credential_helpers.feeds"),
    ),
    "token.program": (
        *_QUESTION,
        *("protocols.exec_credential", "protocols.formats", "protocols.kubelogin"),
        *("token", "token.arguments", "token.exec_retry", "token.answer"),
    ),
    "run.program": (*_QUESTION, "run", "run.execution"),
}
"""What each program imports for a cached answer besides its own module; "" is the package msauth.

Each stands behind those that it imports. A test compares this with what really is imported.
"""


def merge(folder: str, program: str) -> "start.Modules | None":
    """Compile the modules of a program of the package in a folder, and write the file of them.

    Without docstrings, assertions and annotations, which nothing relies on.
    Returns them, or None where the file system refuses the file; never raises for that.
    """
    try:
        stamps, modules = _compiled(folder, (*MODULES[program], program))
        code = dumps(modules)
        body = dumps((stamps, len(code)), 2) + code
        data = start.version() + source_hash(start.HASH_KEY, body) + body
        _write(start.merged_file(folder, program), data)
    except (OSError, SyntaxError, ValueError):
        return None
    return modules


def _compiled(
    folder: str, names: tuple[str, ...]
) -> tuple[list[tuple[str, start.Stamp]], "start.Modules"]:
    stamps: list[tuple[str, start.Stamp]] = []
    modules: start.Modules = []
    for name in names:
        place = name.replace(".", "/")
        package = os.path.isdir(f"{folder}/{place}")
        source = f"{place}/__init__.py".lstrip("/") if package else f"{place}.py"
        path = f"{folder}/{source}"
        stamps.append((source, start.stamp_of(path)))  # first: an edit while reading is noticed
        with open(path, "rb") as stream:
            tree = _Bare().visit(ast.parse(stream.read(), path))
        code = compile(tree, path, "exec", dont_inherit=True, optimize=2)
        whole = f"{__package__}.{name}".rstrip(".")
        modules.append((whole, source, place if package else None, _without_lines(code)))
    return stamps, modules


def _without_lines(code: CodeType) -> CodeType:
    """Take out the table of line numbers, a sixth of the size; MSAUTH_TRACE runs the sources."""
    inner = [_without_lines(c) if isinstance(c, CodeType) else c for c in code.co_consts]
    return code.replace(co_linetable=b"", co_consts=tuple(inner))


class _Bare(ast.NodeTransformer):
    """Takes the annotations out of a module, which only type checkers read."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.returns = None
        self.generic_visit(node)
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        plain = ast.Assign(targets=[node.target], value=self.visit(node.value))
        return ast.copy_location(plain, node)


def _write(path: str, data: bytes) -> None:
    """Write a new file, with the permissions of a .pyc file: its source's, and no more by umask.

    Never into the one that is there, which may be a link into uv's cache. A file that is read
    before it is whole, or stays half written after a kill, is known by its hash. A temporary one
    would need none; but after a kill it would stay for ever, as no installer knows its name.
    """
    source = path.removesuffix("o")
    mode = (os.stat(source).st_mode | 0o200) & 0o666
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "wb") as stream:
            stream.write(data)
    except BaseException:
        os.unlink(path)
        raise


def main() -> int:
    """Make the files of all programs, where somebody else than their users may write them."""
    made = [merge(start.FOLDER, program) for program in MODULES]
    if None not in made:
        return 0
    from .errors import MsauthError, command, report

    hint = command("sudo", sys.executable, "-I", "-m", "msauth.merge")
    return report(MsauthError(f"cannot write below {start.FOLDER}", hint))


if __name__ == "__main__":
    sys.exit(main())
