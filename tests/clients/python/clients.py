"""A client that asks for tokens as older programs written in Python do.

    python clients.py managed|default SCOPE…    azure-identity of 2020
    python clients.py msrestazure RESOURCE…     what came before it: api-version 2017-09-01

It runs in an environment of its own, with the versions in requirements.txt. For each token it
prints a line: audience, tenant, and the seconds that the client believes the token will live. The
token itself is never printed.
"""

import base64
import json
import sys
import time
from datetime import datetime


def with_identity(kind: str, scope: str) -> tuple[str, float]:
    from azure import identity

    names = {"managed": "ManagedIdentityCredential", "default": "DefaultAzureCredential"}
    token = getattr(identity, names[kind])().get_token(scope)
    return token.token, token.expires_on


def with_msrestazure(resource: str) -> tuple[str, float]:
    from msrestazure.azure_active_directory import MSIAuthentication

    token = MSIAuthentication(resource=resource).token
    return token["access_token"], epoch(token["expires_on"])


def epoch(text: str) -> float:
    """Seconds; msrestazure hands on what it was given, and its callers take either form."""
    try:
        return float(text)
    except ValueError:
        return datetime.strptime(text, "%m/%d/%Y %I:%M:%S %p %z").timestamp()


def main(kind: str, *names: str) -> None:
    for name in names:
        if kind == "msrestazure":
            token, expires = with_msrestazure(name)
        else:
            token, expires = with_identity(kind, name)
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        print(claims["aud"], claims["tid"], round(expires - time.time()))


main(*sys.argv[1:])
