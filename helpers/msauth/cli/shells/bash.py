"""Completions for bash 3.2 and later; the package bash-completion is used where it is there."""

from shlex import quote

from ..programs import VALUE, Command

_HEAD = """\
# bash completions of msauth's programs; printed by `msauth completion bash`.
"""
_CODE = r"""
# The words so far are looked through for the command and for an option that waits for its value.
# bash divides at `=`, so the parts of `--name=value` are put together again first.
_msauth() {
	local index word flags valued words wraps takes
	local command=${COMP_WORDS[0]##*/} option= current= prefix=
	local -a line at
	COMPREPLY=()
	local glue= count=0
	for ((index = 1; index <= COMP_CWORD; index++)); do
		word=${COMP_WORDS[index]}
		if [[ $word == = && $count -gt 0 && -z $glue ]]; then
			line[count - 1]+='='
			glue=1
		elif [[ -n $glue ]]; then
			line[count - 1]+=$word
			glue=
		else
			line[count]=$word
			at[count]=$index
			count=$((count + 1))
		fi
	done
	current=${line[count - 1]}
	_msauth_command "$command"
	for ((index = 0; index < count - 1; index++)); do
		word=${line[index]}
		if [[ -n $option ]]; then
			option=
			continue
		fi
		case $word in
		--)
			[[ -z $wraps ]] || _msauth_wrapped "${at[index + 1]}"
			return
			;;
		-*=*) ;;
		-*) [[ " $valued " != *" $word "* ]] || option=$word ;;
		*)
			if [[ -n $wraps ]]; then
				_msauth_wrapped "${at[index]}"
				return
			elif [[ " $words " == *" $word "* ]] && _msauth_command "$command $word"; then
				command="$command $word"
			else
				words=
			fi
			;;
		esac
	done
	if [[ -z $option && $current == -*=* ]]; then
		option=${current%%=*}
		prefix=$option=
		current=${current#*=}
	fi
	if [[ -n $option ]]; then
		_msauth_value "$command" "$option"
	elif [[ $current == -* ]]; then
		_msauth_reply "$flags $valued"
	elif [[ -n $wraps ]]; then
		_msauth_wrapped "${at[count - 1]}"
	elif [[ -n $takes ]]; then
		_msauth_paths "$takes"
	else
		_msauth_reply "$words"
	fi
}

_msauth_paths() { # file or folder: those that begin with `current`
	local IFS=$'\n'
	case $1 in
	file) COMPREPLY=($(compgen -f -- "$current")) ;;
	folder) COMPREPLY=($(compgen -d -- "$current")) ;;
	esac
}

_msauth_value() { # command, option: complete `current` as its value
	local kind= values=
	_msauth_values "$1" "$2"
	case $kind in
	file | folder) _msauth_paths "$kind" ;;
	profile) _msauth_reply "$(msauth completion --values profiles 2>/dev/null)" ;;
	assignment)
		[[ $current == *=* ]] || return 0
		prefix+=${current%%=*}=
		current=${current#*=}
		_msauth_reply "$values"
		;;
	*) _msauth_reply "$values" ;;
	esac
}

_msauth_reply() { # words: those that begin with `current`
	local IFS=$' \t\n'
	# What stands before `=` is repeated only where bash does not divide there.
	[[ $COMP_WORDBREAKS != *=* ]] || prefix=
	COMPREPLY=($(compgen -P "$prefix" -W "$1" -- "$current"))
}

_msauth_wrapped() { # where the command of the person's own begins
	if declare -F _comp_command_offset >/dev/null; then
		_comp_command_offset "$1"
	elif declare -F _command_offset >/dev/null; then
		_command_offset "$1"
	elif (($1 == COMP_CWORD)); then
		COMPREPLY=($(compgen -c -- "${COMP_WORDS[COMP_CWORD]}"))
	else
		COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
	fi
}
"""


def script(commands: list[Command]) -> str:
    """Return the script."""
    programs = " ".join(command.name for command in commands if " " not in command.name)
    return (
        f"{_HEAD}\n{_commands(commands)}\n{_values(commands)}{_CODE}\n"
        f"complete -F _msauth {programs}\n"
    )


def _commands(commands: list[Command]) -> str:
    cases = []
    for command in commands:
        flags = [option.name for option in command.options if not option.kind]
        valued = [option.name for option in command.options if option.kind]
        cases.append(
            f"\t{quote(command.name)})\n"
            f"\t\tflags={quote(' '.join(flags))}\n"
            f"\t\tvalued={quote(' '.join(valued))}\n"
            f"\t\twords={quote(' '.join(command.words))}\n"
            f"\t\twraps={'1' if command.wraps else ''}\n"
            f"\t\ttakes={command.takes}\n"
            "\t\t;;\n"
        )
    return (
        "_msauth_command() { # name: sets its flags, its options with a value, and its words\n"
        f"\tcase $1 in\n{''.join(cases)}\t*) return 1 ;;\n\tesac\n}}\n"
    )


def _values(commands: list[Command]) -> str:
    patterns: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for command in commands:
        for option in command.options:
            if option.values or option.kind not in ("", VALUE):
                name = quote(f"{command.name} {option.name}")
                patterns.setdefault((option.kind, option.values), []).append(name)
    cases = [
        f"\t{' | '.join(names)})\n\t\tkind={kind}\n\t\tvalues={quote(' '.join(values))}\n\t\t;;\n"
        for (kind, values), names in patterns.items()
    ]
    return (
        "_msauth_values() { # command, option: sets the kind of its values, and what is known\n"
        f'\tcase "$1 $2" in\n{"".join(cases)}\tesac\n}}\n'
    )
