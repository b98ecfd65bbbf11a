"""What the checks look at."""

import os
from collections.abc import Iterator, Mapping
from functools import cached_property

from ..pat_places import Place, Places, git_settings, places


class Machine:
    """A person's environment and the folders of which they ask.

    program: the file that runs as `msauth`, "" where it is not known. root: where the system's own
    files are looked for, "/" but in tests.
    """

    def __init__(
        self,
        env: Mapping[str, str],
        folders: list[str],
        *,
        program: str = "",
        online: bool = False,
        root: str = "/",
    ) -> None:
        self.env = env
        self.folders = folders
        self.program = program
        self.online = online
        self.root = root

    @cached_property
    def places(self) -> Places:
        """The files that may hold tokens."""
        return places(self.env, self.folders)

    @cached_property
    def remotes(self) -> list[tuple[str, str]]:
        """File and URL of every remote, with what is in the URL but its password."""
        return [
            (place.file, url)
            for place in self.places.files
            if place.form == "git-config" and os.path.isfile(place.file)
            for url in _urls(place)
        ]

    def system(self, file: str) -> str:
        """Return the text of a file of the system's, "" where there is none."""
        try:
            with open(os.path.join(self.root, file.lstrip("/")), encoding="utf-8") as stream:
                return stream.read(1 << 20)
        except (OSError, UnicodeDecodeError):
            return ""

    def system_has(self, file: str) -> bool:
        """Say whether there is such a file or folder of the system's."""
        return os.path.exists(os.path.join(self.root, file.lstrip("/")))


def _urls(place: Place) -> Iterator[str]:
    for key, value in git_settings(place.file) or ():
        if key.startswith("remote.") and key.endswith((".url", ".pushurl")):
            scheme, separator, rest = value.partition("://")
            user, at, host = rest.partition("/")[0].rpartition("@")
            path = rest.partition("/")[2]
            user = user.partition(":")[0] if len(user) <= 50 else ""
            yield f"{scheme}{separator}{user}{at}{host}/{path}"
