#!/bin/sh
# Measure how long msauth's answers take, beside what else gives them, all interleaved in one run. It
# takes about ten minutes on a quiet machine; nothing of yours is asked, changed or signed in.
#
#   sh install/benchmark.sh                      print medians, ratios and what was wanted
#   sh install/benchmark.sh --quick              a glance in a minute or two
#   sh install/benchmark.sh --output FOLDER      write a table and a chart there as well
#   sh install/benchmark.sh --rounds 120         instead of 60
#   sh install/benchmark.sh --only hot rivals    these measurements; all are hot, crowd, cold,
#                                                network, serve, sdk, scale and rivals
#
# The rivals join that are on PATH or were prepared:
#   sh install/clients.sh azure-cli kubelogin git-credential-oauth
set -eu
case $0 in
*/*) . "${0%/*}/common.sh" ;;
*) . ./common.sh ;;
esac
from=${OLDPWD-/} # where the person is
for argument; do
	case $argument in
	-h | --help)
		usage
		exit 0
		;;
	esac
done
# Python is to keep what it compiled, as it does for everybody who does not forbid it.
unset PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX
build_directory
find_python
make_environment "$build/bench" '[bench]'

# As a person installs it, in a HOME that nothing else has.
mkdir -p "$build/bench-home"
env -u XDG_CACHE_HOME -u XDG_CONFIG_HOME -u XDG_DATA_HOME -u XDG_STATE_HOME \
	HOME="$build/bench-home" sh "$here/install.sh" --yes --no-git >"$build/bench-home.log" 2>&1 ||
	fail "install.sh failed" "see $build/bench-home.log"

cd -- "$repo"
# Isolated: only the repository is looked into besides the environment, not where the person is.
exec "$build/bench/bin/python" -I -c 'import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("tests.bench", run_name="__main__", alter_sys=True)' "$repo" \
	--installed "$build/bench-home/.local/bin" --relative-to "$from" "$@"
