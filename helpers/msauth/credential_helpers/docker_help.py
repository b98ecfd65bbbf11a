"""What `docker-credential-msauth --help` says."""

from ..request.option_help import TEXT

HELP = (
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
