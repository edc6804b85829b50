#!/bin/sh
# program.sh ROOT PREFIX: puts the program and its libraries into ROOT/PREFIX, to be run at PREFIX.
#
# What comes out is a virtual environment without pip, of the interpreter in $PYTHON, which
# names no path of the machine it was made on.  Whatever lay at ROOT/PREFIX is replaced as a whole.
set -eu
root=$1 prefix=$2
python=${PYTHON:-/usr/bin/python3}
here=$(cd "$(dirname "$0")/.." && pwd)

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "Python 3.11 or later is needed, not that of $python" >&2; exit 1; }
"$python" -c 'import ensurepip' 2>/dev/null || {
  echo "$python has no pip to build with.  As root, do: apt-get install python3-venv" >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A copy: what an earlier build left in the checkout must not get in.
mkdir "$work/source"
(cd "$here" && cp -R collector migrations pyproject.toml README.md LICENSE "$work/source")
find "$work/source" -name __pycache__ -prune -exec rm -rf {} +

"$python" -m venv "$work/pip"
"$python" -m venv --without-pip "$work/program"
site=$(cd "$work/program" && echo lib/python3.*/site-packages)
PYTHONWARNINGS=ignore "$work/pip/bin/pip" --quiet --disable-pip-version-check install \
  --no-compile --target "$work/program/$site" "$work/source[demo,oauth]"

rm -rf "$work/program/$site/bin" "$work/program/include"
rm -f "$work"/program/bin/[Aa]ctivate*
# Where it was built; nobody there needs to know.
rm -f "$work/program/$site"/*.dist-info/direct_url.json
sed -i '/^command = /d' "$work/program/pyvenv.cfg"
printf '#!%s/bin/python3 -I\nfrom collector.__main__ import main\n\nmain()\n' "$prefix" \
  >"$work/program/bin/collector"
chmod -R u=rwX,go=rX "$work/program"
chmod 0755 "$work/program/bin/collector"

mkdir -p "$root$(dirname "$prefix")"
rm -rf "$root$prefix.new"
cp -R "$work/program" "$root$prefix.new"
rm -rf "$root$prefix"
mv "$root$prefix.new" "$root$prefix"
