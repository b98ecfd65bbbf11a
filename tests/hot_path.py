"""The one allow-list of what a cached answer may load, beyond what `python -c pass` has loaded."""

STANDARD = {"_stat", "gc", "posix", "pwd", "time"}
"""Built in, or a few lines; all the rest of the standard library costs more than the answer."""

OURS = {
    "msauth_start",
    "msauth",
    *(f"msauth.broker{part}" for part in ("", ".broker", ".entry")),
    *(f"msauth.cache{part}" for part in ("", ".folder", ".record")),
    *(f"msauth.credential_helpers{part}" for part in ("", ".docker", ".feeds", ".go", ".pnpm")),
    "msauth.errors",
    "msauth.git_credential",
    "msauth.protocols",
    *(f"msauth.protocols.{part}" for part in ("az", "docker", "exec_credential", "formats")),
    *(f"msauth.protocols.{part}" for part in ("challenges", "git", "goauth", "kubelogin")),
    *(f"msauth.request{part}" for part in ("", ".clouds", ".kinds", ".options", ".organisations")),
    *(f"msauth.request.{part}" for part in ("profiles", "request", "selection", "urls", "values")),
    *(f"msauth.run{part}" for part in ("", ".execution", ".program")),
    *(f"msauth.shims{part}" for part in ("", ".place", ".program", ".subscription")),
    "msauth.system",
    *(f"msauth.token{part}" for part in ("", ".answer", ".arguments", ".exec_retry", ".program")),
}

ALLOWED = STANDARD | OURS
