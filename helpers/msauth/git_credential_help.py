"""What `git-credential-msauth --help` says."""

HELP = """\
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

options:
  --credential KIND      how to sign in (default: auto)
  --tenant TENANT        the tenant, instead of the organisation's own
  --client-id ID         the application or managed identity
  --profile NAME         a profile of profiles.toml
  --authority-host HOST  the sign-in host of another cloud
  --disable-instance-discovery
  --min-valid SECONDS    how long a token must still live (default: 300)
  --force-refresh        sign in again even when a token is cached
"""
