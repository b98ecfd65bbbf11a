#!/bin/sh
# Install msauth for this user: its own virtual environment, its programs linked into
# ~/.local/bin, and git configured after showing what will change. uninstall.sh undoes it exactly.
#
#   sh install/install.sh            asks before touching git's configuration
#   sh install/install.sh --yes      does not ask
#   sh install/install.sh --no-git   leaves git's configuration alone
#   sh install/install.sh --extras sandbox      with optional packages
#
# It needs Python ≥ 3.10 with venv (PYTHON=/path/to/python3 names another than PATH's) and git.
set -eu
case $0 in
*/*) . "${0%/*}/common.sh" ;;
*) . ./common.sh ;;
esac
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
	*) fail "unknown option $1" "sh install/install.sh --help" ;;
	esac
	shift
done
. "$here/places.sh"
case ,$extras, in
*,sandbox,*) programs="$programs msauth-sandbox" ;;
esac

# Nothing is touched before all of this is known to be ours or free.
find_git
find_python
adopt_older
for name in $programs; do
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
make_folder "$ours"
[ -e "$manifest" ] || new_manifest
printf '%s' "$unlisted" | while IFS= read -r folder; do note folder "$folder"; done

note environment "$venv"
note file "$venv.log"
make_environment "$venv" "${extras:+[$extras]}"

# The environment's own launchers would listen to PYTHONPATH. Ours run Python isolated (-I): by
# the first line where the kernel takes it (127 bytes, no space), else by a shell, 1 ms slower.
launcher() { # name
	first="#!$venv/bin/python -I"
	case $venv in
	*[[:space:]]*) first= ;;
	esac
	if [ -n "$first" ] && [ "$(printf %s "$first" | wc -c)" -le 127 ]; then
		printf '%s\n' "$first"
		sed 1d "$venv/bin/$1"
	else
		printf '#!/bin/sh\nexec %s -I %s "$@"\n' \
			"$(quote "$venv/bin/python")" "$(quote "$venv/bin/$1")"
	fi
}
make_folder "$ours/bin"
make_folder "$bin"
for name in $programs; do
	note file "$ours/bin/$name"
	launcher "$name" >"$ours/bin/$name.new"
	chmod 755 "$ours/bin/$name.new"
	mv -f -- "$ours/bin/$name.new" "$ours/bin/$name"
	note link "$bin/$name"
	ln -sfn -- "$ours/bin/$name" "$bin/$name"
done
printf 'Installed into %s, linked into %s.\n' "$venv" "$bin"
case :$PATH: in
*:"$bin":*) ;;
*) printf '%s: hint: put it on PATH: export PATH=%s:"$PATH"\n' "$prog" "$(quote "$bin")" >&2 ;;
esac

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
note_git
git_setup add "$bin/git-credential-msauth"
