"""Real git repositories, made when first asked for, and served by ``git http-backend``."""
# ruff: noqa: S607 - git is found on PATH, as the clients find it

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from werkzeug.wrappers import Request, Response

_CHUNK = 64 * 1024

_COMMITS = (
    ("Alex Wilber <alex@contoso.com>", 1767225600, "Say hi", "README.md", "# hello\n"),
    ("Sam Ortiz <sam@contoso.com>", 1767312000, "Add a program", "hello.py", 'print("hello")\n'),
)


def _stream_of_commits() -> bytes:
    """The two commits in git fast-import's format."""
    lines = []
    for author, when, message, name, content in _COMMITS:
        lines.append(
            f"commit refs/heads/main\nauthor {author} {when} +0000\n"
            f"committer {author} {when} +0000\ndata {len(message)}\n{message}\n"
            f"M 100644 inline {name}\ndata {len(content)}\n{content}\n"
        )
    return "".join(lines).encode()


class Repositories:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.Lock()

    def path(self, organization: str, project: str, repository: str) -> Path:
        """The bare repository on disk, seeded with two commits if it was not there yet."""
        for part in (organization, project, repository):
            if part.startswith(".") or "/" in part or "\0" in part:
                raise ValueError(f"not a name: {part!r}")
        path = self.root / organization / project / f"{repository}.git"
        with self._lock:
            if not path.exists():
                template = self.root / ".template.git"
                if not template.exists():
                    _seed(template)
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copytree(template, path)
        return path

    def reset(self) -> None:
        with self._lock:
            shutil.rmtree(self.root, ignore_errors=True)


def _seed(path: Path) -> None:
    environ = _clean_environ()
    subprocess.run(
        ["git", "init", "-q", "--bare", "--template=", "--initial-branch=main", str(path)],
        check=True,
        env=environ,
    )
    with open(path / "config", "a", encoding="ascii") as config:
        config.write("[http]\n\treceivepack = true\n[core]\n\tfsync = none\n[gc]\n\tauto = 0\n")
    subprocess.run(
        ["git", "--git-dir", str(path), "fast-import", "--quiet"],
        input=_stream_of_commits(),
        check=True,
        env=environ,
    )


def _clean_environ() -> dict[str, str]:
    """Nothing of the caller's git configuration: no GIT_* variable, no HOME."""
    environ = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "TMPDIR")}
    return environ | {
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


def serve_git(request: Request, path: Path, service_path: str, user: str) -> Response:
    """One smart HTTP request, streamed both ways through CGI (RFC 3875)."""
    environ = _clean_environ() | {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "GIT_PROJECT_ROOT": str(path),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": "/" + service_path,
        "QUERY_STRING": request.environ.get("QUERY_STRING", ""),
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_USER": user,
        "REQUEST_METHOD": request.method,
        "SERVER_PROTOCOL": "HTTP/1.1",
    }
    copied: Mapping[str, str | None] = {
        "CONTENT_TYPE": request.headers.get("Content-Type"),
        "CONTENT_LENGTH": request.headers.get("Content-Length"),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding"),
        "HTTP_GIT_PROTOCOL": request.headers.get("Git-Protocol"),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol"),
    }
    environ |= {name: value for name, value in copied.items() if value}
    # Spooled first: a client that stops half-way leaves no git behind, and no thread is needed to
    # write while the answer is read.
    with tempfile.TemporaryFile() as spool:
        if request.method == "POST":
            shutil.copyfileobj(request.environ["wsgi.input"], spool)
            spool.seek(0)
        process = subprocess.Popen(
            ["git", "http-backend"],
            stdin=spool,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
        )
    assert process.stdout is not None
    status, headers = _cgi_head(process.stdout)
    response = Response(_stream(process.stdout), status)
    response.call_on_close(lambda: _end(process))
    for name, value in headers:
        response.headers[name] = value
    return response


def _cgi_head(stdout: IO[bytes]) -> tuple[int, list[tuple[str, str]]]:
    status, headers = 200, []
    while line := stdout.readline().rstrip(b"\r\n"):
        name, _, value = line.decode("latin-1").partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers.append((name, value.strip()))
    if not headers and status == 200:
        status = 502
    return status, headers


def _stream(stdout: IO[bytes]) -> Iterator[bytes]:
    # read1 hands progress on at once, read would wait for a full buffer.
    while chunk := stdout.read1(_CHUNK):  # type: ignore[attr-defined]
        yield chunk


def _end(process: subprocess.Popen[bytes]) -> None:
    """Also when the client went away half-way: git sees a closed pipe and ends."""
    assert process.stdout is not None
    process.stdout.close()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
