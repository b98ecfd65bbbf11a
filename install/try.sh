#!/bin/sh
# Try msauth with no account: a real git clone, kubectl-style and wrapped commands, in the sandbox.
# Nothing of yours is read or changed; everything happens in a temporary home on this machine.
set -eu
case $0 in
*/*) . "${0%/*}/common.sh" ;;
*) . ./common.sh ;;
esac
case ${1-} in
-h | --help)
	usage
	exit 0
	;;
?*) fail "unknown option $1" "sh install/try.sh --help" ;;
esac
build_directory
find_python
make_environment "$build/try" '[sandbox]'
exec "$build/try/bin/msauth-sandbox" -- sh "$repo/install/demonstration.sh"
