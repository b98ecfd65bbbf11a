"""Completions for zsh 5, by its own `_arguments`."""

from ..programs import FILE, Command, Option

_HEAD = """\
#compdef {programs}
# zsh completions of msauth's programs; printed by `msauth completion zsh`.

_msauth_profile() {{
	local -a found
	found=(${{(f)"$(msauth completion --values profiles 2>/dev/null)"}})
	_wanted profiles expl profile compadd -a found
}}

_msauth_assignment() {{ # values: after NAME=
	if compset -P '*='; then
		_wanted values expl value compadd -- "$@"
	else
		_message NAME=VALUE
	fi
}}
"""
_TAIL = """
_msauth() {{
	case $service in
{cases}	esac
}}

if [[ $zsh_eval_context == *loadautofunc* ]]; then
	_msauth "$@"
else
	compdef _msauth {programs}
fi
"""


def script(commands: list[Command]) -> str:
    """Return the script, which may be read by `eval` or be a file `_msauth` in $fpath."""
    programs = [command.name for command in commands if " " not in command.name]
    cases = "".join(f"\t{name}) {_function(name)} ;;\n" for name in programs)
    names = " ".join(programs)
    functions = [_body(command, commands) for command in commands]
    return (
        _HEAD.format(programs=names)
        + "".join(functions)
        + _TAIL.format(programs=names, cases=cases)
    )


def _function(name: str) -> str:
    return "_msauth__" + name.replace(" ", "__")


def _body(command: Command, commands: list[Command]) -> str:
    """Return the function of a command; one that has commands below it hands over to theirs."""
    prefix = command.name + " "
    below = [c for c in commands if c.name.startswith(prefix) and c.name[len(prefix) :].isascii()]
    below = [c for c in below if " " not in c.name[len(prefix) :]]
    specs = [_spec(option) for option in command.options]
    flags = "-s -S"
    before = after = ""
    if command.wraps:
        before = _after_dashes([option.name for option in command.options if option.kind])
        specs += ["'(-)1:command: _command_names -e'", "'*::argument: _normal'"]
    elif below:
        flags = "-s -S -C"
        specs += ["'1: :->word'", "'*:: :->below'"]
        after = _below(command, below)
    elif command.words:
        specs.append(f"'1:word:({_quoted(' '.join(command.words))})'")
    elif command.takes:
        action = "_files" if command.takes == FILE else "_files -/"
        specs.append(f"'*:{command.takes}:{action}'")
    lines = " \\\n\t\t".join([f"_arguments {flags} :", *specs])
    return (
        f"\n{_function(command.name)}() {{\n"
        f"{before}\tlocal context state state_descr line\n\ttypeset -A opt_args\n"
        f"\t{lines}\n{after}}}\n"
    )


def _after_dashes(valued: list[str]) -> str:
    """Return what hands all that follows `--` to the completion of a command line.

    With `-S`, `_arguments` gives a rest argument (`*::`) wrong words there.
    """
    return (
        "\tlocal -i at=2\n\twhile (( at < CURRENT )); do\n\t\tcase $words[at] in\n"
        '\t\t--)\n\t\t\twords=("${(@)words[at + 1, -1]}")\n'
        "\t\t\t(( CURRENT -= at ))\n\t\t\t_normal\n\t\t\treturn\n\t\t\t;;\n"
        f"\t\t{'|'.join(valued)}) (( at += 2 )) ;;\n"
        "\t\t-*) (( at += 1 )) ;;\n\t\t*) break ;;\n\t\tesac\n\tdone\n"
    )


def _below(command: Command, below: list[Command]) -> str:
    described = " ".join(
        _single(f"{word}:{about}" if about else word) for word, about in command.words.items()
    )
    cases = "".join(
        f"\t\t{each.name.rpartition(' ')[2]}) {_function(each.name)} ;;\n" for each in below
    )
    return (
        "\tcase $state in\n"
        f"\tword)\n\t\tlocal -a found=({described})\n\t\t_describe word found\n\t\t;;\n"
        f"\tbelow)\n\t\tcase $line[1] in\n{cases}\t\tesac\n\t\t;;\n\tesac\n"
    )


def _spec(option: Option) -> str:
    about = f"[{_escaped(option.about)}]" if option.about else ""
    name = ("*" if option.repeatable else "") + option.name
    if not option.kind:
        return _single(name + about)
    match option.kind:
        case "profile":
            action = "_msauth_profile"
        case "file":
            action = "_files"
        case "folder":
            action = "_files -/"
        case "assignment":
            action = f"_msauth_assignment {' '.join(option.values)}"
        case _:
            action = f"({' '.join(option.values)})" if option.values else " "
    equals = "=" if option.name.startswith("--") else ""
    return _single(f"{name}{equals}{about}:{_escaped(option.metavar)}:{action}")


def _escaped(text: str) -> str:
    """Return text without a meaning in a specification of `_arguments`."""
    for character in "\\[]:":
        text = text.replace(character, "\\" + character)
    return text


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''")


def _single(text: str) -> str:
    return f"'{_quoted(text)}'"
