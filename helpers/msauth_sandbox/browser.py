"""A browser without a window: it follows redirects and submits a page's form.

That is all a sign-in needs: its answer is a form that posts itself to the client's loopback port.
"""

from __future__ import annotations

import os
import ssl
import sys
import urllib.parse
import urllib.request
from html.parser import HTMLParser


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = values.get("action")
        elif tag == "input" and values.get("name"):
            self.fields[str(values["name"])] = values.get("value") or ""


def main(argv: list[str]) -> int:
    """Opens each URL. Proxy and CA come from the environment, as for the client under test.

    Like a desktop's opener it returns when the page is open; the page goes on by itself.
    """
    context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
    for url in argv:
        try:
            with opener.open(url, timeout=30) as response:
                form = _Form()
                form.feed(response.read().decode("utf-8", "replace"))
            if form.action and os.fork() == 0:
                data = urllib.parse.urlencode(form.fields).encode()
                opener.open(form.action, data, timeout=30).close()
                return 0
        except OSError as error:
            print(f"browser: error: {type(error).__name__}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
