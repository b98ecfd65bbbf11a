"""`msauth-token convert-kubeconfig`: as kubelogin's, for those whose fingers know it.

A flag beats AAD_LOGIN_METHOD here: whoever typed it has just said how to sign in.
"""

import sys
from collections.abc import Mapping

from ..errors import UsageError
from ..protocols.kubelogin import normalised
from ..request.options import Options, one, parse
from ..setup import files, kubectl, kubelogin

HELP = """\
usage: msauth-token convert-kubeconfig [--login METHOD] [--context NAME] [--kubeconfig FILE]
                                       [--dry-run] [kubelogin's other options]

Makes the users of a kubeconfig that sign in with kubelogin, or with msauth-token, sign in with
msauth-token, by another method where one is given. As kubelogin convert-kubeconfig: without
--login (-l) or AAD_LOGIN_METHOD it is devicecode. `msauth setup kubectl` keeps each user's own
method; `msauth setup kubectl --undo` takes both back.

  --context NAME         only the user of this context; repeatable
  --kubeconfig FILE      this file, and not those that kubectl reads
  --azure-config-dir DIR
                         az's folder, for --login azurecli
  --dry-run              show what would change, as a diff, and change nothing
"""


def run(words: list[str], env: Mapping[str, str]) -> int:
    """Convert what the words after `convert-kubeconfig` say; raises MsauthError."""
    try:
        options, more = parse(normalised(words), kubelogin.CONVERT_OPTIONS)
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(*map(str, error.args[:2])) from None
    if "--help" in options or "-h" in options:
        sys.stdout.write(HELP)
        return 0
    if more:
        hint = "msauth-token convert-kubeconfig --help"
        raise UsageError(f"convert-kubeconfig takes options only, not {more[0]!r}", hint)
    flags: Options = dict(options)
    if not one(flags, "--login"):
        flags["--login"] = env.get("AAD_LOGIN_METHOD") or "devicecode"
    kubelogin.check_login(one(flags, "--login"))
    folder = one(options, "--azure-config-dir")
    variables = {"AZURE_CONFIG_DIR": folder} if folder else {}
    changes = kubectl.convert(
        options, env, lambda user: kubelogin.converted(user, flags), variables
    )
    sys.stdout.write(files.told(changes, dry_run="--dry-run" in options))
    return 0
