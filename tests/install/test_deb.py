"""The Debian package: for everybody on a machine, and gone without a trace."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from msauth import import_path
from msauth_sandbox import Sandbox

from ..conftest import Environment
from .test_install import URL, run

pytestmark = pytest.mark.long
PLACE = Path("/usr/lib/msauth")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("dpkg-deb") or not Path("/usr/bin/python3").exists():
        pytest.skip("there is no dpkg-deb, or no python3 of Debian's, on this machine")
    place = tmp_path_factory.mktemp("deb")
    build = str(place / "build")
    done = run("deb.sh", home=place, cwd=place, MSAUTH_BUILD_DIR=build)
    if "cannot make an environment" in done.stderr:
        pytest.skip("there is no python3-venv on this machine")
    assert done.returncode == 0, done.stderr
    assert os.listdir(build) == ["deb.log"] or os.listdir(build) == []
    (found,) = place.glob("msauth_*.deb")
    return found


def test_nothing_in_it_names_where_it_was_built(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "-x", package, tmp_path], check=True)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert len(files) > 500
    build = str(package.parent).encode()
    assert [path for path in files if build in path.read_bytes()] == []
    assert [
        path
        for path in tmp_path.rglob("*")
        if path.lstat().st_mode & 0o022 and not path.is_symlink()
    ] == []
    programs = sorted(path.name for path in (tmp_path / "usr" / "bin").iterdir())
    share = tmp_path / "usr" / "share"
    for name in programs:
        assert (share / "man" / "man1" / f"{name}.1.gz").is_file()
        assert (share / "bash-completion" / "completions" / name).is_file()
        assert (share / "fish" / "vendor_completions.d" / f"{name}.fish").is_file()
    assert programs == sorted({*import_path.PROGRAMS} - {"msauth-sandbox"})


def test_it_is_installed_used_and_removed(
    package: Path, bare_env: Environment, cloud: Sandbox, tmp_path: Path
) -> None:
    if os.geteuid():
        pytest.skip("only root can install a package")
    if PLACE.exists():
        pytest.skip("the package is installed on this machine already")
    env = bare_env | cloud.environ | cloud.service_principal_environ("contoso")
    env["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    subprocess.run(["dpkg", "-i", package], env=env, check=True, capture_output=True)
    try:
        assert all(path.stat().st_size for path in PLACE.rglob("msauth/**/*.pyo")), "not merged"
        helper = "credential.https://dev.azure.com.helper=msauth"
        path = "credential.https://dev.azure.com.useHttpPath=true"
        clone = ["git", "-c", helper, "-c", path, "clone", "-q", URL, tmp_path / "copy"]
        subprocess.run(clone, env=env, check=True)
        for words in (["msauth-token", "arm"], ["msauth-run", "--", "true"], ["msauth", "status"]):
            subprocess.run(words, env=env | {"PYTHONPATH": "."}, check=True, capture_output=True)
        assert cloud.count("token") == 2
    finally:
        subprocess.run(["dpkg", "--purge", "msauth"], env=env, check=True, capture_output=True)
    assert not PLACE.exists()
    assert not Path("/usr/bin/msauth").exists()
