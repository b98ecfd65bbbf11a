#!/bin/sh
# Run the test suite against the installed wheel. Arguments go to pytest, except the first:
#
#   sh install/test.sh                  everything that is fast (a few minutes)
#   sh install/test.sh -m long          the long sweeps
#   sh install/test.sh --clients        the same with real clients: a newer git, git-lfs, SDKs of
#                                       four languages; clients.sh says where they are prepared
#   sh install/test.sh --real-az        with the real azure-cli, prepared in the same way
#   sh install/test.sh --real-clients   with the kubernetes client, msgraph-sdk, @azure/identity,
#                                       package managers and clients of container registries
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

prepare() { # client … ; where one cannot be had, its tests are skipped with the reason
	sh "$repo/install/clients.sh" "$@" || :
}
where() { # client
	sh "$repo/install/clients.sh" --where "$1" 2>/dev/null || :
}

case ${1-} in
--clients)
	shift
	prepare
	;;
--real-az)
	shift
	prepare azure-cli keyring
	MSAUTH_TEST_AZ=${MSAUTH_TEST_AZ:-$(where azure-cli)}
	export MSAUTH_TEST_AZ
	set -- -m real_az "$@"
	;;
--real-clients)
	shift
	pip "$build/test" kubernetes msgraph-sdk aiohttp matplotlib
	prepare node-clients python-tools node-tools cargo maven crane oras helm skopeo
	MSAUTH_TEST_NODE_MODULES=${MSAUTH_TEST_NODE_MODULES:-$(where node-clients)}
	export MSAUTH_TEST_NODE_MODULES
	set -- -m real_client "$@"
	;;
esac
MSAUTH_TEST_GIT=${MSAUTH_TEST_GIT:-$(where git)}
MSAUTH_TEST_GIT_LFS=${MSAUTH_TEST_GIT_LFS:-$(where git-lfs)}
export MSAUTH_TEST_GIT MSAUTH_TEST_GIT_LFS

cd -- "$repo"
# Three for two cores: many tests wait for a program.
exec "$build/test/bin/python" -I -m pytest -o "cache_dir=$build/pytest" -n 3 "$@"
