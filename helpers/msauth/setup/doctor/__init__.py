"""What `msauth doctor` looks for: one table of checks, each a function from a machine to findings.

A check changes nothing, asks nobody and stays off the network; those of `ONLINE` do not. It runs no
program of a folder that it looks at, and says nothing of a secret but where it is.
"""

from collections.abc import Callable, Iterable

from ..finding import Finding
from . import azure, cache, environment, network, programs, surroundings, tokens
from .machine import Machine

Check = Callable[[Machine], Iterable[Finding]]
Groups = tuple[tuple[str, tuple[Check, ...]], ...]

CHECKS: Groups = (
    ("personal access tokens", (tokens.files, tokens.variables)),
    ("programs", (programs.ours, programs.git, programs.azure_cli)),
    ("git and kubectl", (programs.git_configuration, programs.kubeconfigs)),
    ("package managers and registries", (programs.package_managers, programs.registries)),
    (
        "environment",
        (
            environment.unknown,
            environment.wrong,
            environment.ci,
            environment.paths,
            environment.umask,
        ),
    ),
    (
        "sign-in",
        (
            azure.principal,
            azure.files,
            azure.subscription,
            azure.profiles,
            azure.encrypted,
        ),
    ),
    (
        "network",
        (
            network.proxy,
            network.no_proxy,
            network.authorities,
            network.unverified,
        ),
    ),
    ("cache", (cache.place, cache.file_system, cache.runtime)),
    (
        "surroundings",
        (
            surroundings.wsl,
            surroundings.browser,
        ),
    ),
)
"""The checks in groups, in the order in which they are told."""

ONLINE: Groups = (("network", (network.reachable,)),)
"""What is only done when a person asks for it."""


def findings(machine: Machine, more: Groups = ()) -> list[tuple[str, list[Finding]]]:
    """Return what is wrong, in groups; a group without findings is left out.

    more: checks of a room above this one.
    """
    groups: dict[str, list[Finding]] = {}
    for name, checks in (*CHECKS, *more, *(ONLINE if machine.online else ())):
        for check in checks:
            for finding in check(machine):
                if finding not in groups.setdefault(name, []):
                    groups[name].append(finding)
    return [(name, found) for name, found in groups.items() if found]
