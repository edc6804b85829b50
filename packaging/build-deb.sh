#!/bin/sh
# build-deb.sh [DIRECTORY]: builds the Debian package there, dist/ without one (`make deb`).
#
# It is for the release it is built on: its libraries are compiled for one version of Python.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-$here/../dist}
mkdir -p "$out"
out=$(cd "$out" && pwd)
python=${PYTHON:-/usr/bin/python3}
export PYTHON="$python"
command -v dpkg-deb >/dev/null || { echo 'dpkg-deb is needed: apt-get install dpkg' >&2; exit 1; }
umask 022

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
chmod 0755 "$stage"
prefix=/usr/lib/journal-collector
doc=/usr/share/doc/journal-collector

sh "$here/program.sh" "$stage" "$prefix"
sh "$here/beside.sh" "$stage" /usr/bin/collector /usr/lib/systemd/system "$doc/examples"
mkdir -p "$stage/usr/bin"
ln -s ../lib/journal-collector/bin/collector "$stage/usr/bin/collector"
install -m 0644 "$here/deb/copyright" "$stage$doc/copyright"
gzip -9n <"$here/../CHANGELOG.md" >"$stage$doc/CHANGELOG.md.gz"

minor=$("$python" -c 'import sys; print(sys.version_info.minor)')
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$here/../collector/__init__.py")~py3.$minor
arch=$(dpkg --print-architecture)
mkdir "$stage/DEBIAN"
size_kib=$(du -sk --apparent-size --exclude=DEBIAN "$stage" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$arch/" -e "s/@SIZE@/$size_kib/" \
  -e "s/@PYTHON@/3.$minor/" -e "s/@NEXT@/3.$((minor + 1))/" \
  "$here/deb/control.in" >"$stage/DEBIAN/control"
for script in postinst prerm postrm; do
  install -m 0755 "$here/deb/$script" "$stage/DEBIAN/$script"
done
(cd "$stage" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | sort -z |
  xargs -0 md5sum) >"$stage/DEBIAN/md5sums"

dpkg-deb --root-owner-group -Zxz --build "$stage" "$out" >/dev/null
echo "$out/journal-collector_${version}_$arch.deb"
