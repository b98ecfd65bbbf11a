"""Who would sign in for the repositories at hand, as whom, in which tenant, and why."""

import re
import time
from collections.abc import Iterator
from typing import NamedTuple

from ..broker import broker
from ..broker.entry import Entry, read_tenant
from ..cache.folder import Folder
from ..errors import MsauthError, command
from ..request.clouds import DEVOPS_HOST, DEVOPS_SCOPE
from ..request.kinds import order
from ..request.organisations import organisation
from ..request.request import TokenRequest
from ..request.selection import select
from ..setup.doctor import Groups
from ..setup.doctor.machine import Machine
from ..setup.finding import Finding
from ..signin.attempt import Who
from . import who


class Answer(NamedTuple):
    """organisation: "" for none in particular. remembered: its tenant, None when not known."""

    organisation: str
    request: TokenRequest
    explicit: str
    remembered: str | None
    found: who.Answer


def _answers(machine: Machine) -> list[Answer]:
    """Return who would answer for each organisation of the remotes, else for Azure DevOps."""
    names = sorted({name for _, url in machine.remotes if (name := _organisation(url))}) or [""]
    now = int(time.time())
    answers = []
    for name in names:
        remembered = None
        try:
            order(machine.env.get("AZURE_TOKEN_CREDENTIALS", ""))
            selection = select({}, machine.env, organisation=name, host=DEVOPS_HOST)
            with Folder.cache(machine.env) as folder:
                remembered = read_tenant(folder, name, now=now) if name else None
        except MsauthError:
            continue  # the checks of the environment and of the profiles say so
        except OSError:
            pass
        request = selection.request(
            (DEVOPS_SCOPE,),
            interactive=broker.may_prompt(machine.env),
            tenant=remembered or None,
            organisation=name,
        )
        found = _cached(request, now) or who.would_answer(request)
        answers.append(Answer(name, request, selection.explicit_tenant, remembered, found))
    return answers


def _cached(request: TokenRequest, now: int) -> who.Answer | None:
    try:
        with Folder.cache(request.env) as folder:
            token = Entry(folder, request.with_(min_valid=1)).read(now=now)
    except OSError:
        return None
    if token is None:
        return None
    return who.Answer(token.credential, Who(token.account, token.tenant))


def _organisation(url: str) -> str:
    """Return the organisation of a git URL, "" when it is not one of Azure DevOps."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    user, _, host = host.rpartition("@")
    words = (part.encode("utf-8", "surrogateescape") for part in (scheme, host, path, user))
    return organisation(*words) or ""


def _where(organisation: str) -> str:
    return f"{DEVOPS_HOST}/{organisation}" if organisation else "Azure DevOps"


def who_answers(machine: Machine) -> list[tuple[str, str]]:
    """Return a line for each organisation: who would sign in, in which tenant, and why they."""
    lines = []
    for answer in _answers(machine):
        found, name = answer.found, answer.organisation
        if found.problem is not None:
            continue
        why = ""
        if answer.request.profile:
            chosen = "MSAUTH_PROFILE" if "MSAUTH_PROFILE" in machine.env else "its [match]"
            why = f", profile {answer.request.profile} ({chosen})"
        elif answer.request.credential != "auto":
            why = " (MSAUTH_CREDENTIAL)"
        account = f", {found.who.account}" if found.who.account else ""
        tenant = f", tenant {found.who.tenant}" if found.who.tenant else ""
        lines.append((_where(name), f"{found.credential}{account}{tenant}{why}"))
    return lines


def signed_in(machine: Machine) -> Iterator[Finding]:
    """Somebody must be able to sign in, and in the organisation's own tenant."""
    for answer in _answers(machine):
        where = _where(answer.organisation)
        if answer.found.problem is not None:
            yield Finding(
                "nobody-signed-in",
                "error",
                f"nobody would sign in to {where}",
                answer.found.problem,
                answer.request.profile,
                _login(answer),
            )
        yield from _tenant(machine, answer, answer.remembered)


def _login(answer: Answer) -> str:
    hint = answer.found.hint or ""
    if hint.startswith(("msauth ", "az ", "unset ")) and not re.search(r"[…,:]", hint):
        return hint
    words = ["msauth", "login"]
    if answer.request.profile:
        words += ["--profile", answer.request.profile]
    elif answer.request.tenant:
        words += ["--tenant", answer.request.tenant]
    return command(*words, "devops")


def _tenant(machine: Machine, answer: Answer, tenant: str | None) -> Iterator[Finding]:
    """Compare the tenant that was chosen with the organisation's; "" is none at all."""
    where = _where(answer.organisation)
    if tenant == "":
        message = f"{where} belongs to personal accounts"
        why = "it takes no token of Microsoft Entra ID: msauth cannot sign in there"
        yield Finding("organisation-personal", "warning", message, why, where, "")
    if not tenant or not answer.explicit or answer.explicit == tenant:
        return
    if "." in answer.explicit:
        return  # a domain, and only the sign-in service knows whose
    variable = machine.env.get("MSAUTH_TENANT", "").lower() == answer.explicit
    yield Finding(
        "tenant-differs",
        "error",
        f"{where} is in tenant {tenant}, and {answer.explicit} is asked for",
        "it refuses tokens of another tenant",
        "MSAUTH_TENANT" if variable else f"profile {answer.request.profile}",
        "unset MSAUTH_TENANT" if variable else "",
    )


def organisations(machine: Machine) -> Iterator[Finding]:
    """Ask each organisation for its tenant."""
    from ..signin import discovery

    for answer in _answers(machine):
        if not answer.organisation:
            continue
        where = _where(answer.organisation)
        tenant = discovery.probe(answer.organisation, machine.env)
        if tenant is None:
            message = f"{where} does not say which tenant it belongs to"
            why = "the network does not lead there, or there is no such organisation"
            yield Finding("organisation-unknown", "warning", message, why, where, "")
        yield from _tenant(machine, answer, tenant)


CHECKS: Groups = (("sign-in", (signed_in,)),)
ONLINE: Groups = (("sign-in", (signed_in, organisations)),)
