"""What `git-credential-msauth --help` says."""

from .request.option_help import TEXT

HELP = (
    """\
usage: git-credential-msauth [options] get|store|erase|capability

Answers git's question for a credential of Azure DevOps with an Entra ID token. Git calls it, once
`msauth setup git` has told git to; options that are given there are those with which it is called.
`msauth setup git --dry-run` shows the configuration. For any other host it answers nothing.

"""
    + TEXT
)
