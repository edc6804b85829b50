# Runs as root inside the booted container, once it is up: the life of a package.
# PORT is set in front of it.  Every section begins with "== NAME".
export LC_ALL=C
say() { echo "== $*"; }
as_collector() { runuser -u collector -- "$@"; }

say install
dpkg -i /root/journal-collector.deb >/dev/null 2>/root/dpkg.err || cat /root/dpkg.err
systemctl is-enabled collector.service
systemctl is-active collector.service

say configure
install -m 0644 /root/ca.pem /etc/collector/ca.pem
install -m 0600 /root/password /etc/collector/imap-password
collector --config /etc/collector/collector.toml init --host localhost --port "$PORT" \
  --ca-file /etc/collector/ca.pem --username "$USERNAME" --password-file imap-password \
  --archive /var/lib/collector --source other >/dev/null
stat -c '%a %U %G' /etc/collector /etc/collector/collector.toml

say start
systemctl enable --now collector.service collector-verify.timer 2>/dev/null
systemctl is-active collector.service
count=0
for _ in $(seq 60); do
  count=$(as_collector collector status --json 2>/dev/null |
    python3 -c 'import json, sys; print(sum(m["entries"] for m in json.load(sys.stdin)["mailboxes"]))' || true)
  [ "$count" = 3 ] && break
  sleep 1
done
systemctl show collector.service -p User -p Type -p NRestarts
stat -c '%a %U' /var/lib/collector

say processes
stat -c %U /proc/[0-9]* 2>/dev/null | grep -cx collector
journalctl --quiet --unit collector.service | grep -oE 'cycle.finished|worker.lost' | sort -u

say secret
as_collector cat /etc/collector/imap-password 2>&1 | sed 's/.*: //'

say archive
as_collector collector verify 2>&1 | sed -n 's/^\(verified .*\) (.*/\1/p'
echo "entries $count"

say reload
systemctl reload collector.service
sleep 2
systemctl is-active collector.service

say upgrade
dpkg -i /root/journal-collector.deb >/dev/null 2>&1
systemctl is-active collector.service

say stop
systemctl stop collector.service
systemctl show collector.service -p Result -p ExecMainStatus

say purge
dpkg -P journal-collector 2>&1 | grep 'stays as it is'
ls /var/lib/collector/segments
ls /usr/lib/journal-collector /usr/bin/collector 2>&1 | grep -c 'No such file'
systemctl is-active collector.service
