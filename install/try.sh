#!/bin/sh
# Try msauth with no account: a real git clone, kubectl-style and wrapped commands, in the sandbox.
# Nothing of yours is read or changed; everything happens in a temporary home on this machine.
set -eu
case $0 in
*/*) . "${0%/*}/common.sh" ;;
*) . ./common.sh ;;
esac
build_directory
find_python
make_environment "$build/try" '[sandbox]'
scratch=$(mktemp -d "${TMPDIR:-/tmp}/msauth-try.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -m 700 "$scratch/home"
cd -- "$scratch/home"
env -i \
	PATH="$build/try/bin:$PATH" HOME="$scratch/home" TERM="${TERM-dumb}" LANG="${LANG-C.UTF-8}" \
	MSAUTH_CACHE_DIR="$scratch/home/cache" GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 \
	"$build/try/bin/msauth-sandbox" -- sh "$repo/install/demonstration.sh"
