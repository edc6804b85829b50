#!/bin/sh
# install.sh [--root DIR] [--dry-run]: installs the service from this checkout (`make install`).
#
# Nothing that an administrator wrote is overwritten, and nothing is started.  Run again, it
# brings the program and the units up to this checkout.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root='' dry=''
while [ $# -gt 0 ]; do
  case $1 in
    --root) root=${2:?--root needs a directory}; shift 2 ;;
    --dry-run) dry=yes; shift ;;
    *) echo "usage: install.sh [--root DIR] [--dry-run]" >&2; exit 2 ;;
  esac
done
prefix=/opt/collector
config=/etc/collector

run() {
  if [ "$dry" ]; then echo "would run: $*"; else "$@"; fi
}

if [ -z "$dry$root" ] && [ "$(id -u)" != 0 ]; then
  echo 'Only root can install the service.  To see what would be done: --dry-run' >&2; exit 1
fi

run sh "$here/program.sh" "$root" "$prefix"
# The user it runs as may not write there, and would compile it anew at every start.
run "$root$prefix/bin/python3" -I -m compileall -q ${root:+-s "$root" -p /} "$root$prefix/lib"
run sh "$here/beside.sh" "$root" "$prefix/bin/collector" /etc/systemd/system \
  /usr/share/doc/journal-collector
# systemd-sysusers leaves a user alone that is there already.
run systemd-sysusers ${root:+--root="$root"} journal-collector.conf
group=0
[ "$dry" ] || group=$(sed -n 's/^collector:[^:]*:\([0-9]*\):.*/\1/p' "$root/etc/group")
# By number: below another root the name means nothing here.
[ -d "$root$config" ] || run install -d -m 0750 "$root$config"
[ -e "$root$config/collector.example.toml" ] || run install -m 0640 \
  "$here/../collector.example.toml" "$root$config/collector.example.toml"
if [ "$(id -u)" = 0 ]; then
  run chown "0:$group" "$root$config" "$root$config/collector.example.toml"
fi
if [ -z "$root" ] && [ -d /run/systemd/system ]; then
  run systemctl daemon-reload
fi

[ "$dry" ] && exit 0
cat <<TEXT
Installed: $prefix, its units and the user collector.  Nothing is started yet.  Next, as root:
  $prefix/bin/collector --config $config/collector.toml init
  $prefix/bin/collector --config $config/collector.toml check
  systemctl enable --now collector.service collector-verify.timer
TEXT
