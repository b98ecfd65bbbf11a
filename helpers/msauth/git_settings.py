"""What the calling git was told: whether its helpers may ask a person."""

import os

_FALSE = ("", "0", "false", "no", "off")


def may_ask(url: str) -> bool:
    """Say whether a person may be asked: git's variable and `credential.interactive`, and CI.

    git gives a helper no word of `credential.interactive` (git 2.47), and by git-config(1) the
    helper is to respect it; GIT_TERMINAL_PROMPT is a boolean as git reads one.
    """
    env = os.environ
    if env.get("CI") or env.get("GIT_TERMINAL_PROMPT", "1").lower() in _FALSE:
        return False
    from .signin.programs import git_setting

    value = git_setting("credential.interactive", url, env)
    return value is None or value.strip().lower() not in (*_FALSE, "never")
