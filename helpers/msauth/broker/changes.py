"""Changing the cache: keeping a token, forgetting one, signing out."""

import os
import time

from ..cache import record, rejections
from ..cache.folder import LOCK, TEMPORARY, Folder
from ..cache.record import FORCED, GIVEN, HOLDERS, REJECTED, RENEWING, TENANT, TOKEN
from ..errors import SignInError, UnavailableError, trace
from ..request.kinds import KINDS, quoted
from ..request.request import Token, TokenRequest
from .entry import organisation_key, signal_of

FAILURE = ".fail"
_ABANDONED = 600
"""Seconds after which a temporary can only be of a writer that was killed."""
_FIRST, _LONGEST, _NETWORK = 5, 60, 3
"""Seconds: the first memory of a sign-in error, its longest, and that of a network error."""
_PASSING = (*(TOKEN, REJECTED, rejections.CLAIMS, FAILURE, GIVEN, FORCED, RENEWING, HOLDERS),)
"""What says nothing any more when it is older than a refusal can be."""
PRUNED = "pruned"
_PRUNE_EVERY = 900
"""Seconds; an empty file's time says when the folder was tidied last."""
_MARKED = sorted({name for kind in KINDS.values() for name in kind.secrets})


def keep(
    folder: Folder, request: TokenRequest, token: Token, *, generation: str, claims: str | None
) -> bool:
    """Write a token's record, and say whether it stays; raises OSError when it cannot be written.

    generation: as read before the token was asked for, so that a logout meanwhile wins.
    """
    payload = token.text.encode("utf-8", "surrogateescape")
    if not record.is_token(payload):
        return False
    attributes = {
        "epoch": generation,
        "issued": str(token.issued),
        "written": str(time.time_ns()),
        "refresh_on": str(token.refresh_on),
        "expires_on": str(token.expires_on),
        "tenant": _line(token.tenant),
        "account": _line(token.account),
        "credential": _line(token.credential),
        "fingerprint": token.fingerprint,
        "signal": signal_of(token.credential, request.env),
    }
    if claims is not None:
        attributes["claims"] = record.fingerprint(claims)
    name = request.record_name + TOKEN
    before = folder.record(name, None)
    # First, so that a refusal finds the record however soon it comes.
    if request.record_name not in _holders(folder, token.fingerprint):
        folder.append(token.fingerprint + HOLDERS, f"{request.record_name}\n".encode("ascii"))
    folder.write(name, record.encode(request.cache_key, attributes, payload))
    earlier = before[0].get("fingerprint", "") if before is not None else ""
    if earlier != token.fingerprint and _holders(folder, earlier) == [request.record_name]:
        folder.remove(earlier + HOLDERS)
    rejected = rejections.concerns(folder, token.fingerprint, "")
    dead = rejected or folder.generation(request.profile) != generation
    if dead:
        evict(folder, name, token.text)  # a miss already; none stays behind a logout or an erase
    _prune(folder)
    return not dead


def evict(folder: Folder, name: str, token: str) -> bool:
    """Remove a record if it holds exactly this token; say whether it did."""
    return _holds(folder, name, token) and folder.remove(name)


def _holds(folder: Folder, name: str, token: str) -> bool:
    from hmac import compare_digest

    found = folder.record(name, None)
    return found is not None and compare_digest(found[1], token.encode("utf-8", "replace"))


def reject(folder: Folder, token: str, organisation: str, claims: str | None) -> list[str]:
    """Take note that a server refused a token; return the names of the records that hold it.

    claims: of the refusal's challenge, kept for the next sign-in of each key that held the
    token. A full disk can take no note, but then what is cached goes. A record goes too once
    the refusal concerns everybody.
    """
    fingerprint = record.fingerprint(token)
    try:
        rejections.reject(folder, fingerprint, organisation, claims)
    except OSError:
        noted = False
    else:
        noted = True
    holders = []
    for stem in _holders(folder, fingerprint):
        name = stem + TOKEN
        if not _holds(folder, name, token):
            continue
        if claims is not None:
            try:
                rejections.keep_claims(folder, stem, claims)
            except OSError:
                pass
        if not noted or rejections.concerns(folder, fingerprint, ""):
            with folder.lock(stem, timeout=2):
                evict(folder, name, token)
        holders.append(name)
    _prune(folder)
    return holders


def tokens_of_registry(folder: Folder, registry: str) -> list[str]:
    """Return what is cached for a container registry, whoever asked; raises OSError."""
    found = (folder.record(name, None) for name in folder.names(TOKEN))
    return [
        payload.decode("ascii", "replace")
        for attributes, payload in filter(None, found)
        if attributes.get("request.registry") == registry
    ]


def _holders(folder: Folder, fingerprint: str) -> list[str]:
    """Return the stems of the records that may hold a token.

    Looking into every record would cost more the more there are.
    """
    data = folder.read(fingerprint + HOLDERS) or b""
    stems = {line for line in data.decode("ascii", "replace").split("\n") if line.isalnum()}
    return sorted(stems)


def supersede(folder: Folder, request: TokenRequest, token: Token, kinds: tuple[str, ...]) -> bool:
    """End the selection's generation if somebody else was signed in with it; say whether.

    token: of a sign-in that a person has just made. kinds: those in which the person is asked.
    """
    for name in folder.names(TOKEN):
        found = folder.record(name, None)
        if found is None:
            continue
        get = found[0].get
        same = get("request.profile", "") == quoted(request.profile)
        if same and get("credential") in kinds and get("account") != _line(token.account):
            try:
                folder.end_generation(request.profile)
            except OSError:  # the disk is full; what is removed is not served either
                for other in folder.names(TOKEN):
                    folder.remove(other)
            return True
    return False


def logout(folder: Folder, profile: str | None) -> int:
    """End the cached sign-ins of a profile ("" without one), or of everybody (None).

    The new generation comes first: from then on every older record is a miss, also one that a
    renewal in flight writes later. Then the files go. Returns how many tokens were removed.
    Raises OSError when the generation cannot be written, with nothing removed.
    """
    folder.end_generation(profile)
    removed = 0
    for file in folder.names(TOKEN):
        found = folder.record(file, None)
        owner = None if found is None else found[0].get("request.profile", "")
        if profile is None or owner == quoted(profile):
            removed += folder.remove(file)
    # Failures and refusals say nothing of whose they are; without one a sign-in is tried again.
    for suffix in (FAILURE, REJECTED, rejections.CLAIMS, *((TENANT,) if profile is None else ())):
        for file in folder.names(suffix):
            folder.remove(file)
    # A killed writer's temporary holds a token too; a living writer has answered already.
    for file in folder.listing():
        if file.endswith(TEMPORARY) and TOKEN + "." in file:
            folder.remove(file)
    return removed


def erase(path: str) -> None:
    """Empty a cache directory of ours at another place; raises OSError, as `Folder.open`."""
    with Folder.open(path) as folder:
        logout(folder, None)
        for name in folder.listing():
            if not name.endswith(LOCK):
                folder.remove(name)


def recall(folder: Folder, request: TokenRequest) -> SignInError | None:
    """Return the failure that still stands for this key, or None."""
    found = _failure(folder, request)
    if found is None:
        return None
    attributes, message, hint, tried = found
    number = record.number
    if not number(attributes.get("issued")) - 300 <= time.time() < number(attributes.get("until")):
        return None
    if attributes.get("mark") != _mark(folder, request):
        return None
    if request.interactive and attributes.get("interactive") != "1":
        return None  # the one that failed could not ask anybody; this one can
    kind = UnavailableError if attributes.get("unavailable") == "1" else SignInError
    failure = kind(message, hint, deterministic=attributes.get("deterministic") == "1")
    failure.tried = tried
    for line in tried:
        trace(f"a moment ago: {line}", request.env)
    return failure


def remember(folder: Folder, request: TokenRequest, error: SignInError) -> None:
    """Write a failure down for a moment, so that a crowd does not hammer a server; never raises."""
    now = int(time.time())
    seconds = _NETWORK
    if error.deterministic:
        earlier = _failure(folder, request)
        last = record.number(earlier[0].get("seconds")) if earlier else 0
        seconds = min(_LONGEST, last * 2) if last else _FIRST
    attributes = {
        "issued": str(now),
        "until": str(now + seconds),
        "seconds": str(seconds),
        "deterministic": "1" if error.deterministic else "0",
        "unavailable": str(int(isinstance(error, UnavailableError))),
        "interactive": str(int(request.interactive or error.asks_nobody)),
        "mark": _mark(folder, request),
    }
    texts = (error.message, error.hint or "", *error.tried)
    payload = "\0".join(texts).encode("utf-8", "surrogateescape")
    data = record.encode(request.cache_key, attributes, payload)
    try:
        folder.write(request.record_name + FAILURE, data)
    except OSError:
        pass


def forget_failures(folder: Folder) -> None:
    """Forget every remembered failure: a person has just signed in."""
    for name in folder.names(FAILURE):
        folder.remove(name)


def write_tenant(folder: Folder, organisation: str, tenant: str, *, now: int, until: int) -> None:
    """Remember an organisation's tenant ("" for none); epoch seconds. Never raises."""
    key = organisation_key(organisation)
    attributes = {"issued": str(now), "until": str(until)}
    try:
        data = record.encode(key, attributes, tenant.encode("ascii"))
        folder.write(record.name_of(key) + TENANT, data)
    except (OSError, UnicodeEncodeError):
        pass


def forget_tenant(folder: Folder, organisation: str) -> None:
    """Forget an organisation's tenant, so that the next question probes again."""
    folder.remove(record.name_of(organisation_key(organisation)) + TENANT)


def _failure(
    folder: Folder, request: TokenRequest
) -> tuple[dict[str, str], str, str | None, tuple[str, ...]] | None:
    found = folder.record(request.record_name + FAILURE, request.cache_key)
    if found is None:
        return None
    message, *rest = found[1].decode("utf-8", "surrogateescape").split("\0")
    return found[0], message, (rest[0] or None) if rest else None, tuple(rest[1:])


def _mark(folder: Folder, request: TokenRequest) -> str:
    """Return digits that change when a secret is corrected or a person signs out, and no more.

    A token file that Kubernetes has renewed counts as a corrected secret.
    """
    names = (*_MARKED, "AZURE_CLIENT_CERTIFICATE_PASSWORD")
    secrets = [request.env.get(name, "") for name in names]
    for name in ("AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"):
        try:
            secrets.append(str(os.stat(request.env.get(name, "")).st_mtime_ns))
        except (OSError, ValueError):
            secrets.append("")
    for name in ("PATH", "HTTPS_PROXY", "https_proxy", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        secrets.append(request.env.get(name, ""))
    secrets.append(folder.generation(request.profile))
    return record.fingerprint("\0".join(secrets))[:8]


def _prune(folder: Folder) -> None:
    """Remove what has outlived its use: refusals, dead tokens, temporaries of killed writers.

    It looks at every file, so with many of them it must not come with every change.
    """
    age = folder.age(PRUNED)
    if age is not None and age < _PRUNE_EVERY:
        return
    try:
        folder.touch(PRUNED)
        found = folder.listing()
    except OSError:
        return  # tidying is no reason to fail
    for name in found:
        if name.endswith(TEMPORARY):
            limit = _ABANDONED
        elif name.endswith((*_PASSING, LOCK)):
            limit = rejections.FOR
        else:
            continue
        age = folder.age(name)
        if age is None or age <= limit:
            continue
        if not name.endswith(LOCK):
            folder.remove(name)
            continue
        lock = folder.lock(name.removesuffix(LOCK), timeout=0)
        with lock as held:
            if held:
                lock.remove()


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)
