"""Completions for fish 3.1 and later."""

from ..programs import FILE, Command, Option

_CODE = r"""# fish completions of msauth's programs; printed by `msauth completion fish`.

# The words after the options of a program that runs another command, the one being typed last;
# nothing, and a status of 1, while its own options are typed. Arguments: the options with a value.
function __msauth_wrapped
    set -l words (commandline -opc) (commandline -ct)
    set -e words[1]
    while set -q words[2]
        if test "$words[1]" = --
            set -e words[1]
            break
        else if contains -- "$words[1]" $argv
            set -e words[1..2]
        else if string match -q -- '-*' "$words[1]"
            set -e words[1]
        else
            break
        end
        set -q words[1]; or return 1
    end
    if not set -q words[2]; and string match -q -- '-*' "$words[1]"
        return 1
    end
    set -l before (commandline -opc)
    if test (count $words) -eq 1; and contains -- "$before[-1]" $argv
        return 1
    end
    set -l last $words[-1]
    set -e words[-1]
    string join ' ' -- (string escape -- $words) $last
    true # string join fails where there is nothing to join
end

# The words so far that are neither options nor their values, without the program's name.
function __msauth_words
    set -l words (commandline -opc)
    set -e words[1]
    while set -q words[1]
        if contains -- "$words[1]" VALUED
            set -e words[1]
        else if not string match -q -- '-*' "$words[1]"
            echo -- $words[1]
        end
        set -e words[1]
    end
end

# Whether these words come next, and no other; or come first, whatever follows.
function __msauth_at
    set -l words (__msauth_words)
    test "$words" = "$argv"
end
function __msauth_below
    set -l words (__msauth_words)
    set -l first $words[1..(count $argv)]
    test "$first" = "$argv"
end
"""


def script(commands: list[Command]) -> str:
    """Return the script."""
    valued = sorted({o.name for command in commands for o in command.options if o.kind})
    lines = [_CODE.replace("VALUED", " ".join(valued))]
    for command in commands:
        program, *path = command.name.split()
        below = [
            each.name.removeprefix(command.name + " ")
            for each in commands
            if each.name.startswith(command.name + " ")
            and each.name.count(" ") == command.name.count(" ") + 1
        ]
        where = _condition(path, below)
        if not path:
            lines.append(f"complete -c {program} -f")
        if command.wraps:
            taking = " ".join(o.name for o in command.options if o.kind)
            wrapped = f"__msauth_wrapped {taking}"
            lines.append(
                f"complete -c {program} -x -n {_quote(wrapped + ' >/dev/null')} "
                f"-a {_quote(f'(complete -C ({wrapped} | string collect))')}"
            )
            where = f"not {wrapped} >/dev/null"
        lines += [_line(program, where, option) for option in command.options]
        first = f"__msauth_at {' '.join(path)}".rstrip()
        lines += [
            f"complete -c {program} -n {_quote(first)} -a {_quote(word)}"
            + (f" -d {_quote(about)}" if about else "")
            for word, about in command.words.items()
        ]
        if command.takes:
            paths = "-F" if command.takes == FILE else "-a '(__fish_complete_directories)'"
            lines.append(f"complete -c {program} -n {_quote(where)} {paths}")
    return "\n".join(lines) + "\n"


def _condition(path: list[str], below: list[str]) -> str:
    """Return where a command's options are completed: behind its name, not below it."""
    tests = [f"__msauth_below {' '.join(path)}"] if path else []
    tests += [f"not __msauth_below {' '.join([*path, name])}" for name in below]
    return "; and ".join(tests) or "true"


def _line(program: str, where: str, option: Option) -> str:
    parts = [f"complete -c {program} -n {_quote(where)}"]
    if option.name.startswith("--"):
        parts.append(f"-l {option.name[2:]}")
    elif len(option.name) == 2:
        parts.append(f"-s {option.name[1:]}")
    else:
        parts.append(f"-o {option.name[1:]}")
    if option.kind:
        parts.append(_values(option))
    if option.about:
        parts.append(f"-d {_quote(option.about)}")
    return " ".join(parts)


def _values(option: Option) -> str:
    match option.kind:
        case "profile":
            return "-x -a '(msauth completion --values profiles 2>/dev/null)'"
        case "file":
            return "-r -F"
        case "folder":
            return "-x -a '(__fish_complete_directories)'"
        case "assignment":
            name = r"(commandline -ct | string match -r '^[A-Za-z_]\w*=')"
            return f"-x -a {_quote(name + '{' + ','.join(option.values) + '}')}"
    return f"-x -a {_quote(' '.join(option.values))}" if option.values else "-x"


def _quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
