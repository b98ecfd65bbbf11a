"""The programs: ours, git, az and kubectl, and how git and kubectl are configured."""

import os
from collections.abc import Iterator
from typing import Literal

from ...errors import MsauthError, command
from ...import_path import PROGRAMS
from ...signin.az_cache import AzCache
from ...signin.programs import which
from .. import cargo, docker, git_findings, git_settings, go, journal, kubectl, pip, pnpm, uv
from ..finding import Finding
from .machine import Machine

_GIT_LOSES: tuple[tuple[tuple[int, int], Literal["warning", "note"], str], ...] = (
    # version, severity, what works from there on
    ((2, 31), "warning", "msauth-run --for git does not reach it"),
    ((2, 41), "note", "it does not tell msauth the tenant, which costs a request"),
    ((2, 46), "note", "it takes tokens as passwords, and asks the server twice"),
)
_SAID_BETTER = ("git-extra-header", "git-remote-secret", "git-url-secret", "pnpm-token")
"""Tokens in files of git's and pnpm's: they are found as personal access tokens."""


def ours(machine: Machine) -> Iterator[Finding]:
    """Our programs must be on PATH, and of one installation."""
    folder = os.path.dirname(os.path.realpath(machine.program)) if machine.program else ""
    if not folder:
        return
    missing = []
    for name in PROGRAMS:
        beside = os.path.join(folder, name)
        if name == "msauth-sandbox" or not os.path.exists(beside):
            continue
        found = which(name, machine.env)
        if found is None:
            missing.append(name)
        elif os.path.dirname(os.path.realpath(found)) != folder:
            yield Finding(
                "program-shadowed",
                "warning",
                f"another {name} is first on PATH",
                "it may be of another version, with another cache",
                found,
                f'export PATH={command(folder)}:"$PATH"',
            )
    if missing:
        yield Finding(
            "program-missing",
            "warning",
            f"not on PATH: {', '.join(missing)}",
            "kubectl, scripts and SDKs find them by their names",
            folder,
            f'export PATH={command(folder)}:"$PATH"',
        )


def git(machine: Machine) -> Iterator[Finding]:
    """Older versions of git can do less."""
    program = which("git", machine.env)
    if program is None:
        why = "git is what git-credential-msauth works for"
        yield Finding(
            "git-missing", "warning", "git is not installed", why, "", "apt-get install git"
        )
        return
    version = git_settings.numbers(git_settings.version(machine.env))
    losses = [(rank, text) for least, rank, text in _GIT_LOSES if version < least]
    if version and losses:
        number, newest = (".".join(map(str, each)) for each in (version, _GIT_LOSES[-1][0]))
        why = "; ".join(text for _, text in losses)
        message = f"git {number} is older than {newest}"
        yield Finding("git-old", losses[0][0], message, why, program, "")


def azure_cli(machine: Machine) -> Iterator[Finding]:
    """Somebody who has signed in with az has it."""
    if which("az", machine.env) or machine.env.get("MSAUTH_CREDENTIAL") not in (
        None,
        "auto",
        "azure-cli",
    ):
        return
    cache = AzCache(machine.env)
    if cache.signed_in:
        yield Finding(
            "az-missing",
            "warning",
            "somebody signed in with az, and az is not on PATH",
            "its sign-in is not used: the kind azure-cli needs az itself",
            cache.directory,
            "export MSAUTH_CREDENTIAL=azure-cli-cache",
        )


def git_configuration(machine: Machine) -> Iterator[Finding]:
    """Ask git what stands in the way of msauth, in each folder."""
    for folder in machine.folders:
        for finding in git_findings.findings(machine.env, folder):
            if finding.id not in _SAID_BETTER:
                yield finding


def kubeconfigs(machine: Machine) -> Iterator[Finding]:
    """Look into the kubeconfigs that kubectl reads."""
    yield from kubectl.findings(machine.env)


def registries(machine: Machine) -> Iterator[Finding]:
    """Look into the files in which container clients keep how they sign in."""
    yield from docker.findings(machine.env)


def package_managers(machine: Machine) -> Iterator[Finding]:
    """Look at what may keep the tools that `msauth setup` has set up from asking msauth."""
    for module in (pip, uv, pnpm, cargo, go):
        target = module.TARGET
        if target.findings is None or not journal.edited(target.name, machine.env):
            continue
        try:
            found = target.findings(machine.env)
        except MsauthError as error:
            why = "nobody knows whether it asks msauth"
            fix = error.hint or ""
            yield Finding("feeds-unknown", "error", error.message, why, "", fix)
            continue
        for finding in found:
            if finding.id not in _SAID_BETTER and not finding.id.startswith("pat-"):
                yield finding
