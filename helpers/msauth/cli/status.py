"""`msauth status`: who would answer, and what is cached. No sign-in, no network, no token."""

import os
import time
from typing import Any

from ..broker import broker, changes
from ..broker.entry import Entry, organisations, read_tenant
from ..cache import record
from ..cache.folder import VERSION, Folder, cache_base
from ..cache.private import Refused
from ..errors import MsauthError, UsageError, say
from ..request import profile_file, profiles
from ..request.clouds import DEVOPS_SCOPE, cloud_of
from ..request.kinds import KINDS, quoted
from ..request.options import FLAG, MATCH, Options
from ..request.request import TokenRequest
from ..request.selection import Selection, select
from ..signin.attempt import Who
from . import arguments, show, who

HELP = f"""\
usage: msauth status [options] [PRODUCT]

Shows which credential would answer, as whom and in which tenant: for the product or --scope that
is asked for, else for a profile's scopes and each usual product, and for the organisations of
Azure DevOps that git has asked for lately. Shows also which profile is used and why, and which
tokens are cached and for how long. Signs nobody in and uses no network.
Exit code 1 when nothing would answer for any of these.

{arguments.SIGN_IN_HELP}\
  --json                 the same for programs
"""
OPTIONS = {**arguments.SIGN_IN_OPTIONS, "--json": FLAG}
PRODUCTS = ("arm", "devops", "graph")
Row = dict[str, Any]


def run(argv: list[str]) -> int:
    """Show the status; 1 when nothing would answer. Raises UsageError."""
    given = arguments.parse_or_help(argv, OPTIONS, HELP, words=1)
    if given is None:
        return 0
    options, words = given
    now = int(time.time())
    selection = select(options, os.environ)
    answers = [_answer(*asked, now) for asked in _asked(options, "".join(words), selection, now)]
    place, problem, cached = _cached(now)
    report = {
        "profile": selection.profile or None,
        "profile_from": _profile_from(options, selection),
        "profiles": _profiles(),
        "cache": {"directory": place, "problem": problem},
        "answers": answers,
        "cached": cached,
    }
    if "--json" in options:
        show.as_json(report)
    else:
        _tell(report, now)
    if any(row["problem"] is None for row in answers):
        return 0
    hints = [row["hint"] for row in answers if row["hint"]]
    if hints and "--json" not in options:
        say("hint", hints[0])
    return 1


def _profile_from(options: Options, selection: Selection) -> str | None:
    if not selection.profile:
        return None
    return "--profile" if "--profile" in options else "MSAUTH_PROFILE"


def _asked(
    options: Options, word: str, selection: Selection, now: int
) -> list[tuple[str, TokenRequest]]:
    """Return a product's name, or "", and the request for each thing that is asked about."""
    interactive = broker.may_prompt(os.environ)
    wanted: list[tuple[str, tuple[str, ...]]] = []
    if word or "--scope" in options or selection.scopes:
        wanted.append((word, selection.chosen_scopes(word, "arm")))
    if not word and "--scope" not in options:
        for product in PRODUCTS:
            try:
                wanted.append((product, selection.scopes_for(product)))
            except UsageError:
                pass  # the cloud does not have it
    asked = [(name, selection.request(scopes, interactive=interactive)) for name, scopes in wanted]
    if any(scopes == (DEVOPS_SCOPE,) for _, scopes in wanted):
        for organisation, tenant in _organisations(now):
            chosen = select(options, os.environ, organisation=organisation)
            request = chosen.request(
                (DEVOPS_SCOPE,),
                interactive=interactive,
                tenant=tenant or None,
                organisation=organisation,
            )
            asked.append(("devops", request))
    return asked


def _organisations(now: int) -> list[tuple[str, str]]:
    """Return the organisations whose tenant git would not ask for again, and that tenant."""
    try:
        with Folder.cache(os.environ) as folder:
            found = {name: read_tenant(folder, name, now=now) for name in organisations(folder)}
    except OSError:
        return []
    return [(name, tenant) for name, tenant in sorted(found.items()) if tenant is not None]


def _answer(product: str, request: TokenRequest, now: int) -> Row:
    """Return who answers: from the token that would be served, else from what is set up here."""
    token = failure = None
    try:
        with Folder.cache(request.env) as folder:
            if not request.force_refresh:
                token = Entry(folder, request).read(now=now)
                failure = changes.recall(folder, request)
    except OSError:
        pass
    if token is not None:
        found = who.Answer(token.credential, Who(token.account, token.tenant))
    else:
        found = who.would_answer(request)
        if failure is not None:  # asked again this soon, it is the answer
            found = found._replace(problem=failure.message, hint=failure.hint)
    expires_on = token.expires_on if token else 0
    return {
        "product": product or None,
        "scopes": list(request.scopes),
        "organisation": request.organisation or None,
        "profile": request.profile or None,
        "credential": found.credential or None,
        "account": found.who.account or None,
        "tenant": found.who.tenant or None,
        "cached": token is not None,
        "asks": found.who.asks,
        "expires_on": expires_on or None,
        "expires_at": show.rfc3339(expires_on),
        "problem": found.problem,
        "hint": found.hint,
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
    env = dict(os.environ)
    for kind in KINDS.values():  # a profile may have named the folder of the tool's files
        for variable in kind.values:
            env.pop(variable, None)
            value = attributes.get(f"request.env.{variable}")
            if value is not None and quoted(value) == value:
                env[variable] = value
    stamps = {kind.stamp for kind in KINDS.values() if kind.stamp is not None}
    return any(
        attributes.get(f"request.stamp.{stamp.__name__}", "") not in ("", stamp(env))
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
        "asked_tenant": get("request.tenant") or None,
        "registry": get("request.registry") or None,
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
    matches: dict[str, str] = {}
    try:
        names = profile_file.names(where)
        matches = profile_file.load(where, MATCH)[0] if names else {}
    except MsauthError as error:
        problem = error.message
    return {"file": where, "names": names, "matches": matches, "problem": problem}


def _tell(report: Row, now: int) -> None:
    rows = [
        (
            _for(row),
            row["credential"] or "nobody",
            row["account"] or "",
            row["tenant"] or "",
            _state(row, now),
        )
        for row in report["answers"]
    ]
    show.table("who answers", ("for", "credential", "account", "tenant", "state"), rows)
    tokens = _tokens(report["cached"], now)
    columns = ("for", "profile", "credential", "account", "tenant", "valid for")
    show.table("cached tokens", columns, tokens)
    if not tokens:
        show.paragraph("no token is cached")
    known = report["profiles"]
    chosen = f"{report['profile']} (by {report['profile_from']})" if report["profile"] else ""
    facts = [("cache", report["cache"]["directory"] or ""), ("profile", chosen)]
    if known["names"] or report["profile"]:
        facts += [("profiles", known["file"]), ("", ", ".join(known["names"]))]
        facts += [("", f"{name} uses {profile}") for name, profile in known["matches"].items()]
    show.facts(facts)
    for part in ("cache", "profiles"):
        if report[part]["problem"]:
            say("warning", report[part]["problem"])


def _for(row: Row) -> str:
    what = row["product"] or " ".join(row["scopes"])
    whose = row.get("organisation") or row.get("registry")
    return f"{what} of {whose}" if whose else str(what)


def _state(row: Row, now: int) -> str:
    if row["cached"]:
        return f"cached for {show.words(row['expires_on'] - now)}"
    problem: str = row["problem"] or ""
    return problem.partition("\n")[0] or ("would ask you" if row["asks"] else "not cached")


def _tokens(cached: list[Row], now: int) -> list[tuple[str, ...]]:
    """Return the tokens to show: one of those that differ only in how they were asked for."""
    longest: dict[tuple[str, ...], Row] = {}
    for row in cached:
        names = ("profile", "credential", "account", "tenant", "state")
        shown = (_for(row), *(row[name] or "" for name in names))
        other = longest.get(shown)
        if other is None or (row["expires_on"] or 0) > (other["expires_on"] or 0):
            longest[shown] = row
    return [
        (*shown, show.words(row["expires_on"] - now) if state == "valid" else state)
        for (*shown, state), row in longest.items()
    ]
