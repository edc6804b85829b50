"""Ad hoc."""
import json, os, subprocess, time
from pathlib import Path
from sample_mail import mixed

def test_e2e(collector, dovecot, tmp_path):
    """x"""
    user = dovecot.new_user()
    raws = [b"Subject: %d\r\n\r\n" % n + os.urandom(3_000_000).hex().encode() for n in range(26)] + list(mixed(12))
    user.append_many(raws)
    collector.configure(collector.mailbox(user))
    delivered = list(user.messages().values())
    t=time.time(); done = collector.run("collect", "--json"); print(done.json(), time.time()-t)
    status = collector.run("status", "--json").json(); print(status["archive"])
    seg = Path(status["archive"]["path"]) / "segments"
    print(sorted((p.name, p.stat().st_size) for p in seg.iterdir()))
    t=time.time(); again = collector.run("collect", "--json"); print(again.json(), again.err, time.time()-t)
    print(sorted((p.name, oct(p.stat().st_mode), p.stat().st_size) for p in seg.iterdir()))
    assert (seg / "000001.sealed.tar.zst").exists() and not (seg / "000001.tar.zst").exists()
    v = collector.run("verify", "--json"); assert v.code == 0, v.err
    records = collector.run("list", "--json").lines()
    for r, raw in zip(records, delivered, strict=True):
        assert collector.run("show", str(r["seq"]), "--raw").out == raw
    rb = collector.run("rebuild"); assert rb.code == 0, rb.err
    assert collector.run("list", "--json").lines() == records
    assert collector.run("verify").code == 0
    print(collector.run("status").out.decode())
