"""How long a cached answer takes, against `python -c pass` of the same environment.

    python tests/bench/benchmark.py [--pairs N] [--only NAME]

Run it with the Python of the environment that msauth is installed in. It fills a cache of its own
with a made-up token, so it needs no sign-in and no network. Each pair is the bare interpreter and
the program, one directly after the other, so that a busy machine slows both. Printed are medians
of wall-clock time, the median of the pairs' ratios, the ratio of the minima, and of the
processor time of each kind. No test asserts these numbers: a machine's load is not a defect.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

STDIN = b"protocol=https\nhost=dev.azure.com\npath=contoso/hello/_git/hello\n"
FEED = "https://pkgs.dev.azure.com/contoso/_packaging/hello"
CARGO = b'{"v":1,"registry":{"index-url":"sparse+%s/Cargo/index/"},"kind":"get"}\n' % FEED.encode()
TENANT = "11111111-1111-1111-1111-111111111111"
TRUE = shutil.which("true", path="/usr/bin:/bin") or "true"
PASS = [sys.executable, "-c", "pass"]
CASES: dict[str, tuple[list[str], bytes, float | None]] = {
    "git-credential-msauth get": (["git-credential-msauth", "get"], STDIN, 1.15),
    "git-credential-msauth store": (
        ["git-credential-msauth", "store"],
        STDIN + b"username=x\npassword=y\n",
        1.10,
    ),
    "docker-credential-msauth get": (
        ["docker-credential-msauth", "get"],
        b"contoso.azurecr.io",
        1.15,
    ),
    "msauth-token": (["msauth-token", "aks"], b"", None),
    "msauth-token go": (["msauth-token", "go"], b"", 1.15),
    "msauth-token go URL": (
        ["msauth-token", "go", f"{FEED}/go/x/@v/list"],
        b"HTTP/1.1 401 Unauthorized\n\n",
        None,
    ),
    "cargo-credential-msauth": (["cargo-credential-msauth", "--cargo-plugin"], CARGO, 2.0),
    "bazel-credential-msauth get": (
        ["bazel-credential-msauth", "get"],
        b'{"uri":"%s"}' % FEED.encode(),
        None,
    ),
    "pnpm-token-msauth": (["pnpm-token-msauth"], b"", None),
    "msauth-run -- true": (["msauth-run", "--", TRUE], b"", None),
}
"""What is run, its input, and the ratio that it shall stay under."""


def timed(command: list[str], stdin: bytes, env: dict[str, str]) -> tuple[float, float]:
    """Run a command; return its wall-clock and its processor time in milliseconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(command, input=stdin, stdout=subprocess.DEVNULL, env=env, check=True)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall * 1000, cpu * 1000


def instructions(command: list[str], stdin: bytes, env: dict[str, str]) -> int | None:
    """Return the user-space instructions of a command, where perf can count them."""
    perf = shutil.which("perf")
    if perf is None:
        return None
    done = subprocess.run(
        [perf, "stat", "-x,", "-e", "instructions:u", "--", *command],
        input=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=env,
        check=False,
    )
    value = done.stderr.rpartition(b"instructions")[0].rpartition(b"\n")[2].split(b",")[0]
    return int(value) if value.isdigit() else None


def measure(name: str, pairs: int, env: dict[str, str]) -> None:
    command, stdin, limit = CASES[name]
    program = shutil.which(command[0], path=env["PATH"])
    if program is None:
        print(f"{name:30} not installed")
        return
    command = [program, *command[1:]]
    base = [(PASS, b"")] + ([([TRUE], b"")] if name.startswith("msauth-run") else [])
    for _ in range(3):  # warm the page cache
        timed(command, stdin, env)
        timed(PASS, b"", env)
    bare: list[tuple[float, float]] = []
    ours: list[tuple[float, float]] = []
    for _ in range(pairs):
        parts = [timed(*each, env) for each in base]
        bare.append((sum(wall for wall, _ in parts), sum(cpu for _, cpu in parts)))
        ours.append(timed(command, stdin, env))
    ratio = statistics.median(o / b for (o, _), (b, _) in zip(ours, bare, strict=True))
    median = [statistics.median(wall for wall, _ in each) for each in (ours, bare)]
    least = min(o for o, _ in ours) / min(b for b, _ in bare)
    cpu = statistics.mean(c for _, c in ours) / statistics.mean(c for _, c in bare)
    verdict = ""
    if limit is not None:
        verdict = f"  (limit {limit:.2f}: {'ok' if ratio <= limit else 'over'})"
    print(
        f"{name:30} {median[0]:7.2f} ms  bare {median[1]:7.2f} ms  "
        f"ratio {ratio:.3f}  of minima {least:.3f}  of cpu {cpu:.3f}{verdict}"
    )
    counted = instructions(command, stdin, env), instructions(PASS, b"", env)
    if counted[0] and counted[1]:
        share = counted[0] / counted[1]
        print(f"{'':30} instructions {counted[0]:,} / {counted[1]:,} = {share:.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--pairs", type=int, default=60, help="pairs of each kind (at least 30)")
    parser.add_argument("--only", choices=CASES, help="measure one kind only")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="msauth-benchmark-") as folder:
        env = {
            "PATH": f"{sysconfig.get_path('scripts')}:/usr/bin:/bin",
            "HOME": folder,
            "LANG": "C.UTF-8",
            "MSAUTH_CACHE_DIR": os.path.join(folder, "cache"),
            "MSAUTH_TENANT": TENANT,
            "AZURE_CONFIG_DIR": os.path.join(folder, "azure"),
        }
        subprocess.run(
            [sys.executable, str(Path(__file__).parent.parent / "cache" / "seed.py")],
            env=env,
            check=True,
        )
        get, stdin, _ = CASES["git-credential-msauth get"]
        program = shutil.which(get[0], path=env["PATH"])
        if program is None:
            print("msauth is not installed in this environment", file=sys.stderr)
            return 1
        answer = subprocess.run(
            [program, *get[1:]], input=stdin, env=env, capture_output=True, check=False
        )
        assert b"password=ey" in answer.stdout, answer.stderr
        version = sys.version.split()[0]
        print(f"Python {version}, {max(30, options.pairs)} interleaved pairs of each, medians")
        for name in [options.only] if options.only else CASES:
            measure(name, max(30, options.pairs), env)
    return 0


if __name__ == "__main__":
    sys.exit(main())
