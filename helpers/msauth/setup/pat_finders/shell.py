"""Secrets in environment variables, and in the files that set them."""

import re
from collections.abc import Callable

from .secret import (
    ANY_URL,
    AUTHORIZATION,
    NEW_PAT,
    SIGNED,
    Names,
    Secret,
    is_ours,
    is_pat,
    is_secret,
    is_token,
    lines,
    names_ours,
    urls,
)

VARIABLES = frozenset(
    (
        *("AZURE_DEVOPS_EXT_PAT", "AZURE_DEVOPS_PAT", "AZDO_PERSONAL_ACCESS_TOKEN", "AZDO_PAT"),
        *("ADO_PAT", "ADO_MCP_AUTH_TOKEN", "AZP_TOKEN", "VSTS_PAT", "VSTS_TOKEN"),
        *("SYSTEM_ACCESSTOKEN", "VSS_NUGET_ACCESSTOKEN", "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"),
        "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS",
    )
)
"""Environment variables that hold a PAT, by their name alone."""
_ASSIGNMENT = re.compile(
    r"[ \t]*(?:export[ \t]+|set[ \t]+-\w+[ \t]+)?([A-Za-z_]\w*)[= ]([\"']?)([^\n]*?)\2[ \t;]*\r?\Z"
)


def shell(text: str, _names: Names = frozenset()) -> list[Secret]:
    """Find assignments to variables that hold a PAT, in a shell's or a program's start file."""
    found = urls(text)
    for line in lines(text):
        match = _ASSIGNMENT.match(line[0])
        if match and match[1] in VARIABLES and is_secret(match[3]) and "$" not in match[3]:
            start = line.start() + match.start(3)
            found.append(Secret(start, start + len(match[3]), f"in {match[1]}", None))
    return found


def variable(name: str, value: str, env: Callable[[str], str]) -> bool:
    """Say whether an environment variable holds a PAT. env: gives another one's value.

    What msauth-run puts into them is a signed token, and no finding.
    """
    if is_token(value) or not is_secret(value):
        return False
    if name in VARIABLES and "_FEED_ENDPOINTS" not in name:
        return not (name == "SYSTEM_ACCESSTOKEN" and env("TF_BUILD"))
    if name in VARIABLES:
        return bool(re.search(r'"password"\s*:\s*"[^"]', value)) and not SIGNED.search(value)
    host = re.match(r"(?i)npm_config_//([^/:]+)", name)
    if host:
        return is_ours(host[1])
    if is_pat(value) or NEW_PAT.search(value) or any(not s.token for s in urls(value)):
        return True
    header = AUTHORIZATION.search(value)
    key = name.replace("GIT_CONFIG_VALUE_", "GIT_CONFIG_KEY_")
    url = env(key) if key != name else value
    elsewhere = bool(ANY_URL.search(url)) and not names_ours(url)
    return header is not None and not elsewhere and (is_pat(header[2]) or names_ours(url))
