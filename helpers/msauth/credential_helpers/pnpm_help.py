"""What `pnpm-token-msauth --help` says."""

from ..request.option_help import TEXT

HELP = f"""\
usage: pnpm-token-msauth [options]

pnpm's tokenHelper for Azure Artifacts: prints `Bearer TOKEN`. pnpm names no URL, so the name by
which it is started says whose token it is: pnpm-token-msauth-NAME is that of the profile NAME,
or else of the Azure DevOps organisation NAME. `msauth setup pnpm NAME` makes it and tells pnpm.

{TEXT}"""
