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
exec "$build/try/bin/msauth-sandbox" -- sh "$repo/install/demonstration.sh"
