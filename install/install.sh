#!/bin/sh
# Install msauth for this user: its own virtual environment, its programs linked into ~/.local/bin,
# manual pages and completions where man and the shells look for a user's, and git configured after
# showing what will change. Running it again upgrades in place; uninstall.sh undoes it exactly.
#
#   sh install/install.sh            asks before touching git's configuration
#   sh install/install.sh --yes      does not ask
#   sh install/install.sh --no-git   leaves git's configuration alone
#   sh install/install.sh --extras sandbox    with optional packages, and the programs that need
#                                    them: msauth-sandbox, and keyring for pip and uv (--extras
#                                    keyring,sandbox for both); later upgrades keep them
#   sh install/install.sh --wheel FILE        installs this wheel; without the sources beside
#                                    it, it finds one in its own folder or the one above
#
# It needs Python ≥ 3.10 with venv (PYTHON=/path/to/python3 names another than PATH's) and git.
set -eu
case $0 in
*/*) . "${0%/*}/common.sh" ;;
*) . ./common.sh ;;
esac
from=${OLDPWD-/} # where the person is
answer=ask
extras=
while [ $# -gt 0 ]; do
	case $1 in
	-h | --help)
		usage
		exit 0
		;;
	--yes) answer=yes ;;
	--no-git) answer=no ;;
	--extras)
		[ $# -gt 1 ] || fail "option --extras needs a value" "sh install/install.sh --extras sandbox"
		shift
		extras=$1
		;;
	--wheel)
		[ $# -gt 1 ] || fail "option --wheel needs a file" "sh install/install.sh --help"
		shift
		case $1 in
		/*) wheel=$1 ;;
		*) wheel=${from%/}/$1 ;;
		esac
		[ -f "$wheel" ] || fail "there is no wheel $1" "ls $(quote "${wheel%/*}/")"
		;;
	*) fail "unknown option $1" "sh install/install.sh --help" ;;
	esac
	shift
done
. "$here/places.sh"

# The programs of what is installed that these extras suffice for, from its own list of them. An
# entry point says in brackets which extras it needs. Fails with the name of an extra that is none.
programs_with() { # extras
	"$python" -I -c '
import re, sys, zipfile
source, extras = sys.argv[1], set(sys.argv[2].split(","))
if source.endswith(".whl"):
    with zipfile.ZipFile(source) as wheel:
        name = next(n for n in wheel.namelist() if n.endswith(".dist-info/entry_points.txt"))
        text = wheel.read(name).decode()
        about = wheel.read(name.replace("entry_points.txt", "METADATA")).decode()
    known = re.findall(r"(?m)^Provides-Extra: (.*)$", about)
else:
    text = open(source + "/pyproject.toml", encoding="utf-8").read()
    about = re.search(r"(?ms)^\[project\.optional-dependencies\]$(.*?)(?=^\[|\Z)", text)[1]
    known = re.findall(r"(?m)^([\w.-]+)\s*=", about)
if unknown := extras - {"", *known}:
    sys.exit(print(min(unknown)) or 1)
section = re.search(r"(?ms)^\[(?:project\.scripts|console_scripts)\]$(.*?)(?=^\[|\Z)", text)[1]
for name, needs in re.findall(r"(?m)^([\w.-]+)\s*=[^\[\n]*(?:\[([\w, -]+)\])?", section):
    if set(filter(None, needs.replace(" ", "").split(","))) <= extras:
        print(name)' "${wheel:-$repo}" "$1"
}

# Nothing is touched before all of this is known to be ours or free.
find_git
find_python
find_wheel
[ -n "$wheel" ] || [ -e "$repo/pyproject.toml" ] ||
	fail "there is nothing to install in $repo" "sh install/install.sh --wheel FILE"
adopt_older
kept=$(sed -n 's/^extras //p' "$manifest" 2>/dev/null | tr '\n' ',' || :)
extras=$(printf '%s' "$kept$extras" | tr ',' '\n' | sort -u | tr '\n' ',' | sed 's/^,//; s/,$//')
programs=$(programs_with "$extras") ||
	fail "msauth has no extra called $programs" "sh $prog --extras sandbox"
case ,$extras, in
*,keyring,*) theirs=keyring ;; # of the package of that name: what pip and uv start
*) theirs= ;;
esac
for name in $programs $theirs; do
	link=$bin/$name
	if exists "$link" && ! is_our_link "$link"; then
		fail "$link exists and is not ours" "mv $(quote "$link") $(quote "$link.old")"
	fi
done
if exists "$venv"; then
	is_mine "$venv" d && { is_noted environment "$venv" || [ -z "$(ls -A -- "$venv")" ]; } ||
		fail "$venv exists and was not made by install.sh" "mv $(quote "$venv") $(quote "$venv.old")"
fi

unlisted= # folders that were made before there was a manifest
make_folder() { # with the folders above it
	[ ! -d "${1:-/}" ] || return 0
	make_folder "${1%/*}"
	mkdir -- "$1"
	if [ -e "$manifest" ]; then
		note folder "$1"
	else
		unlisted=$unlisted$1$newline
	fi
}
place=$ours
while [ ! -d "${place:-/}" ]; do place=${place%/*}; done
[ -w "${place:-/}" ] || fail "the folder ${place:-/} is not yours to write" "ls -ld $(quote "${place:-/}")"
make_folder "$ours"
[ -e "$manifest" ] || new_manifest
printf '%s' "$unlisted" | while IFS= read -r folder; do note folder "$folder"; done

# The cache's and the state's parents are made on the first sign-in, and go if nothing else moves in.
for place in "${XDG_CACHE_HOME:-$HOME/.cache}" "${XDG_STATE_HOME:-$HOME/.local/state}"; do
	case $place in
	/*) [ -d "$place" ] || note parent "$place" ;;
	esac
done
note environment "$venv"
note file "$venv.log"
make_environment "$venv" "${extras:+[$extras]}"
# So that the first answer is as fast as all others; an older wheel may know nothing of it.
"$venv/bin/python" -I -m msauth.merge 2>/dev/null || :
for name in $(printf '%s' "$extras" | tr ',' ' '); do
	note extras "$name"
done

linked=$newline # all links that this version has
make_link() { # target, link
	make_folder "${2%/*}"
	note link "$2"
	ln -sfn -- "$1" "$2"
	linked=$linked$2$newline
}
make_folder "$ours/bin"
for name in $programs $theirs; do
	note file "$ours/bin/$name"
	write_launcher "$name" "$ours/bin/$name.new" "$venv" "$venv"
	mv -f -- "$ours/bin/$name.new" "$ours/bin/$name"
	make_link "$ours/bin/$name" "$bin/$name"
done

# What the environment shares, where man and the shells look for a user's own. A file of somebody
# else's stays: these are not worth refusing to install for.
share() { # file of the environment, where it is to be seen
	[ -f "$1" ] || return 0
	if exists "$2" && ! is_our_link "$2"; then
		printf 'Left %s: it is not ours.\n' "$2"
		return 0
	fi
	make_link "$1" "$2"
}
for page in "$venv"/share/man/man*/*; do
	share "$page" "$HOME/.local/${page#"$venv/"}"
done
# bash and fish load the file that has the name of the program.
for name in $programs; do
	share "$venv/share/bash-completion/completions/msauth" \
		"$HOME/.local/share/bash-completion/completions/$name"
	! command -v fish >/dev/null 2>&1 ||
		share "$venv/share/fish/vendor_completions.d/msauth.fish" \
			"$HOME/.config/fish/completions/$name.fish"
done
functions=$HOME/.local/share/zsh/site-functions
! command -v zsh >/dev/null 2>&1 ||
	share "$venv/share/zsh/site-functions/_msauth" "$functions/_msauth"

# What an earlier version had and this one has not.
sed -n 's/^link //p' "$manifest" | while IFS= read -r link; do
	case $linked in
	*"$newline$link$newline"*) ;;
	*)
		! is_our_link "$link" || rm -- "$link"
		[ "${link%/*}" != "$bin" ] || rm -f -- "$ours/bin/${link##*/}"
		;;
	esac
done

printf 'Installed into %s, linked into %s.\n' "$venv" "$bin"

has() { # word, file: does the person's own file have a line with this?
	grep -Fqs -e "$1" "$2"
}
hint() {
	printf '%s: hint: %s\n' "$prog" "$1" >&2
}
# shellcheck disable=SC2016,SC2088  # lines for the person's shell, which expands them
path_hint() {
	line='export PATH="$HOME/.local/bin:$PATH"'
	case ${SHELL##*/} in
	fish) line='fish_add_path ~/.local/bin' ;;
	zsh) line="echo '$line' >>~/.zshrc" ;;
	bash)
		# Debian's ~/.profile adds the folder when one signs in and it is there.
		if [ ! -e "$HOME/.bash_profile" ] && has .local/bin "$HOME/.profile"; then
			hint "~/.local/bin is on PATH once you sign in again; until then: $line"
			return
		fi
		line="echo '$line' >>~/.bashrc"
		;;
	*) line="echo '$line' >>~/.profile" ;;
	esac
	hint "~/.local/bin is not on PATH; add it for every new shell: $line"
}
SHELL=${SHELL-}
case :$PATH: in
*:"$bin":*) ;;
*) path_hint ;;
esac
if [ "${SHELL##*/}" = zsh ] && [ -e "$functions/_msauth" ] &&
	! has .local/share/zsh/site-functions "$HOME/.zshrc"; then
	# shellcheck disable=SC2016,SC2088
	hint 'for completions, above compinit in ~/.zshrc: fpath=(~/.local/share/zsh/site-functions $fpath)'
fi

[ "$answer" != no ] || exit 0
change=0
preview=$(git_setup show "$bin/git-credential-msauth") || change=$?
case $change in
0)
	printf 'git is configured already.\n'
	exit 0
	;;
3) printf 'git is configured to ask msauth:\n\n%s\n\n' "$preview" ;;
*) exit 1 ;;
esac
# Whoever said yes once is not asked again for what an upgrade changes in the same file.
include=$(sed -n 's/^include //p' "$manifest" | tail -n 1)
[ -z "$include" ] || [ ! -e "$include" ] || answer=yes
if [ "$answer" = ask ]; then
	if [ ! -t 0 ]; then
		hint 'to configure git too: sh install/install.sh --yes'
		exit 0
	fi
	printf 'Do this? [y/N] '
	read -r reply
	case $reply in
	[Yy]*) ;;
	*)
		hint 'git stays as it is; later: msauth setup git'
		exit 0
		;;
	esac
fi
note_git
git_setup add "$bin/git-credential-msauth"
