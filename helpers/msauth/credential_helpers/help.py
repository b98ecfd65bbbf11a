"""What the helpers' `--help` says, apart from them because an answer does not need it."""

from ..request.option_help import TEXT

CARGO = (
    """\
usage: cargo-credential-msauth --cargo-plugin

Answers cargo's question for a registry's token with an Entra ID token, for the feeds of Azure
Artifacts. Cargo calls it; to configure it, `msauth setup cargo`, or in ~/.cargo/config.toml:

    [registry]
    global-credential-providers = ["cargo:token", "cargo-credential-msauth"]

The last one is asked first. Options may stand behind its name there. Under the name
cargo-credential-msauth-NAME it signs in by the profile NAME.

how it is called:
  --cargo-plugin         speak cargo's credential provider protocol

"""
    + TEXT
)

BAZEL = (
    """\
usage: bazel-credential-msauth [options] get

Answers Bazel's question for the headers of a request with an Entra ID token, for the hosts of
Azure DevOps. Bazel calls it; to configure it, `msauth setup bazel`, or in ~/.bazelrc:

    common --credential_helper=pkgs.dev.azure.com=bazel-credential-msauth

Under the name bazel-credential-msauth-NAME it signs in by the profile NAME.

"""
    + TEXT
)

NUGET = (
    """\
usage: nuget-plugin-msauth -Plugin

Gives NuGet an Entra ID token for the feeds of Azure Artifacts. NuGet 6.13 and later (.NET 9) finds
it by its name in a folder of PATH, where neither NUGET_PLUGIN_PATHS nor NUGET_NETCORE_PLUGIN_PATHS
is set. Under the name nuget-plugin-msauth-NAME it signs in by the profile NAME.

how it is called:
  -Plugin                speak NuGet's cross-platform plugin protocol

"""
    + TEXT
)

GO = (
    """\
usage: msauth-token go [options] [URL]

Answers the go command with an Entra ID token for the module proxies of Azure DevOps. Go calls it;
to configure it, `msauth setup go`, or:

    go env -w 'GOAUTH=msauth-token go;netrc'

Without a URL it prints nothing. With one, and the server's 401 or 403 on stdin, it answers for
all of the URL's organisation.

"""
    + TEXT
)

DOCKER = (
    """\
usage: docker-credential-msauth [options] get|store|erase|list|version

Answers docker, podman, skopeo, crane, oras and helm for registries of Azure (NAME.azurecr.io,
.us, .cn) with the registry's own token, got in exchange for one of Entra ID. They call it;
to configure them for a registry:

    msauth setup docker NAME.azurecr.io

`docker-credential-msauth-PROFILE`, a link to it, signs in with that profile.

"""
    + TEXT
)

PNPM = f"""\
usage: pnpm-token-msauth [options]

pnpm's tokenHelper for Azure Artifacts: prints `Bearer TOKEN`. pnpm names no URL, so the name by
which it is started says whose token it is: pnpm-token-msauth-NAME is that of the profile NAME,
or else of the Azure DevOps organisation NAME. `msauth setup pnpm NAME` makes it and tells pnpm.

{TEXT}"""
