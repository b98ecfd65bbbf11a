#!/bin/sh
# Undo install.sh exactly: the links, the environment, and what `msauth setup` made ask msauth.
# Cached tokens go too.
#
#   sh install/uninstall.sh                 removes what install.sh made
#   sh install/uninstall.sh --keep-cache    leaves the cached tokens
set -eu
case $0 in
*/*) . "${0%/*}/common.sh" ;;
*) . ./common.sh ;;
esac
cache=remove
for argument; do
	case $argument in
	-h | --help)
		usage
		exit 0
		;;
	--keep-cache) cache=keep ;;
	*) fail "unknown option $argument" "sh install/uninstall.sh --help" ;;
	esac
done
. "$here/places.sh"

if is_mine "$venv" d && "$venv/bin/python" -I -c pass 2>/dev/null; then
	python=$venv/bin/python
else
	find_python
fi
adopt_older
if [ ! -e "$manifest" ]; then
	printf 'There is nothing to remove: install.sh has made nothing in %s.\n' "$ours"
	exit 0
fi
made=$(cat -- "$manifest")

each() { # kind, command that gets each name of that kind
	printf '%s\n' "$made" | sed -n "s/^$1 //p" | while IFS= read -r name; do
		"$2" "$name" || exit 1
	done
}

left() { # path, reason
	printf 'Left %s: %s.\n' "$1" "$2"
}

remove_link() {
	if is_our_link "$1"; then
		rm -- "$1"
	elif exists "$1"; then
		left "$1" 'it is not the link that was made'
	fi
}

remove_file() {
	case $1 in
	"$ours"/*) rm -f -- "$1" ;;
	*) left "$1" "it is not in $ours" ;;
	esac
}

remove_environment() {
	exists "$1" || return 0
	if [ "$1" = "$venv" ] && is_mine "$1" d && [ -f "$1/pyvenv.cfg" ]; then
		rm -rf -- "$1"
	elif ! rmdir -- "$1" 2>/dev/null; then
		left "$1" 'it is not the environment that was made'
	fi
}

remove_parent() { # of what may be left there, which says so itself
	rmdir -- "$1" 2>/dev/null || true
}

remove_folder() {
	[ -d "$1" ] || return 0
	rmdir -- "$1" 2>/dev/null && return 0
	case $last in # its parent cannot go either, which needs no words
	"$1"/*) ;;
	*) left "$1" 'there is more in it than was installed' ;;
	esac
	last=$1
}

# git first: where its configuration cannot be changed, all stays as it is, to be tried again.
printf '%s\n' "$made" | while IFS= read -r line; do
	case $line in
	"git "*) config=${line#git } ;;
	"include "*) git_setup remove "$config" "${line#include }" || exit 1 ;;
	esac
done || fail "nothing was removed" "mend that, then: sh install/uninstall.sh"
if is_mine "$venv" d && [ -f "$venv/bin/msauth" ]; then
	# What asks our programs would fail without them, also where the person set it up later. The
	# personal access tokens that were taken out of files stay out.
	for target in $("$python" -I "$venv/bin/msauth" completion --values targets 2>/dev/null); do
		[ "$target" != pats ] || continue
		said=$("$python" -I "$venv/bin/msauth" setup "$target" --undo) ||
			fail "nothing was removed" "mend that, then: sh install/uninstall.sh"
		[ "$said" = 'nothing to do' ] || printf '%s\n' "$said"
	done
	# A damaged cache must not stop the rest.
	if [ "$cache" = remove ]; then
		"$python" -I "$venv/bin/msauth" logout --all || true
		"$python" -I -c 'from msauth.cli.logout import leave_nothing; leave_nothing()' 2>/dev/null || true
	fi
fi
each link remove_link
each file remove_file
each environment remove_environment
each parent remove_parent
rm -f -- "$manifest"
printf '%s\n' "$made" | sed -n 's/^folder //p' | sed '1!G;h;$!d' | {
	last=
	while IFS= read -r name; do remove_folder "$name"; done
}
backups=${XDG_STATE_HOME:-$HOME/.local/state}/msauth/setup
[ ! -d "$backups" ] || left "$backups" 'what msauth setup took out of files is kept there'
printf 'Removed msauth from %s and %s.\n' "$ours" "$bin"
