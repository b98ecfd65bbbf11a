"""The half of a single flight that waits: many processes, one of which signs in for all.

It imports nothing that a cached answer does not, so a crowd costs hardly more than its starts. Who
gets the lock of the key at once signs in (`renewal`); the others look into the cache until the
answer is there, and need no lock for it.
"""

import time

from ..cache.folder import Folder
from ..cache.lock import LOCK_TIMEOUT
from ..request.request import Token, TokenRequest
from .entry import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def get_token(
    request: TokenRequest, requested_at: int, may_prompt: "Callable[[], bool] | None"
) -> Token:
    """Return a token after a miss, signing in at most once however many ask.

    requested_at: epoch nanoseconds; a token written since then is new enough. may_prompt: as in
    `broker.get_token`. Raises SignInError.
    """
    try:
        folder = Folder.cache(request.env, create=True)
    except OSError:
        from .renewal import renew

        # It says why there is no cache.
        return renew(request, requested_at=requested_at, may_prompt=may_prompt)
    token: Token | None = None

    def answered() -> bool:
        nonlocal token
        if not request.force_refresh:
            token = Entry(folder, request).read(now=int(time.time()), since=requested_at)
        return token is not None

    name = request.record_name
    with folder, folder.lock(name, timeout=LOCK_TIMEOUT, aloud=True, answered=answered) as held:
        if token is not None:
            return token
        from .renewal import renew_locked

        return renew_locked(folder, request, requested_at, held=held, may_prompt=may_prompt)
