# Where install.sh puts things, and the list it keeps of them; sourced, not run.
#
# The manifest has one line for each thing, written down before it is made: its kind (folder,
# environment, file, link, git, include, parent) and its name. uninstall.sh removes these, no
# others; a parent only if it is empty. A line `extras NAME` is what an upgrade is to keep.

newline='
'
case ${HOME-} in
'') fail "HOME is not set" "export HOME=/your/home/directory" ;;
*"$newline"*) fail "HOME has a newline in its name" ;;
/*) ;;
*) fail "HOME is not an absolute path: $HOME" "export HOME=/your/home/directory" ;;
esac
case ${XDG_DATA_HOME-} in
/*) ours=$XDG_DATA_HOME/msauth ;;
*) ours=$HOME/.local/share/msauth ;; # a relative one is to be ignored (XDG Base Directory)
esac
manifest=$ours/manifest
venv=$ours/venv
bin=$HOME/.local/bin

is_mine() { # path, type as find(1) has it: of this type itself, no link to one, and this user's
	[ -n "$(find "$1" -prune -type "$2" -user "$(id -u)" 2>/dev/null)" ]
}

exists() {
	[ -e "$1" ] || [ -L "$1" ]
}

is_noted() { # kind, name
	grep -Fqx -e "$1 $2" "$manifest" 2>/dev/null
}

note() { # kind, name
	is_noted "$1" "$2" || printf '%s %s\n' "$1" "$2" >>"$manifest"
}

new_manifest() {
	printf '# What install.sh made here. uninstall.sh removes this, and nothing else.\n' >"$manifest"
}

# Does a link lead to our program of that name (an older install.sh linked to the environment's own),
# or to what the environment shares: manual pages and completions?
is_our_link() {
	case $(readlink -- "$1" 2>/dev/null) in
	"$ours/bin/${1##*/}" | "$venv/bin/${1##*/}" | "$venv/share/"*) ;;
	*) return 1 ;;
	esac
}

# What is installed from: the wheel that was named, else the sources here, else a wheel beside
# install/ (a release without sources). Sets `wheel`, which stays empty for the sources.
find_wheel() {
	[ -z "$wheel" ] && [ ! -d "$repo/helpers/msauth" ] || return 0
	for found in "$repo"/msauth-*.whl "$here"/msauth-*.whl "$repo"/dist/msauth-*.whl; do
		[ ! -f "$found" ] || wheel=$found
	done
}

# An older install.sh kept no list: write one for what it is known to have made.
adopt_older() {
	! exists "$manifest" && is_mine "$venv" d && [ -f "$venv/pyvenv.cfg" ] &&
		[ -f "$venv/made-from" ] || return 0
	new_manifest
	[ ! -e "$ours/made-bin" ] || note folder "$bin"
	note folder "$ours"
	note environment "$venv"
	note file "$venv.log"
	note file "$ours/made-bin"
	for name in git-credential-msauth msauth msauth-token msauth-run; do
		! is_our_link "$bin/$name" || note link "$bin/$name"
	done
	note_git
}

# What install.sh and uninstall.sh do to git's configuration: msauth/setup/git.py, of the sources
# or the wheel here; where there is neither, `python` must be that of the environment.
git_setup() { # arguments of its main
	find_wheel
	"$python" -I -B -c '
import sys
sys.path[:0] = filter(None, sys.argv[1:2])
from msauth.setup.git import main
sys.exit(main(sys.argv[2:]))' "${wheel:-$([ ! -d "$repo/helpers" ] || echo "$repo/helpers")}" "$@"
}

# The configuration that is to include a file, and that file: two lines that belong together.
note_git() {
	where=$(git_setup where) || exit 1
	config=${where%"$newline"*}
	include=${where#*"$newline"}
	if ! is_noted git "$config" || ! is_noted include "$include"; then
		printf 'git %s\ninclude %s\n' "$config" "$include" >>"$manifest"
	fi
}

if [ "$(id -u)" = 0 ] && ! exists "$HOME"; then
	fail "HOME does not exist: $HOME" "mkdir $(quote "$HOME")"
fi
if [ "$(id -u)" = 0 ] && ! is_mine "$HOME/." d; then
	fail "HOME is another user's: $HOME" "run this as that user, or set HOME=/root"
fi
if exists "$manifest" && ! is_mine "$manifest" f; then
	fail "$manifest is not a file of this user" "ls -ld $(quote "$manifest")"
fi
