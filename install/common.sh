# Shared by the scripts here; sourced, not run. Sets `repo` and `build`.

repo=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P) || exit 1
prog=install/$(basename -- "$0")

fail() { # message, hint
	printf '%s: error: %s\n' "$prog" "$1" >&2
	[ -z "${2-}" ] || printf '%s: hint: %s\n' "$prog" "$2" >&2
	exit 1
}

# A directory for environments and logs: in the checkout when it is ours to write, else the
# user's cache. Nothing is ever installed outside of it (install.sh chooses its own).
build_directory() {
	if [ -n "${MSAUTH_BUILD_DIR-}" ]; then
		build=$MSAUTH_BUILD_DIR
	elif [ -w "$repo" ] && { [ ! -e "$repo/.build" ] || [ -w "$repo/.build" ]; }; then
		build=$repo/.build
	elif [ -n "${HOME-}" ] && mkdir -p "$HOME/.cache/msauth-build" 2>/dev/null; then
		build=$HOME/.cache/msauth-build
	else
		fail "no writable place for a virtual environment" "export MSAUTH_BUILD_DIR=/a/directory"
	fi
	mkdir -p "$build" || exit 1
}

# The first Python ≥ 3.10 that can make a virtual environment; PYTHON names another.
find_python() {
	for python in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.10; do
		if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' \
			>/dev/null 2>&1; then
			return 0
		fi
	done
	fail "no Python ≥ 3.10 with venv and ensurepip" \
		"apt-get install python3 python3-venv (or name one: PYTHON=/path/to/python3 sh $prog)"
}

# What an environment was made from: sources, metadata, extras and interpreter.
stamp_of() { # extras
	(
		cd -- "$repo" || exit 1
		echo "$1" "$("$python" -c 'import sys; print(sys.version, sys.base_prefix)')"
		find helpers pyproject.toml README.md -type f ! -name '*.pyc' -exec cksum {} + | sort -k 3
	) | cksum
}

# Make or refresh a virtual environment with the wheel of this checkout.
make_environment() { # directory, extras
	wanted=$(stamp_of "$2")
	if [ -x "$1/bin/python" ] && [ "$(cat "$1/made-from" 2>/dev/null)" = "$wanted" ]; then
		return 0
	fi
	find_git
	log=$1.log
	printf 'Installing msauth into %s …\n' "$1" >&2
	{
		rm -f "$1/made-from"
		"$1/bin/python" -c pass 2>/dev/null || "$python" -m venv --clear "$1"
		# A current pip writes launchers that do not import re: 6 ms of every call.
		"$1/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade pip &&
			"$1/bin/python" -m pip install --quiet --disable-pip-version-check "$repo$2"
	} >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		fail "the installation into $1 failed" "see $log"
	}
	printf '%s\n' "$wanted" >"$1/made-from"
}

find_git() {
	command -v git >/dev/null 2>&1 || fail "git is not installed" "apt-get install git"
}
