# Shared by the scripts here; sourced, not run. Sets `here` (this folder), `repo`, `prog`.
#
# Nothing is started or imported from the current directory, which may be anybody's: PATH keeps
# its absolute items only, Python runs isolated (-I), and the scripts work from `/`.

path=
set -f
IFS=:
for item in $PATH; do
	case $item in
	/*) path=${path:+$path:}$item ;;
	esac
done
unset IFS item
set +f
PATH=${path:-/usr/local/bin:/usr/bin:/bin}
export PATH
unset path CDPATH PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONPLATLIBDIR
unset PIP_TARGET PIP_PREFIX PIP_ROOT PIP_USER # pip is to install into our environments only

prog=install/${0##*/}
case $0 in
*/*) here=${0%/*} ;;
*) here=. ;;
esac
here=$(cd -- "$here" && pwd -P) || exit 1
repo=${here%/*}

fail() { # message, hint
	printf '%s: error: %s\n' "$prog" "$1" >&2
	[ -z "${2-}" ] || printf '%s: hint: %s\n' "$prog" "$2" >&2
	exit 1
}

# Print what the comment at the head of the script says.
usage() {
	sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$here/${0##*/}"
}

quote() { # text: as a shell reads it back
	case $1 in
	'' | *[!A-Za-z0-9_./:@%+=,-]*) printf "'%s'\n" "$(printf '%s\n' "$1" | sed "s/'/'\\\\''/g")" ;;
	*) printf '%s\n' "$1" ;;
	esac
}

absolute() { # path: the same, from anywhere
	case $1 in
	/*) printf '%s\n' "$1" ;;
	*) printf '%s/%s\n' "$PWD" "$1" ;;
	esac
}

# These may be relative to where the person is; nothing else is.
case ${PYTHON-} in
*/*) PYTHON=$(absolute "$PYTHON") ;;
esac
[ -z "${MSAUTH_BUILD_DIR-}" ] || MSAUTH_BUILD_DIR=$(absolute "$MSAUTH_BUILD_DIR")
[ -z "${MSAUTH_CLIENTS_DIR-}" ] || MSAUTH_CLIENTS_DIR=$(absolute "$MSAUTH_CLIENTS_DIR")
case ${TMPDIR-} in
/*) ;;
*) unset TMPDIR ;;
esac
cd /

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

# The first Python ≥ 3.10 that can make a virtual environment; PYTHON names another. Sets `python`
# to the interpreter itself: what PATH has may be a shim that asks the current directory which.
find_python() {
	if [ -n "${PYTHON-}" ]; then
		set -- "$PYTHON"
	else
		set -- python3 python3.14 python3.13 python3.12 python3.11 python3.10
	fi
	for name; do
		if python=$("$name" -I -c '
import sys, venv, ensurepip
if sys.version_info < (3, 10):
    sys.exit(1)
print(sys.executable)' 2>/dev/null); then
			return 0
		fi
	done
	[ -z "${PYTHON-}" ] || fail "$PYTHON is no Python ≥ 3.10 with venv and ensurepip" 'unset PYTHON'
	fail "no Python ≥ 3.10 with venv and ensurepip" \
		"apt-get install python3 python3-venv (or name one: PYTHON=/path/to/python3 sh $prog)"
}

# A wheel to install instead of what is in this folder: install.sh may choose one.
wheel=

# What an environment was made from: sources and metadata, or a wheel; extras and interpreter.
stamp_of() { # extras
	(
		cd -- "$repo" || exit 1
		echo "$1" "$("$python" -I -c 'import sys; print(sys.version, sys.base_prefix)')"
		if [ -n "$wheel" ]; then
			cksum <"$wheel"
		else
			find helpers install pyproject.toml README.md -type f \
				! -name '*.py[co]' ! -name '*.sh' -exec cksum {} + | sort -k 3
		fi
	) | cksum
}

# Make or refresh a virtual environment with the wheel, or what is in this folder.
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
		"$1/bin/python" -I -c 'import pip' 2>/dev/null || "$python" -I -m venv --clear "$1"
		# A current pip writes launchers that do not import re: 6 ms of every call.
		pip "$1" --upgrade pip && pip "$1" "${wheel:-$repo}$2" &&
			# pip leaves a wheel of a version that is there already as it is.
			{ [ -z "$wheel" ] || pip "$1" --force-reinstall --no-deps "$wheel"; }
	} >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		fail "the installation into $1 failed" "see $log"
	}
	printf '%s\n' "$wanted" >"$1/made-from"
}

pip() { # environment, arguments
	environment=$1
	shift
	"$environment/bin/python" -I -m pip install --quiet --disable-pip-version-check "$@"
}

find_git() {
	command -v git >/dev/null 2>&1 || fail "git is not installed" "apt-get install git"
}

# Write the launcher of a program in place of pip's, which would listen to PYTHONPATH: ours run Python
# isolated (-I). Those of `msauth_start` also leave out `site` (-S), a quarter of Python's start; what
# needs it runs it later (msauth/signin). Python is in the first line where the kernel takes it (127
# bytes, no space), else a shell starts it, 1 ms slower.
write_launcher() { # name, file, environment, where that will be once it is installed
	entry=$(sed -n 's/^from msauth_start import \([a-z_]*\)$/\1/p' "$3/bin/$1")
	first="$4/bin/python -I${entry:+S}"
	case $1,$4 in
	git-credential-msauth,* | *,*[[:space:]]*) shell=yes ;;
	*) [ "$(printf '#!%s' "$first" | wc -c)" -gt 127 ] && shell=yes || shell= ;;
	esac
	if [ -z "$shell" ]; then
		{ printf '#!%s\n' "$first" && launched "$@"; } >"$2"
	else
		mkdir -p "$3/libexec"
		# The name that a program is called by may choose a profile, and is where it looks for the
		# others: the shell hands on its own.
		{ printf 'import sys\ndel sys.argv[0]\n' && launched "$@"; } >"$3/libexec/$1"
		{
			echo '#!/bin/sh'
			[ "$1" != git-credential-msauth ] || cat <<'STORE'
# git asks to store what it was given by us, which is in the cache already.
for action do :; done
if [ "${action-}" = store ]; then
	while read -r line; do :; done
	exit 0
fi
STORE
			printf 'exec %s -I%s %s "$0" "$@"\n' \
				"$(quote "$4/bin/python")" "${entry:+S}" "$(quote "$4/libexec/$1")"
		} >"$2"
	fi
	chmod 755 "$2"
}

# Print what Python is to run. Our own folder is looked into first, for msauth_start alone, and is then
# the last, so that nothing in it stands before the standard library.
launched() { # as write_launcher
	if [ -z "$entry" ]; then
		sed 1d "$3/bin/$1"
		return
	fi
	"$3/bin/python" -I -c '
import sys, sysconfig
built, place, entry = sys.argv[1:]
packages = place + sysconfig.get_path("purelib").removeprefix(built)
print(f"""import sys
sys.path.insert(0, {packages!r})
from msauth_start import {entry}
sys.path.append(sys.path.pop(0))
sys.exit({entry}())""")' "$3" "$4" "$entry"
}
