"""What `git-credential-msauth --help` says."""

from .request.option_help import TEXT

HELP = (
    """\
usage: git-credential-msauth [options] get|store|erase|capability

Answers git's question for a credential of Azure DevOps with an Entra ID token. Git calls it;
to configure it:

    [credential "https://dev.azure.com"]
        helper =
        helper = msauth
        useHttpPath = true
    [credential "https://*.visualstudio.com"]
        helper =
        helper = msauth
        useHttpPath = true

"""
    + TEXT
)
