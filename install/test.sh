#!/bin/sh
# Run the test suite against the installed wheel. Arguments go to pytest, except the first:
#
#   sh install/test.sh                  everything that is fast (a few minutes)
#   sh install/test.sh -m long          the long sweeps
#   sh install/test.sh --real-az        with the real azure-cli, installed beside it
#   sh install/test.sh --real-clients   with the kubernetes client, msgraph-sdk and @azure/identity
#   MSAUTH_TEST_GIT=/path/to/git sh install/test.sh tests/test_git.py     with another git too
set -eu
case $0 in
*/*) . "${0%/*}/common.sh" ;;
*) . ./common.sh ;;
esac
build_directory
find_python
make_environment "$build/test" '[test]'
PATH=$build/test/bin:$PATH
export PATH

case ${1-} in
--real-az)
	shift
	if [ ! -x "$build/azure-cli/bin/az" ]; then
		printf 'Installing azure-cli into %s …\n' "$build/azure-cli" >&2
		"$python" -I -m venv "$build/azure-cli"
		pip "$build/azure-cli" azure-cli
	fi
	MSAUTH_TEST_AZ=$build/azure-cli/bin/az
	export MSAUTH_TEST_AZ
	set -- -m real_az "$@"
	;;
--real-clients)
	shift
	pip "$build/test" kubernetes msgraph-sdk aiohttp
	if command -v npm >/dev/null 2>&1; then
		npm install --silent --no-fund --no-audit --prefix "$build/node" @azure/identity
		MSAUTH_TEST_NODE_MODULES=$build/node/node_modules
		export MSAUTH_TEST_NODE_MODULES
	fi
	set -- -m real_client "$@"
	;;
esac

cd -- "$repo"
exec "$build/test/bin/python" -I -m pytest -o "cache_dir=$build/pytest" -n 2 "$@"
