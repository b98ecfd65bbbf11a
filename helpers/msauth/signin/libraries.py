"""What comes before the first package of others: a module that uses one imports this, or `network`.

An answer of our own (az's held token, a managed identity) needs neither.
"""

import logging
import sys

from ..system import environment

if sys.flags.no_site:
    # The launchers of install.sh leave `site` out. From here on it matters, because a company's
    # .pth file may be what gives Python its certificates.
    import site

    site.main()
    environment()  # which such a file may also have changed

for _library in ("azure", "msal"):
    # Without any handler Python prints the libraries' warnings on stderr, in the server's words.
    logging.getLogger(_library).addHandler(logging.NullHandler())
