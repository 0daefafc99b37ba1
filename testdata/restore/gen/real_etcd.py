#!/usr/bin/env python3
"""Checks `etcdive restore` with real etcd servers of 3.4, 3.5, 3.6 and 3.7. Run by a developer, not by CI.

    real_etcd.py build   --bin DIR                  builds what is missing in DIR (needs Go; 3.4 is Debian's package)
    real_etcd.py sources --bin DIR --work DIR       runs servers and records what they answered
    real_etcd.py check   --bin DIR --work DIR --etcdive PATH      starts etcd on restored directories; prints a table
    real_etcd.py kill    --bin DIR --work DIR --etcdive PATH -n N kills servers under load; no acknowledged write is lost

The servers listen on 127.0.0.1, ports 23790 to 23999. Only processes that this program started are stopped."""

import argparse
import base64
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import threading
import time

VERSIONS = {"34": "3.4.23", "35": "v3.5.35", "36": "v3.6.14", "37": "v3.7.3"}
BBOLT = "v1.4.3"


# ---------------------------------------------------------------- build


def build(args):
    os.makedirs(args.bin, exist_ok=True)
    modules = [("bbolt", "go.etcd.io/bbolt", "/cmd/bbolt", BBOLT)]
    for short in ("36", "35", "37"):
        version = VERSIONS[short]
        modules.append((f"etcdutl{short}", "go.etcd.io/etcd/etcdutl/v3", "", version))
        modules.append((f"etcd{short}", "go.etcd.io/etcd/server/v3", "", version))
    modules.append(("etcdctl36", "go.etcd.io/etcd/etcdctl/v3", "", VERSIONS["36"]))
    for name, module, package, version in modules:
        target = os.path.join(args.bin, name)
        if os.path.exists(target):
            continue
        folder = os.path.join(args.bin, "src", name)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "go.mod"), "w") as file:
            file.write("module build\n\ngo 1.24\n")
        env = dict(os.environ, CGO_ENABLED="0", GOFLAGS="-mod=mod -buildvcs=false -p=1")
        subprocess.run(["go", "get", f"{module}@{version}"], cwd=folder, env=env, check=True)
        go = ["go", "build", "-trimpath", "-o", target, module + package]
        subprocess.run(go, cwd=folder, env=env, check=True)
        print("built", target, flush=True)
    if not os.path.exists(os.path.join(args.bin, "etcd34")):
        folder = os.path.join(args.bin, "src", "debian")
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["apt-get", "download", "etcd-server", "etcd-client"], cwd=folder, check=True)
        for package in os.listdir(folder):
            if package.endswith(".deb"):
                subprocess.run(["dpkg", "-x", package, "x"], cwd=folder, check=True)
        shutil.copy(os.path.join(folder, "x/usr/bin/etcd"), os.path.join(args.bin, "etcd34"))
        shutil.copy(os.path.join(folder, "x/usr/bin/etcdctl"), os.path.join(args.bin, "etcdctl34"))


# ---------------------------------------------------------------- a server and its client


class Refused(Exception):
    pass


def b64(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


class Server:
    """A member. `port` is that of clients, the next one that of peers."""

    def __init__(self, binary, data, port, name="m1", extra=(), wal=None):
        self.port, self.log = port, data.rstrip("/") + ".log"
        self.etcdctl = os.path.join(os.path.dirname(binary), "etcdctl36")
        client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"
        command = [binary, "--data-dir", data, "--name", name,
                   "--listen-client-urls", client, "--advertise-client-urls", client,
                   "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        if not any(word.startswith("--initial-cluster") for word in extra):
            command += ["--initial-cluster", f"{name}={peer}"]
        if wal:
            command += ["--wal-dir", wal]
        self.process = subprocess.Popen(command + list(extra), stdout=open(self.log, "ab"),
                                        stderr=subprocess.STDOUT)
        self.connection = None

    def call(self, path, body, timeout=10):
        for attempt in (0, 1):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
                self.connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
                answer = self.connection.getresponse()
                text = answer.read()
                break
            except (ConnectionError, http.client.HTTPException, OSError):
                self.connection = None
                if attempt:
                    raise
        result = json.loads(text)
        if answer.status != 200:
            raise Refused(result.get("message") or result.get("error") or str(result))
        return result

    def wait(self, seconds=40):
        end = time.time() + seconds
        while time.time() < end:
            if self.process.poll() is not None:
                raise Refused(f"etcd ended with {self.process.returncode}: {tail(self.log)}")
            try:
                self.call("/v3/kv/range", {"key": b64("x")}, 3)
                return self
            except (Refused, OSError, http.client.HTTPException, ValueError):
                time.sleep(0.1)
        raise Refused(f"not ready after {seconds} s: {tail(self.log)}")

    def put(self, key, value="", **more):
        body = {"key": b64(key), **more}
        if not more.get("ignore_value"):
            body["value"] = b64(value)
        return int(self.call("/v3/kv/put", body)["header"]["revision"])

    def kvs(self, rev=0, serializable=False):
        answer = self.call("/v3/kv/range", {"key": b64(b"\0"), "range_end": b64(b"\0"), "revision": rev,
                                            "serializable": serializable})
        rows = []
        for kv in answer.get("kvs", []):
            value = base64.b64decode(kv.get("value", ""))
            rows.append([base64.b64decode(kv["key"]).decode("utf-8", "replace"), int(kv["create_revision"]),
                         int(kv["mod_revision"]), int(kv["version"]), int(kv.get("lease", 0)),
                         hashlib.sha256(value).hexdigest()[:16]])
        return rows, int(answer["header"]["revision"])

    def hashkv(self, rev=0):
        """By etcdctl: the gateway has the hash of the whole file only."""
        command = [self.etcdctl, "--endpoints", f"127.0.0.1:{self.port}", "endpoint", "hashkv", "--rev", str(rev),
                   "-w", "json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise Refused(f"hashkv at {rev}: {done.stderr[-300:]}")
        answer = json.loads(done.stdout)[0]["HashKV"]
        return int(answer["hash"]), int(answer.get("compact_revision", 0))

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(30)
        self.connection = None


def tail(path):
    with open(path, "rb") as file:
        return file.read()[-600:].decode("utf-8", "replace")


# ---------------------------------------------------------------- sources


def workload(server, seed, count):
    """Puts, deletions, transactions, leases. Deterministic but for the ids of leases."""
    dice = random.Random(seed)
    leases = []
    for number in range(count):
        kind = dice.random()
        key = f"/registry/{dice.choice(['pods', 'configmaps', 'secrets'])}/ns/{dice.randrange(25)}"
        if kind < 0.05 or not leases:
            leases.append(server.call("/v3/lease/grant", {"TTL": 7200})["ID"])
        elif kind < 0.50:
            server.put(key, f"value {number} " * dice.choice([1, 5, 60]))
        elif kind < 0.62:
            server.put(f"/leased/{dice.randrange(8)}", f"l{number}", lease=dice.choice(leases))
        elif kind < 0.76:
            server.call("/v3/kv/deleterange", {"key": b64(key)})
        elif kind < 0.80:
            server.call("/v3/kv/deleterange", {"key": b64(key[:-1]), "range_end": b64(key[:-1] + "~")})
        elif kind < 0.83 and len(leases) > 2:
            server.call("/v3/lease/revoke", {"ID": leases.pop(0)})
        else:
            other = f"/txn/{dice.randrange(6)}"
            server.call("/v3/kv/txn", {
                "compare": [{"key": b64(key), "target": "VERSION", "result": "GREATER", "version": 0}],
                "success": [{"request_put": {"key": b64(key), "value": b64(f"t{number}")}},
                            {"request_put": {"key": b64(other), "value": b64(f"t{number}")}}],
                "failure": [{"request_delete_range": {"key": b64(other)}},
                            {"request_put": {"key": b64(f"/else/{number % 5}"), "value": b64("e")}}]})


def record(server, truth, hashes, first):
    _, last = server.kvs()
    for rev in range(max(first, 2), last + 1):
        rows, _ = server.kvs(rev)
        truth[rev] = rows
        hashes[rev] = server.hashkv(rev)
    return last


def sources(args):
    os.makedirs(args.work, exist_ok=True)
    for number, short in enumerate(VERSIONS):
        folder = os.path.join(args.work, f"source{short}")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        data = os.path.join(folder, "data")
        server = Server(os.path.join(args.bin, f"etcd{short}"), data, 23790)
        truth, before, after = {}, {}, {}
        try:
            server.wait()
            workload(server, number, 220)
            middle = record(server, truth, before, 2)
            compacted = middle // 2
            server.call("/v3/kv/compaction", {"revision": compacted, "physical": True})
            server.put("/registry/pods/ns/after-compaction", "x")
            workload(server, number + 100, 80)
            last = record(server, truth, after, compacted + 1)
            snapshot = os.path.join(folder, "snapshot.db")
            subprocess.run([os.path.join(args.bin, "etcdctl36"), "--endpoints", "127.0.0.1:23790", "snapshot",
                            "save", snapshot], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        finally:
            server.stop(signal.SIGKILL)
        with open(os.path.join(folder, "truth.json"), "w") as file:
            json.dump({"last": last, "middle": middle, "compacted": compacted, "kvs": truth,
                       "hash_before_compaction": before, "hash": after}, file)
        print(f"source{short}: revision {last}, compacted {compacted}", flush=True)


def truth_of(args, short):
    with open(os.path.join(args.work, f"source{short}", "truth.json")) as file:
        return json.load(file)


def damage(source, target):
    """Zeroes one leaf page of bucket key, in a copy without its SHA-256."""
    image = bytearray(open(source, "rb").read())
    size = struct.unpack_from("<I", image, 24)[0]
    image = image[: len(image) // size * size]
    leaves = []
    for page in range(2, len(image) // size):
        at = page * size
        number, flags, count, _ = struct.unpack_from("<QHHI", image, at)
        if number == page and flags == 2 and count > 2:
            _, pos, ksize, _ = struct.unpack_from("<IIII", image, at + 16)
            key = image[at + 16 + pos: at + 16 + pos + ksize]
            if ksize in (17, 18) and key[8:9] == b"_":
                leaves.append((bytes(key), page))
    leaves.sort()
    page = leaves[len(leaves) // 2][1]
    image[page * size: (page + 1) * size] = bytes(size)
    open(target, "wb").write(image)


# ---------------------------------------------------------------- checks


def run(args, *words, codes=(0,)):
    done = subprocess.run([args.etcdive, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode not in codes:
        raise Refused(f"etcdive {' '.join(words)}: exit {done.returncode}: {done.stderr}")
    return done


def cases(args):
    """Name, source, arguments of restore, expected revision, expected HashKV there (none if no server recorded it)."""
    t34, t35, t36, t37 = (truth_of(args, short) for short in VERSIONS)
    folder = lambda short, name: os.path.join(args.work, f"source{short}", name)
    damaged = os.path.join(args.work, "damaged.db")
    damage(folder("35", "snapshot.db"), damaged)
    lost = os.path.join(args.work, "wal-only")
    shutil.rmtree(lost, ignore_errors=True)
    shutil.copytree(folder("36", "data"), lost)
    os.remove(os.path.join(lost, "member/snap/db"))
    middle = (t37["compacted"] + t37["last"]) // 2
    below = t36["compacted"] - 7
    own = lambda truth, rev: truth["hash"][str(rev)][0]
    yield "intact", folder("34", "snapshot.db"), [], t34, t34["last"], own(t34, t34["last"])
    yield "damaged", damaged, ["--allow-loss"], t35, None, None
    yield "db and WAL", folder("35", "data"), ["--wal"], t35, t35["last"], own(t35, t35["last"])
    yield "WAL only", lost, ["--wal"], t36, t36["last"], None
    yield ("WAL, at R < C", folder("36", "data"), ["--wal", "--at", str(below)], t36, below,
           t36["hash_before_compaction"][str(below)][0])
    yield "at R", folder("37", "snapshot.db"), ["--at", str(middle)], t37, middle, own(t37, middle)
    yield "bumped", folder("36", "snapshot.db"), ["--bump-revision", "1000", "--mark-compacted"], t36, t36["last"], None


def compare(rows, truth, rev):
    expected = [[key, create, mod, version, lease, value]
                for key, create, mod, version, lease, value in truth["kvs"][str(rev)]]
    if rows != expected:
        wrong = [row for row in rows if row not in expected][:2]
        lacks = [row for row in expected if row not in rows][:2]
        raise Refused(f"at {rev}: {len(rows)} keys, expected {len(expected)}; wrong {wrong}, lacking {lacks}")


def check_member(args, short, case, number):
    name, source, words, truth, rev, expected_hash = case
    data = os.path.join(args.work, f"run-{short}-{number}")
    for path in (data, data + ".second"):
        shutil.rmtree(path, ignore_errors=True)
    for path in (data + ".log", data + ".second.log", data + ".restore.json"):
        if os.path.exists(path):
            os.remove(path)
    codes = (3,) if "--allow-loss" in words else (0,)
    run(args, "restore", source, "--data-dir", data, "--name", "m1", "--initial-cluster",
        "m1=http://127.0.0.1:23791", "--initial-advertise-peer-urls", "http://127.0.0.1:23791", *words, codes=codes)
    binary = os.path.join(args.bin, f"etcd{short}")
    done = ["start"]
    server = Server(binary, data, 23790)
    second = None
    try:
        server.wait()
        rows, revision = server.kvs()
        if "--bump-revision" in words:
            if revision != rev + 1000:
                raise Refused(f"revision {revision} instead of {rev + 1000}")
            compare(rows, truth, rev)
            try:
                server.kvs(rev)
                raise Refused("an old revision is answered")
            except Refused as error:
                if "compacted" not in str(error):
                    raise
        elif rev is None:
            known = {tuple(row) for rows in truth["kvs"].values() for row in rows}
            if not rows or not all(tuple(row) in known for row in rows):
                raise Refused("a key that the source never had")
        else:
            if revision != rev:
                raise Refused(f"revision {revision} instead of {rev}")
            compare(rows, truth, rev)
            for older in range(max(truth["compacted"] + 1, rev - 20), rev):
                compare(server.kvs(older)[0], truth, older)
        done.append("reads")
        if expected_hash is not None:
            if server.hashkv(rev)[0] != expected_hash:
                raise Refused(f"hashkv {server.hashkv(rev)[0]} instead of {expected_hash}")
            done.append("hashkv")
        if server.put("/new", "1") != revision + 1:
            raise Refused("the put did not get the next revision")
        leased = [row[0] for row in rows if row[4]]
        for key in leased:
            server.put(key, "again", ignore_lease=True)
        done.append(f"put, {len(leased)} ignore-lease")
        rows, revision = server.kvs()
        server.stop()
        server = Server(binary, data, 23790)
        server.wait()
        if server.kvs() != (rows, revision):
            raise Refused("other keys after the restart")
        done.append("restart")
        server.call("/v3/cluster/member/add", {"peerURLs": ["http://127.0.0.1:23801"]})
        second = Server(binary, data + ".second", 23800, "m2", [
            "--initial-cluster", "m1=http://127.0.0.1:23791,m2=http://127.0.0.1:23801",
            "--initial-cluster-state", "existing"])
        second.wait(60)
        if second.kvs(serializable=True) != (rows, revision):
            raise Refused("the added member has other keys")
        if second.hashkv(revision)[0] != server.hashkv(revision)[0]:
            raise Refused("the added member has another hashkv")
        done.append("member add")
    finally:
        server.stop()
        if second:
            second.stop(signal.SIGKILL)
    return ", ".join(done)


def check_three(args, short):
    data = os.path.join(args.work, f"three-{short}")
    shutil.rmtree(data, ignore_errors=True)
    if os.path.exists(data + ".restore.json"):
        os.remove(data + ".restore.json")
    cluster = ",".join(f"m{n}=http://127.0.0.1:{23801 + 10 * n}" for n in (1, 2, 3))
    source = os.path.join(args.work, "source36", "snapshot.db")
    run(args, "restore", source, "--data-dir", data, "--all-members", "--initial-cluster", cluster)
    servers = [Server(os.path.join(args.bin, f"etcd{short}"), os.path.join(data, f"m{n}"), 23800 + 10 * n, f"m{n}",
                      ["--initial-cluster", cluster]) for n in (1, 2, 3)]
    try:
        for server in servers:
            server.wait(60)
        truth = truth_of(args, "36")
        compare(servers[1].kvs()[0], truth, truth["last"])
        revision = servers[2].put("/new", "1")
        for server in servers:
            server.kvs()
        hashes = {server.hashkv(revision)[0] for server in servers}
        if len(hashes) != 1:
            raise Refused(f"hashkv differs: {hashes}")
        return f"revision {revision}, hashkv {hashes.pop()} on all three"
    finally:
        for server in servers:
            server.stop(signal.SIGKILL)


def check_files(args):
    """The snapshot files, by the tools of etcd and by bbolt."""
    for number, case in enumerate(cases(args)):
        name, source, words, *_ = case
        if "--bump-revision" in words:
            continue
        target = os.path.join(args.work, f"file-{number}.db")
        for path in (target, target + ".restore.json"):
            if os.path.exists(path):
                os.remove(path)
        run(args, "restore", source, "--out", target, *words, codes=(0, 3))
        results = []
        for tool in ("etcdutl35", "etcdutl36", "etcdutl37", "etcdctl34"):
            folder = target + "." + tool
            shutil.rmtree(folder, ignore_errors=True)
            done = subprocess.run([os.path.join(args.bin, tool), "snapshot", "restore", target, "--data-dir", folder],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  env=dict(os.environ, ETCDCTL_API="3"))
            if done.returncode:
                raise Refused(f"{tool} snapshot restore {target}: {done.stdout[-500:]}")
            results.append(tool)
        plain = target + ".plain"
        shutil.copy(target, plain)
        os.truncate(plain, os.path.getsize(target) - 32)
        done = subprocess.run([os.path.join(args.bin, "bbolt"), "check", plain], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if done.returncode or "OK" not in done.stdout:
            raise Refused(f"bbolt check {target}: {done.stdout}")
        print(f"file | {name} | snapshot restore by {', '.join(results)}; bbolt check OK", flush=True)


def check(args):
    failed = 0
    if args.part in ("all", "files"):
        check_files(args)
    if args.part in ("all", "members"):
        for short in args.versions:
            for number, case in enumerate(cases(args)):
                try:
                    print(f"{short} | {case[0]} | {check_member(args, short, case, number)}", flush=True)
                except Exception as error:
                    failed += 1
                    print(f"{short} | {case[0]} | FAILED: {error}", flush=True)
    if args.part in ("all", "three"):
        for short in args.versions:
            try:
                print(f"{short} | three members | {check_three(args, short)}", flush=True)
            except Exception as error:
                failed += 1
                print(f"{short} | three members | FAILED: {error}", flush=True)
    print(f"{failed} failed")
    sys.exit(failed > 0)


# ---------------------------------------------------------------- kill -9 under load


def client(port, number, acknowledged, stop):
    """Writes as fast as it can; keeps what the server acknowledged, in order."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    sent = 0
    while not stop.is_set():
        sent += 1
        key, value = f"/load/{number}/{sent % 40}", f"{number}-{sent}" * random.choice([1, 40])
        try:
            if sent % 7 == 0:
                body, path = {"key": b64(key)}, "/v3/kv/deleterange"
            else:
                body, path = {"key": b64(key), "value": b64(value)}, "/v3/kv/put"
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = json.loads(answer.read())
            if answer.status == 200:
                deleted = sent % 7 == 0
                if not deleted or int(text.get("deleted", 0)):
                    acknowledged.append((int(text["header"]["revision"]), key, None if deleted else value))
        except (OSError, http.client.HTTPException, ValueError):
            return


def kill(args):
    dice = random.Random(args.seed)
    lost = behind = total = 0
    shorts = [short for short in args.versions if short != "37"]
    for turn in range(args.n):
        short = shorts[turn % len(shorts)]
        data = os.path.join(args.work, "killed")
        shutil.rmtree(data, ignore_errors=True)
        for path in (data + ".log", data + ".db", data + ".db.restore.json"):
            if os.path.exists(path):
                os.remove(path)
        # A long interval between commits leaves more in the log alone.
        interval = dice.choice([[], ["--backend-batch-interval", "5s"]])
        count = dice.choice([[], ["--snapshot-count", "200"]])
        server = Server(os.path.join(args.bin, f"etcd{short}"), data, 23900, extra=[*interval, *count])
        acknowledged, stop = [], threading.Event()
        try:
            server.wait()
            threads = [threading.Thread(target=client, args=(23900, n, acknowledged, stop)) for n in range(4)]
            for thread in threads:
                thread.start()
            time.sleep(dice.uniform(0.2, 2.0))
        finally:
            server.stop(signal.SIGKILL)
            stop.set()
        for thread in threads:
            thread.join()
        target = data + ".db"
        done = run(args, "restore", data, "--wal", "--out", target, "-o", "json")
        state, last = state_of(args, target)
        report = json.loads(done.stdout)
        expected = {}
        for rev, key, value in sorted(acknowledged, key=lambda one: one[0]):
            expected[key] = (rev, value)
        missing = []
        for key, (rev, value) in expected.items():
            has = state.get(key)
            # A later write that was not acknowledged may be in the log as well.
            if has is None and value is None:
                continue
            if has and has[0] == rev and has[1] == value:
                continue
            if (has and has[0] > rev) or (has is None and value and deleted_after(args, target, key, rev)):
                continue
            missing.append((key, rev, value, has))
        newest = max((rev for rev, *_ in acknowledged), default=0)
        lost += len(missing) + (newest > last)
        total += len(acknowledged)
        log = report.get("log") or {}
        behind += int(log.get("entries_applied") or 0)
        print(f"{turn + 1}: {short} {' '.join(interval + count)}: {len(acknowledged)} acknowledged up to {newest}, "
              f"restored up to {last}, {len(missing)} missing {missing[:2]}", flush=True)
    print(f"{args.n} kills, {total} acknowledged writes, {lost} lost; {behind} entries were in the log alone")
    sys.exit(lost > 0)


def state_of(args, db):
    """The live keys of a database with revision and value, by an etcd of 3.6: what it serves after etcdutl's restore."""
    folder = db + ".served"
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([os.path.join(args.bin, "etcdutl36"), "snapshot", "restore", db, "--data-dir", folder], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = Server(os.path.join(args.bin, "etcd36"), folder, 23910, "default")
    try:
        server.wait()
        answer = server.call("/v3/kv/range", {"key": b64(b"\0"), "range_end": b64(b"\0")})
        state = {}
        for kv in answer.get("kvs", []):
            key = base64.b64decode(kv["key"]).decode()
            state[key] = (int(kv["mod_revision"]), base64.b64decode(kv.get("value", "")).decode())
        return state, int(answer["header"]["revision"])
    finally:
        server.stop(signal.SIGKILL)


def deleted_after(args, db, key, rev):
    """Whether a later deletion of a key, which was not acknowledged, is in the database."""
    rows = run(args, "log", db, key, "-o", "jsonl", codes=(0, 1)).stdout.splitlines()
    return any(row["main"] > rev and row["type"] == "delete" for row in map(json.loads, rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["build", "sources", "check", "kill"])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--work", default="real-etcd-work")
    parser.add_argument("--etcdive", default="etcdive")
    parser.add_argument("--versions", default=list(VERSIONS), type=lambda text: text.split(","))
    parser.add_argument("--part", default="all", choices=["all", "files", "members", "three"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-n", type=int, default=50)
    args = parser.parse_args()
    args.bin, args.work = os.path.abspath(args.bin), os.path.abspath(args.work)
    os.makedirs(args.work, exist_ok=True)
    {"build": build, "sources": sources, "check": check, "kill": kill}[args.command](args)


if __name__ == "__main__":
    main()
