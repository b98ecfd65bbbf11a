#!/bin/sh
# Build a Debian package for this machine's release and architecture, with all that msauth needs
# but Python itself: for everybody on a machine, by its package manager.
#
#   sh install/deb.sh [FOLDER]    writes msauth_VERSION_ARCHITECTURE.deb there (default: here)
#   sudo apt-get install ./msauth_*.deb
#
# It needs dpkg-deb and Debian's own python3 with venv.
set -eu
case $0 in
*/*) . "${0%/*}/common.sh" ;;
*) . ./common.sh ;;
esac
target=${OLDPWD-/}
case ${1-} in
-h | --help)
	usage
	exit 0
	;;
-*) fail "unknown option $1" "sh install/deb.sh --help" ;;
/*) target=$1 ;;
?*) target=${target%/}/$1 ;;
esac
[ -d "$target" ] || fail "there is no folder $target" "mkdir -p $(quote "$target")"
command -v dpkg-deb >/dev/null 2>&1 || fail "there is no dpkg-deb on this machine" "sh install/install.sh"
PYTHON=/usr/bin/python3
find_python
[ "$python" = /usr/bin/python3 ] || fail "Debian's python3 cannot make an environment" \
	"apt-get install python3 python3-venv"
build_directory

root=$build/deb
place=/usr/lib/msauth
rm -rf "$root"
mkdir -p "$root/usr/lib" "$root/usr/bin" "$root/usr/share" "$root/DEBIAN"
make_environment "$root$place" ''
rm -f "$root$place.log" "$root$place/made-from"
"$root$place/bin/python" -I -m pip uninstall --quiet --yes setuptools pip

# What pip wrote says where it was built; the programs ignore PYTHONPATH, as those of install.sh.
"$root$place/bin/python" -I -c '
from importlib.metadata import entry_points, version
for entry in entry_points(group="console_scripts"):
    if entry.dist.name == "msauth" and not entry.extras:
        print(entry.name)' >"$root/programs"
while IFS= read -r name; do
	write_launcher "$name" "$root/usr/bin/$name" "$root$place" "$place"
	# bash and fish load the file that has the name of the program.
	[ "$name" = msauth ] || for file in bash-completion/completions/msauth \
		fish/vendor_completions.d/msauth.fish; do
		ln -s "${file##*/}" "$root$place/share/${file%/*}/$name${file#"${file%%msauth*}msauth"}"
	done
done <"$root/programs"
rm "$root/programs"
find "$root$place/bin" ! -name 'python*' ! -type d -exec rm {} +
version=$("$root$place/bin/python" -I -c 'from importlib.metadata import version; print(version("msauth"))')
printf 'home = /usr/bin\ninclude-system-site-packages = false\n' >"$root$place/pyvenv.cfg"
rmdir "$root/usr/share"
mv "$root$place/share" "$root/usr/share"
gzip -9n "$root"/usr/share/man/man*/*
"$python" -I -m compileall -qf -s "$root" -p / "$root$place/lib"
cat >"$root/DEBIAN/postinst" <<POSTINST
#!/bin/sh
$place/bin/python -I -m msauth.merge || :
POSTINST
chmod 755 "$root/DEBIAN/postinst"
minor=$("$python" -I -c 'import sys; print(sys.version_info[1])')
cat >"$root/DEBIAN/control" <<CONTROL
Package: msauth
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: The msauth authors
Depends: python3 (>= 3.$minor), python3 (<< 3.$((minor + 1)))
Recommends: git
Installed-Size: $(du -sk "$root/usr" | cut -f 1)
Section: utils
Priority: optional
Description: one sign-in for git, kubectl and scripts that talk to Azure
 git, kubectl, scripts and SDKs reach Azure, Azure DevOps and Microsoft Graph
 with the sign-in that is there already, and no personal access tokens.
CONTROL
chmod -R go=u,go-w "$root"
package=msauth_${version}_$(dpkg --print-architecture).deb
dpkg-deb --root-owner-group --build "$root" "$target/$package" >/dev/null
rm -rf "$root"
printf 'Wrote %s\n' "$target/$package"
