#!/bin/sh
# Try msauth with no account: a real git clone, kubectl-style and wrapped commands, in the sandbox.
# Nothing of yours is read or changed; everything happens in a temporary home on this machine.
#
#   sh install/try.sh            builds msauth once in .build/try, then shows it
set -eu
case $0 in
*/*) . "${0%/*}/common.sh" ;;
*) . ./common.sh ;;
esac
case ${1-} in
'') ;;
-h | --help)
	usage
	exit 0
	;;
*) fail "unknown option $1" "sh $prog --help" ;;
esac
build_directory
find_python
make_environment "$build/try" '[sandbox]'
"$build/try/bin/msauth-sandbox" -- sh "$repo/install/demonstration.sh"
cat <<NEXT

Look around there yourself:  $(quote "$build/try/bin/msauth-sandbox") -- bash
Install it for yourself:     sh $(quote "$here/install.sh")
NEXT
