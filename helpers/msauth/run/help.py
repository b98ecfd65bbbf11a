"""What `msauth-run --help` prints."""

from ..request.option_help import TEXT

HELP = (
    """\
usage: msauth-run [options] [-e NAME=PRODUCT|SCOPE]... [--] COMMAND [ARG...]

Runs a command with Azure tokens in its environment: AZURE_ACCESS_TOKEN, its expiry in epoch
seconds in AZURE_ACCESS_TOKEN_EXPIRES_ON, and what -e and --for name. Without a command: $SHELL.

  -e NAME=PRODUCT|SCOPE  put that token into NAME too (repeatable)
  --product PRODUCT      what AZURE_ACCESS_TOKEN is for (default: arm)
  --scope SCOPE          the same for any other resource (repeatable)
  --for TOOL             set what a tool reads (repeatable): npm[=FEED], pnpm[=FEED], yarn=FEED,
                         nuget[=FEED], pip=FEED, terraform, databricks, psql, azure-devops-cli, git
  --serve                fresh tokens for every Azure SDK and Terraform in the command, from a
                         local endpoint
  --allow PRODUCT|SCOPE  serve only these (repeatable; default: every known product)
  --shims                az and azd in the command's PATH give their tokens from the cache
  --clean                remove the variables from which an SDK would build another identity
  --environment CLOUD    AzurePublicCloud, AzureUSGovernment or AzureChinaCloud

"""
    + TEXT
)
