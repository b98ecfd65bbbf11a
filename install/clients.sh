#!/bin/sh
# Prepare the real clients that some tests and benchmark.sh run, in a folder outside of the checkout:
# $MSAUTH_TEST_CLIENTS_DIR, else ~/.cache/msauth-clients. What is there already is used again.
#
#   sh install/clients.sh                prepare those that `sh install/test.sh --clients` runs
#   sh install/clients.sh git git-lfs    prepare these
#   sh install/clients.sh --where git    print where it is, or why it is not there; prepares nothing
#   sh install/clients.sh --where        print the folder
#
# A test that needs a client which is not there is skipped with the reason that --where gives.
set -eu
case ${MSAUTH_TEST_CLIENTS_DIR-} in
'' | /*) ;;
*) MSAUTH_TEST_CLIENTS_DIR=$PWD/$MSAUTH_TEST_CLIENTS_DIR ;;
esac
case $0 in
*/*) . "${0%/*}/common.sh" ;;
*) . ./common.sh ;;
esac

usual='git git-lfs go-clients java-clients node-clients old-python-clients shells'
tools='python-tools node-tools cargo maven crane oras helm skopeo' # for those of --real-clients
others='azure-cli keyring' # for the tests of --real-az
rivals='kubelogin git-credential-oauth' # for benchmark.sh, as is azure-cli
clients=${MSAUTH_TEST_CLIENTS_DIR:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/msauth-clients}
sources=$repo/tests/clients

# What a client is called in the folder, which file of it is run, and what preparing it means.
# The version is part of the folder's name, so a newer pin is prepared beside the older one.
describe() { # client
	case $1 in
	git)
		version=2.47 file=bin/git
		does='build Debian 13'\''s git from its source package (about two minutes)'
		;;
	git-lfs)
		version=3.8.1 file=bin/git-lfs
		does='build git-lfs with Go'
		;;
	go-clients)
		version=$(sum_of go) file=bin/goclients
		does='build the Go SDKs'\'' test client'
		;;
	java-clients)
		version=$(sum_of java) file=classpath
		does='fetch azure-identity for Java and compile its test client'
		;;
	node-clients)
		version=$(sum_of node) file=node_modules
		does='fetch @azure/identity'
		;;
	old-python-clients)
		version=$(sum_of python) file=bin/python
		does='install the older Python SDKs'
		;;
	azure-cli)
		version=2.91.0 file=bin/az
		does='install azure-cli (some minutes)'
		;;
	shells)
		version=1 file=complete
		does='install zsh, fish, bash-completion and what checks manual pages'
		;;
	keyring)
		version=1 file=python
		does='install gnome-keyring and what az needs to use it'
		;;
	python-tools)
		version=$(sum_of python-tools) file=bin
		does='install pip, uv, twine, poetry and keyring'
		;;
	node-tools)
		version=$(sum_of node-tools) file=bin
		does='fetch npm, pnpm 10 and 12, and Yarn 4'
		;;
	cargo)
		version=1 file=bin/cargo
		does='find the machine'\''s own cargo'
		;;
	maven)
		version=3.9.11-$(sum_of maven) file=bin/mvn
		does='fetch Maven and the plugins that the tests run'
		;;
	crane)
		version=0.22.1 file=bin/crane
		does='build crane with Go'
		;;
	oras)
		version=1.3.6 file=bin/oras
		does='build oras with Go'
		;;
	helm)
		version=3.22.0 file=bin/helm
		does='build helm with Go'
		;;
	skopeo)
		version=1 file=bin/skopeo
		does='install the distribution'\''s skopeo'
		;;
	kubelogin)
		version=0.2.21 file=bin/kubelogin
		does='build kubelogin with Go'
		;;
	git-credential-oauth)
		version=1 file=bin/git-credential-oauth
		does='install the distribution'\''s git-credential-oauth'
		;;
	*) fail "no client is called $1" "sh $prog with some of: $usual $tools $others $rivals" ;;
	esac
	place=$clients/$1-$version
}

sum_of() { # folder of tests/clients: a new pin or a changed program is a new version
	(cd -- "$sources/$1" && cat -- * | cksum | cut -d ' ' -f 1)
}

# What was a link to a program of the machine's own may have lost it since.
ready() { [ -e "$place/complete" ] && [ -e "$place/$file" ]; }

where() { # client
	describe "$1"
	if ready; then
		printf '%s\n' "$place/$file"
		return 0
	fi
	if [ -s "$place.reason" ]; then
		printf '%s: %s\n' "$1" "$(cat "$place.reason")" >&2
	else
		printf '%s is not prepared: sh install/clients.sh %s\n' "$1" "$1" >&2
	fi
	return 1
}

# A make_ function calls this where it knows better than its log why it cannot go on.
because() { # reason
	printf '%s\n' "$1" >"$place.reason"
	return 1
}

need() { # program, what it is called for a person
	command -v "$1" >/dev/null 2>&1 || because "there is no ${2:-$1} on this machine"
}

prepare() { # client
	describe "$1"
	[ ! -e "$place/complete" ] || return 0
	printf '%s: %s, into %s …\n' "$1" "$does" "$place" >&2
	rm -rf "$place" "$place.reason"
	mkdir -p "$place"
	# A process of its own, since `set -e` does not reach into a function whose result is asked.
	if sh "$here/clients.sh" --make "$1" >"$place.log" 2>&1; then
		: >"$place/complete"
		return 0
	fi
	rm -rf "$place"
	[ -s "$place.reason" ] || because "it could not be prepared; see $place.log" || :
	printf '%s: %s\n' "$1" "$(cat "$place.reason")" >&2
	return 1
}

# Debian packages, installed where this is root and named where it is not.
packages() { # name …
	need dpkg-query
	lacking=
	for package; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
		installed) ;;
		*) lacking="$lacking $package" ;;
		esac
	done
	[ -n "$lacking" ] || return 0
	[ "$(id -u)" = 0 ] || because "it needs packages: apt-get install$lacking"
	need apt-get
	export DEBIAN_FRONTEND=noninteractive
	# shellcheck disable=SC2086  # a list of names
	apt-get install -y --no-install-recommends $lacking || {
		apt-get update && apt-get install -y --no-install-recommends $lacking
	} || because "apt-get could not install$lacking"
}

# Debian 13's source package, asked of the system's own mirror with lists of its own, so that
# nothing of the system's apt changes.
make_git() {
	newest=$(git version 2>/dev/null | sed 's/^git version \([0-9]*\)\.\([0-9]*\).*/\1 \2/')
	# shellcheck disable=SC2086  # two numbers
	set -- $newest 0 0
	if [ "$1" -gt 2 ] || { [ "$1" -eq 2 ] && [ "$2" -ge 46 ]; }; then
		because "the machine's own git is new enough"
	fi
	need apt-get
	# shellcheck disable=SC2016  # apt's own variables
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
		grep '/debian/*$' | head -n 1)
	[ -n "$mirror" ] || because "apt's sources name no Debian archive"
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -r "$keyring" ] || because "there is no $keyring"
	packages make gcc libc6-dev libcurl4-openssl-dev libexpat1-dev zlib1g-dev libssl-dev dpkg-dev
	mkdir -p "$place/source" "$place/lists/partial" "$place/cache/archives/partial"
	# apt hands the download to its own user, who must be able to get there; without one that
	# can, it says so and downloads as us.
	printf 'deb-src [signed-by=%s] %s trixie main\n' "$keyring" "$mirror" >"$place/sources.list"
	cd -- "$place/source"
	set -- -o Dir::Etc::sourcelist="$place/sources.list" -o Dir::Etc::sourceparts=- \
		-o Dir::State::lists="$place/lists" -o Dir::Cache="$place/cache"
	apt-get "$@" -o APT::Update::Error-Mode=any update ||
		because 'apt-get could not fetch the list of Debian 13'\''s sources'
	apt-get "$@" source --download-only git || because 'apt-get could not fetch git'\''s source'
	dpkg-source --no-check --extract ./git_*.dsc tree
	case $(cat tree/GIT-VERSION-GEN) in
	*"v$version."*) ;;
	*) because "Debian 13 has no git $version any more" ;;
	esac
	make -C tree -j2 prefix="$place" NO_GETTEXT=1 NO_TCLTK=1 NO_PERL=1 NO_PYTHON=1 \
		INSTALL_SYMLINKS=1 CFLAGS=-O1 all install
	cd -- "$place"
	rm -rf source lists cache sources.list
}

make_git_lfs() { go_install github.com/git-lfs/git-lfs/v3; }
make_crane() { go_install github.com/google/go-containerregistry/cmd/crane; }
make_oras() { go_install oras.land/oras/cmd/oras; }
make_helm() { go_install helm.sh/helm/v3/cmd/helm; }
make_kubelogin() { go_install github.com/Azure/kubelogin; }

go_install() { # package
	need go Go
	GOBIN=$place/bin GOFLAGS='' go install -trimpath -ldflags "-s -w" "$1@v$version"
}

# The Go module proxy does not have these, so they are whichever the distribution has.
make_skopeo() { distributed skopeo; }
make_git_credential_oauth() { distributed git-credential-oauth; }

distributed() { # package, and its program
	packages "$1"
	mkdir "$place/bin"
	ln -s "$(command -v "$1")" "$place/bin/$1"
}

make_go_clients() {
	need go Go
	mkdir "$place/bin"
	cd -- "$sources/go"
	go build -trimpath -buildvcs=false -o "$place/bin/goclients" .
}

make_java_clients() {
	need javac 'Java compiler'
	need mvn Maven
	cp "$sources/java/pom.xml" "$place/"
	mvn -q -B -f "$place/pom.xml" -Dmaven.repo.local="$clients/maven" \
		dependency:build-classpath -Dmdep.outputFile="$place/jars"
	javac -cp "$(cat "$place/jars")" -d "$place/classes" "$sources"/java/*.java
	printf '%s:%s' "$place/classes" "$(cat "$place/jars")" >"$place/classpath"
}

make_node_clients() {
	need npm
	cp "$sources"/node/package*.json "$place/"
	npm ci --silent --no-fund --no-audit --prefix "$place"
}

make_old_python_clients() {
	find_python
	"$python" -I -m venv "$place"
	pip "$place" --requirement "$sources/python/requirements.txt"
}

make_python_tools() {
	find_python
	"$python" -I -m venv "$place"
	pip "$place" --requirement "$sources/python-tools/requirements.txt"
}

# Each under its own name, since two versions of pnpm cannot share one. The versions are exact and
# bring all they need; a lock file would want pnpm's programs for every other system, too.
make_node_tools() {
	need npm
	cp "$sources/node-tools/package.json" "$place/"
	npm install --no-package-lock --no-fund --no-audit --prefix "$place"
	mkdir "$place/bin"
	(cd -- "$place" && node -e '
const fs = require("fs")
for (const name of Object.keys(require("./package.json").dependencies)) {
  const {bin} = require(`./node_modules/${name}/package.json`)
  const program = name.replace(/-[0-9]+$/, "")
  const script = fs.realpathSync(`node_modules/${name}/${bin[program]}`)
  fs.chmodSync(script, 0o755)
  fs.symlinkSync(script, `bin/${name}`)
}')
}

# What rustup puts on PATH looks for a toolchain in HOME, and a test has a HOME of its own.
make_cargo() {
	need cargo
	if command -v rustup >/dev/null 2>&1; then
		found=$(rustup which cargo)
	else
		found=$(command -v cargo)
	fi
	ln -s "${found%/*}" "$place/bin"
}

# Maven itself is an artifact, too. The plugins go into a repository of their own: a test runs
# them in a network that has no Maven Central.
make_maven() {
	need java
	need mvn Maven
	number=${version%%-*}
	mvn -q -B -f "$sources/maven/pom.xml" -Dmaven.repo.local="$clients/maven" dependency:copy \
		-Dartifact="org.apache.maven:apache-maven:$number:tar.gz:bin" \
		-DoutputDirectory="$place"
	tar -xzf "$place"/apache-maven-*-bin.tar.gz -C "$place" --strip-components=1
	rm "$place"/apache-maven-*-bin.tar.gz
	mkdir "$place/warm"
	cp "$sources/maven/pom.xml" "$place/warm/"
	set -- "$place/bin/mvn" -q -B -f "$place/warm/pom.xml" -Dmaven.repo.local="$place/repository"
	"$@" dependency:copy-dependencies
	"$@" deploy:deploy-file -Dfile="$place/warm/pom.xml" -DpomFile="$place/warm/pom.xml" \
		-Durl="file://$place/warm/deployed"
	rm -rf "$place/warm"
}

make_azure_cli() {
	find_python
	"$python" -I -m venv "$place"
	pip "$place" "azure-cli==$version"
}

make_shells() {
	packages bash zsh fish bash-completion man-db groff-base mandoc
}

# Beside the programs, a folder for PYTHONPATH with the distribution's gi and nothing else of it.
make_keyring() {
	packages gnome-keyring dbus-daemon libglib2.0-bin gir1.2-secret-1 python3-gi
	find_python
	mkdir "$place/python"
	ln -s /usr/lib/python3/dist-packages/gi "$place/python/gi"
	"$python" -I -c '
import sys
sys.path.insert(0, sys.argv[1])
import gi
gi.require_version("Secret", "1")' "$place/python" ||
		because "the distribution's gi is for another Python than $python"
}

case ${1-} in
--where)
	if [ $# -gt 1 ]; then
		where "$2"
	else
		printf '%s\n' "$clients"
	fi
	exit
	;;
--make)
	describe "${2:?}"
	"make_$(printf %s "$2" | tr - _)"
	exit
	;;
esac

# One at a time: two test runs that start together prepare everything once.
mkdir -p "$clients"
if [ -z "${MSAUTH_TEST_CLIENTS_LOCKED-}" ] && command -v flock >/dev/null 2>&1; then
	MSAUTH_TEST_CLIENTS_LOCKED=1 exec flock "$clients/lock" sh "$here/clients.sh" "$@"
fi
# shellcheck disable=SC2086  # a list of names
[ $# -gt 0 ] || set -- $usual
result=0
for client; do
	prepare "$client" || result=1
done
exit $result
