#!/bin/sh
# beside.sh ROOT PROGRAM UNITS EXAMPLES: puts below ROOT what the program needs beside it.
#
# Units (into UNITS) start PROGRAM.  EXAMPLES gets the example of the configuration.
set -eu
root=$1 program=$2 units=$3 examples=$4
here=$(cd "$(dirname "$0")/.." && pwd)

mkdir -p "$root$units" "$root/usr/lib/sysusers.d" "$root$examples"
for unit in "$here"/systemd/*.service "$here"/systemd/*.timer; do
  sed "s,/opt/collector/bin/collector,$program,g" "$unit" >"$root$units/$(basename "$unit")"
  chmod 0644 "$root$units/$(basename "$unit")"
done
install -m 0644 "$here/packaging/sysusers.conf" "$root/usr/lib/sysusers.d/journal-collector.conf"
install -m 0644 "$here/collector.example.toml" "$root$examples/collector.example.toml"
