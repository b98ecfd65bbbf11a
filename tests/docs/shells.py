"""Real interactive shells in a terminal, asked for what they would complete."""

import os
import pty
import select
import subprocess
import time
from pathlib import Path

import pytest

from ..conftest import Environment

# Each is told to insert all completions at Ctrl-T, and to print the line at Ctrl-G.
BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")
BASH = r"""
PS1=
bind 'set bell-style none'
bind '"\C-t": insert-completions'
bind -x '"\C-g": printf "<<%s>>\n" "$READLINE_LINE"'
"""
ZSH = r"""
PS1=
autoload -U compinit && compinit -u -D
zle -C all-matches complete-word _generic
zstyle ':completion:all-matches:*' completer _all_matches _complete
zstyle ':completion:all-matches:*' insert true
zstyle ':completion:*' menu no
zstyle ':completion:*:messages' format ''
unsetopt auto_remove_slash auto_param_slash
bindkey '^T' all-matches
_print() { print -rn -- "<<$BUFFER>>"; BUFFER=; zle -I }
zle -N _print
bindkey '^G' _print
bindkey -r '^U'; bindkey '^U' kill-whole-line
"""


class Shell:
    """An interactive bash or zsh that has read a completion script."""

    def __init__(self, name: str, path: str, script: Path, env: Environment) -> None:
        home = Path(env["HOME"])
        if name.startswith("bash"):
            rc = home / "rc"
            package = f". {BASH_COMPLETION}" if name == "bash" and BASH_COMPLETION.exists() else ""
            rc.write_text(f"{BASH}\n{package}\n. {script}\necho '<<ready>>'\n")
            command = [path, "--noprofile", "--rcfile", str(rc), "-i"]
        else:
            (home / ".zshrc").write_text(f"{ZSH}\n. {script}\necho '<<ready>>'\n")
            command = [path, "-d", "-i"]
        self.name = name
        self._screen, terminal = pty.openpty()
        self._process = subprocess.Popen(
            command,
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=env
            | {"TERM": "dumb", "ZDOTDIR": str(home), "HISTFILE": "", "INPUTRC": "/dev/null"},
            cwd=home,
            start_new_session=True,
        )
        os.close(terminal)
        self._seen = ""
        self._next()

    def complete(self, line: str) -> list[str]:
        """Return the words that the shell completes the line's last one to."""
        os.write(self._screen, b"\x15" + line.encode() + b"\x14\x07")
        whole = self._next()
        before = line.rpartition(" ")[0]
        assert whole.startswith(before), whole
        return whole[len(before) :].split()

    def _next(self) -> str:
        """Return the next text that the shell prints in `<<…>>`."""
        end = time.monotonic() + 30
        while ">>" not in self._seen.partition("<<")[2]:
            left = end - time.monotonic()
            assert left > 0, self._seen
            assert select.select([self._screen], [], [], left)[0], self._seen
            self._seen += os.read(self._screen, 65536).decode(errors="replace")
        text, _, self._seen = self._seen.partition("<<")[2].partition(">>")
        return text.replace("\r\n", "")

    def close(self) -> None:
        """End the shell."""
        self._process.kill()
        self._process.wait()
        os.close(self._screen)


class Fish:
    """fish says by itself what it would complete."""

    name = "fish"

    def __init__(self, path: str, script: Path, env: Environment) -> None:
        self._command = [path, "--no-config", "-c", f"source {script}; complete -C $argv"]
        self._env = env

    def complete(self, line: str) -> list[str]:
        """Return the words that the shell completes the line's last one to."""
        done = subprocess.run(
            [*self._command, line],
            env=self._env,
            cwd=self._env["HOME"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert done.stderr == ""
        return [each.partition("\t")[0] for each in done.stdout.splitlines()]

    def close(self) -> None:
        """Nothing is kept open."""


def start(name: str, path: str | None, script: Path, env: Environment) -> Shell | Fish:
    """Start a shell; skips the test where it is not on this machine."""
    if path is None:
        pytest.skip(f"there is no {name} on this machine")
    return Fish(path, script, env) if name == "fish" else Shell(name, path, script, env)
