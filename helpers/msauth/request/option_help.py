"""What every `--help` says of the options that all executables share."""

TEXT = """\
sign-in:
  --credential KIND      how to sign in (default: auto)
  --tenant TENANT        a GUID or a domain, instead of the sign-in's or organisation's own
  --client-id ID         an application of your own, or a managed identity
  --profile NAME         a profile of profiles.toml
  --username NAME        the account to suggest to a browser sign-in
  --no-persist           keep neither the sign-in nor the token after this process
  --authority-host HOST  the sign-in host of another cloud
  --disable-instance-discovery
                         for a sign-in host that Microsoft does not know
  --min-valid SECONDS    how long a token must still live (default: 300)
  --force-refresh        sign in again even when a token is cached
  -v, --verbose          say which ways to sign in were tried, and why not (MSAUTH_TRACE=1)
"""
