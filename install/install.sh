#!/bin/sh
# Install msauth for this user: its own virtual environment, its programs linked into
# ~/.local/bin, and git configured after showing what will change. uninstall.sh undoes it exactly.
#
#   sh install/install.sh            asks before touching git's configuration
#   sh install/install.sh --yes      does not ask
#   sh install/install.sh --no-git   leaves git's configuration alone
#   sh install/install.sh --extras sandbox      with optional packages
set -eu
. "$(dirname -- "$0")/common.sh"
[ -n "${HOME-}" ] || fail "HOME is not set"
answer=ask
extras='[rich]'
while [ $# -gt 0 ]; do
	case $1 in
	--yes) answer=yes ;;
	--no-git) answer=no ;;
	--extras)
		[ $# -gt 1 ] || fail "option --extras needs a value" "sh install/install.sh --extras sandbox"
		shift
		extras="[rich${1:+,$1}]"
		;;
	*) fail "unknown option $1" "sh install/install.sh [--yes] [--no-git] [--extras NAMES]" ;;
	esac
	shift
done
. "$repo/install/places.sh"

for name in $programs; do
	link=$bin/$name
	if { [ -e "$link" ] || [ -L "$link" ]; } && [ "$(readlink -- "$link")" != "$venv/bin/$name" ]; then
		fail "$link exists and is not ours" "remove it, or move it away, and run this again"
	fi
done
find_python
mkdir -p "$(dirname -- "$venv")"
if [ ! -d "$bin" ]; then
	mkdir -p "$bin"
	: >"$made_bin"
fi
make_environment "$venv" "$extras"
for name in $programs; do
	[ ! -e "$venv/bin/$name" ] || ln -sfn "$venv/bin/$name" "$bin/$name"
done
printf 'Installed into %s, linked into %s.\n' "$venv" "$bin"
case :$PATH: in
*:"$bin":*) ;;
*) printf '%s: hint: add %s to PATH\n' "$prog" "$bin" >&2 ;;
esac

[ "$answer" != no ] || exit 0
configure() { "$venv/bin/python" -I -m msauth.setup.git_config "$@"; }
change=0
configure show --bin "$bin" || change=$?
case $change in
0)
	printf 'git is configured already.\n'
	exit 0
	;;
1) ;;
*) exit 1 ;;
esac
if [ "$answer" = ask ]; then
	if [ ! -t 0 ]; then
		printf '%s: hint: to configure git too: sh install/install.sh --yes\n' "$prog" >&2
		exit 0
	fi
	printf 'Do this? [y/N] '
	read -r reply
	case $reply in
	[Yy]*) ;;
	*) exit 0 ;;
	esac
fi
configure add --bin "$bin"
