"""``python -m msauth_sandbox`` is ``msauth-sandbox``."""

import sys

from .cli import main

sys.exit(main())
