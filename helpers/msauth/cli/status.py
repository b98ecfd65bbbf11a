"""`msauth status`: who would answer, and what is cached. No sign-in, no network, no token."""

import os
import time
from typing import Any

from ..cache import folder as directory
from ..cache import reader, record, writer
from ..errors import MsauthError, UsageError, say
from ..request import profile_file, profiles
from ..request.clouds import normalise_scope, scopes_for
from ..request.options import FLAG, many
from ..request.request import TokenRequest, az_stamp
from ..request.selection import authority_of, profile_scopes, request_for
from . import arguments as asked
from . import show, who

HELP = f"""\
usage: msauth status [options]

Shows for each product which credential would answer, as whom and in which tenant, and which
tokens are cached and for how long. Signs nobody in and uses no network.

{asked.SIGN_IN_HELP}\
  --json                 the same for programs
"""
PRODUCTS = ("arm", "devops", "graph")
Row = dict[str, Any]


def run(argv: list[str]) -> int:
    """Show the status. Raises UsageError."""
    given = asked.understood(argv, {**asked.SIGN_IN_OPTIONS, "--json": FLAG}, HELP)
    if given is None:
        return 0
    options, _ = given
    env, now = os.environ, int(time.time())
    authority = authority_of(options, env)
    wanted: list[tuple[str, tuple[str, ...]]] = []
    own = tuple(map(normalise_scope, many(options, "--scope"))) or profile_scopes(options, env)
    if own:
        wanted.append(("", own))
    for product in PRODUCTS:
        try:
            wanted.append((product, scopes_for(product, authority)))
        except UsageError:
            pass  # the cloud does not have it
    requests = [
        (product, request_for(scopes, options, env, interactive=asked.may_ask()))
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
    token = reader.read(request.with_(min_valid=1), now=now)
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
    try:
        place = directory.path()
        descriptor = directory.open_directory()
    except FileNotFoundError:
        return place, None, []
    except directory.Refused as refused:
        return None, f"{refused.message}; {refused.fix}", []
    except OSError as error:
        return place, error.strerror or "cannot be read", []
    rows = []
    try:
        for name in writer.names(descriptor, reader.TOKEN):
            found = reader.read_record(descriptor, name, None)
            if found is not None:
                rows.append(_row(descriptor, found, now))
    finally:
        os.close(descriptor)
    rows.sort(key=lambda row: (row["profile"] or "", row["scopes"], row["tenant"] or ""))
    return place, None, rows


def _row(descriptor: int, found: tuple[dict[str, str], bytes], now: int) -> Row:
    attributes = found[0]
    get = attributes.get
    number = record.number
    profile = get("request.profile", "")
    expires_on = number(get("expires_on"))
    state = "valid"
    if get("epoch") != reader.epoch(descriptor, profile):
        state = "signed out"
    elif expires_on <= now:
        state = "expired"
    elif get("request.az") not in (None, az_stamp(os.environ)):
        state = "superseded"  # az has signed in or out since
    row: Row = {
        "product": asked.product_of(get("request.scope", ""), get("request.authority", "")) or None,
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
            say("msauth", "warning", report[part]["problem"])
