"""`msauth status`: who would answer, and what is cached. No sign-in, no network, no token."""

import os
import time
from typing import Any

from ..broker import broker
from ..broker.entry import Entry
from ..cache import record
from ..cache.folder import VERSION, Folder, Refused, cache_base
from ..errors import MsauthError, UsageError, say
from ..request import profile_file, profiles
from ..request.clouds import cloud_of
from ..request.kinds import KINDS
from ..request.options import FLAG
from ..request.request import TokenRequest
from ..request.selection import select
from . import arguments, show, who

OPTIONS = {**arguments.SIGN_IN_OPTIONS, "--json": FLAG}
HELP = f"""\
usage: msauth status [options]

Shows for each product which credential would answer, as whom and in which tenant, and which
tokens are cached and for how long. Signs nobody in and uses no network.

{arguments.SIGN_IN_HELP}\
  --json                 the same for programs
"""
PRODUCTS = ("arm", "devops", "graph")
Row = dict[str, Any]


def run(argv: list[str]) -> int:
    """Show the status. Raises UsageError."""
    given = arguments.parse_or_help(argv, OPTIONS, HELP)
    if given is None:
        return 0
    options, _ = given
    now = int(time.time())
    selection = select(options, os.environ)
    wanted: list[tuple[str, tuple[str, ...]]] = []
    if "--scope" in options or selection.scopes:
        wanted.append(("", selection.chosen_scopes("", "arm")))
    for product in PRODUCTS:
        try:
            wanted.append((product, selection.scopes_for(product)))
        except UsageError:
            pass  # the cloud does not have it
    requests = [
        (product, selection.request(scopes, interactive=broker.may_prompt(os.environ)))
        for product, scopes in wanted
    ]
    answers = [_answer(product, request, now) for product, request in requests]
    place, problem, cached = _cached(now)
    report = {
        "profile": requests[0][1].profile or None,
        "profiles": _profiles(),
        "cache": {"directory": place, "problem": problem},
        "answers": answers,
        "cached": cached,
    }
    if "--json" in options:
        show.as_json(report)
    else:
        _tell(report, now)
    return 0


def _answer(product: str, request: TokenRequest, now: int) -> Row:
    """Return who answers for a product: from the cached token, else from what is set up here."""
    row: Row = {"product": product or None, "scopes": list(request.scopes)}
    try:
        with Folder.cache(request.env) as folder:
            token = Entry(folder, request.with_(min_valid=1)).read(now=now)
    except OSError:
        token = None
    if token is not None:
        found = who.Who(token.credential, token.account, token.tenant, None)
    else:
        found = who.would_answer(request)
    expires_on = token.expires_on if token else 0
    return row | {
        "credential": found.credential or None,
        "account": found.account or None,
        "tenant": found.tenant or None,
        "cached": token is not None,
        "expires_on": expires_on or None,
        "expires_at": show.rfc3339(expires_on),
        "problem": found.problem,
    }


def _cached(now: int) -> tuple[str | None, str | None, list[Row]]:
    """Return the cache's directory, what is wrong with it, and a row for each token."""
    place = None
    rows = []
    try:
        place = f"{cache_base(os.environ)}/{VERSION}"
        with Folder.open(place) as folder:
            for name in folder.names(record.TOKEN):
                found = folder.record(name, None)
                if found is not None:
                    rows.append(_row(folder, found[0], now))
    except FileNotFoundError:
        return place, None, []
    except Refused as refused:
        return None, f"{refused.message}; {refused.fix}", []
    except OSError as error:
        return place, error.strerror or "cannot be read", []
    rows.sort(key=lambda row: (row["profile"] or "", row["scopes"], row["tenant"] or ""))
    return place, None, rows


def _product_of(scopes: str, authority: str) -> str:
    """Return a product's short name for its scope (several are joined by a space), else ""."""
    try:
        return cloud_of(authority).product(scopes)
    except UsageError:
        return ""


def _superseded(attributes: dict[str, str]) -> bool:
    """Say whether another person has signed in with the tool that a record depends on."""
    stamps = {kind.stamp for kind in KINDS.values() if kind.stamp is not None}
    return any(
        attributes.get(f"request.stamp.{stamp.__name__}", "") not in ("", stamp(os.environ))
        for stamp in stamps
    )


def _row(folder: Folder, attributes: dict[str, str], now: int) -> Row:
    get = attributes.get
    number = record.number
    profile = get("request.profile", "")
    expires_on = number(get("expires_on"))
    state = "valid"
    if get("epoch") != folder.generation(profile):
        state = "signed out"
    elif expires_on <= now:
        state = "expired"
    elif _superseded(attributes):
        state = "superseded"  # az has signed in or out since
    row: Row = {
        "product": _product_of(get("request.scope", ""), get("request.authority", "")) or None,
        "scopes": get("request.scope", "").split(" "),
        "profile": profile or None,
        "asked_credential": get("request.credential") or None,
        "credential": get("credential") or None,
        "client_id": get("request.client_id") or None,
        "authority": get("request.authority") or None,
        "account": get("account") or None,
        "tenant": get("tenant") or None,
        "state": state,
    }
    for name in ("issued", "refresh_on", "expires_on"):
        row[name] = number(get(name)) or None
        row[name.replace("_on", "") + "_at"] = show.rfc3339(number(get(name)))
    row["expires_at"] = row.pop("expires_at")
    return row


def _profiles() -> Row:
    where = profiles.path(os.environ)
    problem = None
    names: list[str] = []
    try:
        names = profile_file.names(where)
    except MsauthError as error:
        problem = error.message
    return {"file": where, "names": names, "problem": problem}


def _tell(report: Row, now: int) -> None:
    rows = []
    for answer in report["answers"]:
        state = "not cached"
        if answer["cached"]:
            state = f"cached for {show.words(answer['expires_on'] - now)}"
        elif answer["problem"]:
            state = answer["problem"]
        rows.append(
            (
                answer["product"] or " ".join(answer["scopes"]),
                answer["credential"] or "nobody",
                answer["account"] or "",
                answer["tenant"] or "",
                state,
            )
        )
    show.table("who answers", ("for", "credential", "account", "tenant", ""), rows)
    tokens = []
    for row in report["cached"]:
        state = row["state"]
        if state == "valid":
            state = show.words(row["expires_on"] - now)
        tokens.append(
            (
                row["product"] or " ".join(row["scopes"]),
                row["profile"] or "",
                row["credential"] or "",
                row["account"] or "",
                row["tenant"] or "",
                state,
            )
        )
    columns = ("for", "profile", "credential", "account", "tenant", "valid for")
    show.table("cached tokens", columns, tokens)
    if not tokens:
        show.paragraph("no token is cached")
    facts = [("cache", report["cache"]["directory"] or "")]
    if report["profiles"]["names"] or report["profile"]:
        facts.append(("profiles", report["profiles"]["file"]))
        facts.append(("", ", ".join(report["profiles"]["names"])))
    show.facts(facts)
    for part in ("cache", "profiles"):
        if report[part]["problem"]:
            say("warning", report[part]["problem"])
