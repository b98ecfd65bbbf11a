#!/bin/sh
# Undo install.sh exactly: git's configuration, the links, the environment. Cached tokens go too;
# --keep-cache leaves them.
set -eu
. "$(dirname -- "$0")/common.sh"
[ -n "${HOME-}" ] || fail "HOME is not set"
. "$repo/install/places.sh"
case ${1-} in
'' | --keep-cache) ;;
*) fail "unknown option $1" "sh install/uninstall.sh [--keep-cache]" ;;
esac

if [ -x "$venv/bin/python" ]; then
	"$venv/bin/python" -I -m msauth.setup.git_config remove
	if [ "${1-}" != --keep-cache ] && [ -x "$venv/bin/msauth" ]; then
		"$venv/bin/msauth" logout --all || true # a damaged cache must not stop the rest
	fi
fi
for name in $programs; do
	if [ "$(readlink -- "$bin/$name" 2>/dev/null)" = "$venv/bin/$name" ]; then
		rm -- "$bin/$name"
	fi
done
rm -rf -- "$venv" "$venv.log"
if [ -e "$made_bin" ]; then
	rm -f -- "$made_bin"
	rmdir -- "$bin" 2>/dev/null || true
fi
rmdir -- "$(dirname -- "$venv")" 2>/dev/null || true
printf 'Removed msauth from %s and %s.\n' "$venv" "$bin"
