"""Faults of clocks, environment, limits and keychain."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import threading
import time

from lab import STRANGER, Sandbox, Skip, check, end, entry, frame, is_alive, need, need_root, processor_time, struck, tracer, until
from table import fault


class Clock:
    """The clocks of everything that is started in a sandbox, but for a daemon that the helper starts: it gets no environment."""

    def __init__(self, box):
        self.path = box.path("clock")
        box.extra.update(LD_PRELOAD=box.lab.shim(), CLOCK_SHIM=self.path)
        self.set()

    def set(self, wall=0, boot=0):
        with open(self.path + ".new", "w", encoding="ascii") as file:
            file.write(f"{wall} {boot}\n")
        os.rename(self.path + ".new", self.path)


def git_f14(box):
    clock = Clock(box)
    box.git_store(flags="--timeout=3")
    clock.set(wall=-3600)
    time.sleep(4.2)
    late = box.git_get().out
    box.git_store("two.test", flags="--timeout=60")
    clock.set(wall=3600)
    return ("back: " + ("served after its end" if late else "gone in time") + "; forward: " +
            ("served once after its end" if box.git_get("two.test").out else "60 s entry gone at once"))


@fault("F14", "wall clock set back and forth by 1 h", "clock shim", git_f14)
def f14(box):
    clock = Clock(box)
    box.start_daemon()
    box.store(flags="--timeout 3")
    box.store("two.test", flags="--timeout 60")
    box.store("three.test", lines=f"password_expiry_utc={int(time.time()) + 600}\n")
    check(box.get("three.test").out, "not kept")
    clock.set(wall=-3600)
    time.sleep(3.2)
    check(not box.get().out, "back: served after its timeout")
    check(box.get("two.test").out and box.get("three.test").out, "back: others are gone")
    clock.set(wall=3600)
    check(box.get("two.test").out, "forward: the timeout is cut short")
    ended = box.get("three.test")
    check(not ended.out and ended.code == 0, f"forward: a token that has ended is served: {ended}")
    return "back: timeout holds; forward: timeout unchanged, password_expiry_utc ends the token at once"


def git_f15(box):
    clock = Clock(box)
    box.git_store(flags="--timeout=900")
    clock.set(wall=8 * 3600, boot=8 * 3600)
    return "served once after 8 h" if box.git_get().out else "gone"


@fault("F15", "suspended for 8 h, timeout 15 min", "clock shim: boot and wall clock 8 h ahead", git_f15)
def f15(box):
    clock = Clock(box)
    box.start_daemon()
    box.store(flags="--timeout 15m")
    clock.set(boot=800, wall=800)
    check(box.get().out, "gone too early")
    clock.set(boot=8 * 3600, wall=8 * 3600)
    got = box.get()
    check((got.code, got.out) == (0, b""), f"served after 8 h: {got}")
    check(box.status()["entries"] == 0, "still kept")
    return "gone at the first look after resume"


def pipes(box, words):
    """Runs `words` with a pipe at stdout, stderr and 3 to 20; which of them are still open 1 s after its end."""
    reads, writes, keep = [], [], {}
    for target in [1, 2, *range(3, 21)]:
        read, write = os.pipe()
        # Out of the way of the numbers that the child gets.
        high = os.dup(write)
        while high < 100:
            os.set_inheritable(high, False)
            keep[high] = True
            high = os.dup(write)
        os.close(write)
        reads.append(read)
        writes.append((high, target))
    for spare in keep:
        os.close(spare)

    def place():
        for high, target in writes:
            os.dup2(high, target)
    with subprocess.Popen(words, stdin=subprocess.PIPE, env=box.environment(), cwd=box.path("work"),
                          preexec_fn=place, close_fds=False) as process:
        for high, _ in writes:
            os.close(high)
        process.stdin.write(entry("one.test", "a", "b"))
        process.stdin.close()
        code = process.wait(20)
    time.sleep(0.1)
    held = []
    for read, (_, target) in zip(reads, writes):
        os.set_blocking(read, False)
        try:
            while os.read(read, 4096):
                pass
        except BlockingIOError:
            held.append(target)
        os.close(read)
    return code, held


def git_f16(box):
    _, held = pipes(box, box.words("credential-cache store", git=True))
    return f"{len(held)} of 20 kept open" if held else "all closed"


@fault("F16", "caller's pipes: stdout, stderr, 3 to 20", "inherited by the store that starts the daemon; EOF awaited", git_f16, alone=True)
def f16(box):
    code, held = pipes(box, box.words("--storage memory store"))
    check(code == 0 and not held, f"exit {code}, kept open: {held}")
    check(box.get().out, "not stored")
    return "EOF on all 20 within 100 ms"


def git_f19(box):
    box.git_store()
    process = box.start(box.words("credential-cache get", git=True))
    process.stdout.close()
    process.communicate(entry("one.test"))
    return f"exit {process.returncode}"


@fault("F19", "stdout is a closed pipe, or full", "reader gone; /dev/full; stderr closed too", git_f19)
def f19(box):
    box.store()
    box.store(storage="file")
    seen = 0
    for words in ("--storage memory get", "--storage file get", "capability", "--storage memory list", "list --json",
                  "cache status", "cache status --json", "--help", "--version", "completions bash"):
        for target in ("closed", "full", "both"):
            read, write = os.pipe()
            os.close(read)
            out = open("/dev/full", "wb") if target == "full" else write
            err = write if target == "both" else subprocess.PIPE
            process = box.start(words, stdout=out, stderr=err, env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"})
            _, said = process.communicate(entry("one.test"), timeout=20)
            os.close(write)
            said = (said or b"").decode()
            check(process.returncode in ((0, 1) if target != "closed" else (0,)) and "panicked" not in said and "internal fault" not in said,
                  f"{words}, {target}: exit {process.returncode}, {said}")
            check(target != "full" or process.returncode == 1 or "--" in words.split()[0], f"{words}, full: exit 0 though nothing was written")
            check("pass-one" not in said, f"{words}: leaks")
            seen += 1
    return f"{seen} runs: silent, exit 0 (closed) or 1 (full), no panic"


def git_f29(box):
    return f"exit {box.git_store(env={'HOME': None, 'XDG_CACHE_HOME': None}).code}"


@fault("F29", "HOME unset", "env -u HOME and every XDG variable", git_f29)
def f29(box):
    bare = {name: None for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME")}
    capability = box.run("capability", env=bare)
    check(capability.code == 0, f"{capability}")
    # A home that the user database names must not be written to by a test: only looked at.
    looked = box.run(f"--storage memory --socket {box.socket} get", entry("one.test"), env=bare)
    check((looked.code, looked.out) == (0, b""), f"{looked}")
    if os.geteuid() == 0:
        need("setpriv")
        words = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", *box.words("--storage memory store")]
        stray = box.run(words, entry("one.test", "a", "b"), env=bare, cwd="/")
        check(stray.code == 1 and "home" in stray.err and stray.out == b"", f"a user without a home: {stray}")
        return "by the user database; a user without an entry there: exit 1, says 'set HOME'"
    return "by the user database"


@fault("F30", "XDG_RUNTIME_DIR unset, missing, another's, 0755, relative, a file, a link", "environment, chmod, chown")
def f30(box):
    home = box.path("state", "git-credential-pat", "run")
    cases = {"unset": None, "empty": "", "missing": box.path("nothing"), "relative": "run", "a file": box.path("file"), "loose": box.path("loose")}
    with open(box.path("file"), "w", encoding="ascii"):
        pass
    os.mkdir(box.path("loose"), 0o755)
    os.symlink(box.path("run"), box.path("link"))
    cases["a link"] = box.path("link")
    if os.geteuid() == 0:
        os.mkdir(box.path("theirs"), 0o700)
        os.chown(box.path("theirs"), STRANGER, STRANGER)
        cases["another's"] = box.path("theirs")
    for name, value in cases.items():
        env = {"XDG_RUNTIME_DIR": value}
        stored, got = box.store(env=env), box.get(env=env)
        check(stored.code == 0 and got.out.endswith(b"pass-one\n"), f"{name}: {stored} {got}")
        found = [entry_ for entry_ in os.listdir(home) if entry_.startswith("socket-")]
        check(found and os.stat(home).st_mode & 0o077 == 0, f"{name}: not in the state folder")
        check(value is None or not os.path.isdir(value) or not os.listdir(value), f"{name}: wrote there")
        box.run("cache stop", env=env)
    return f"{len(cases)} cases: a 0700 folder of its own below the state folder; nothing in /tmp"


def git_f31(box):
    long = box.path("home", "x" * 150)
    stored = box.git_store(env={"XDG_CACHE_HOME": long, "HOME": long})
    got = box.git_get(env={"XDG_CACHE_HOME": long, "HOME": long})
    return "works" if got.out else f"exit {stored.code}"


@fault("F31", "socket path over 107 bytes", "runtime folder of 200 bytes, of 3,000", git_f31)
def f31(box):
    for parts in (1, 15):
        long = box.path("run", *["x" * 200] * parts)
        os.makedirs(long, 0o700)
        env = {"XDG_RUNTIME_DIR": long}
        stored, got = box.store(env=env), box.get(env=env)
        check(stored.code == 0 and got.out.endswith(b"pass-one\n"), f"{len(long)} bytes: {stored} {got}")
        box.daemon()
        box.run("cache stop", env=env)
        check(until(lambda: not box.daemons(), 5) is not None, "it stays")
    return "works, by way of the open folder"


def on_host(box, name, words, data):
    return box.run(["unshare", "--uts", "sh", "-c", f"hostname {name} && exec \"$@\"", "sh", *box.words(words)], data,
                   env={"XDG_RUNTIME_DIR": None})


@fault("F32", "one home, two hosts", "unshare --uts, another host name, no runtime folder")
def f32(box):
    need_root()
    need("unshare", "hostname")
    for name in ("alpha", "beta"):
        stored = on_host(box, name, "--storage memory store", entry("one.test", "u", name))
        if "unshare" in stored.err:
            raise Skip("cannot unshare here")
        check(stored.code == 0, f"{stored}")
    for name in ("alpha", "beta"):
        got = on_host(box, name, "--storage memory get", entry("one.test"))
        check(got.out.endswith(f"={name}\n".encode()), f"{name}: {got}")
    check(len(box.daemons()) == 2, "not a daemon each")
    on_host(box, "alpha", "cache stop", b"")
    got = on_host(box, "beta", "--storage memory get", entry("one.test"))
    check(got.out.endswith(b"=beta\n"), "one host's end is the other's")
    return "a socket and a daemon each; neither touches the other's"


@fault("F41", "container with a shared home, other process numbers", "unshare --pid --fork --mount-proc")
def f41(box):
    need_root()
    need("unshare")
    box.store()
    inside = ["unshare", "--pid", "--fork", "--mount-proc"]
    got = box.run(inside + box.words("--storage memory get"), entry("one.test"))
    if "unshare" in got.err:
        raise Skip("cannot unshare here")
    check(got.out.endswith(b"pass-one\n"), f"{got}")
    stored = box.run(inside + box.words("--storage memory store"), entry("two.test", "u", "two"))
    check(stored.code == 0 and box.get("two.test").out.endswith(b"=two\n"), f"{stored}")
    box.daemon()
    return "one daemon, reached from inside and outside; process numbers mean nothing to it"


def silent_bus(box):
    """A bus that takes every call and answers none."""
    path = box.path("bus")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(32)
    taken = []

    def serve():
        with contextlib.suppress(OSError):
            while True:
                taken.append(listener.accept()[0])
    threading.Thread(target=serve, daemon=True).start()
    return listener, f"unix:path={path}"


@fault("F35", "keychain never answers", "a bus that swallows calls; a wrong address; none; a stopped bus daemon")
def f35(box):
    listener, silent = silent_bus(box)
    took = []
    cases = {"silent": silent, "wrong": "unix:path=/nonexistent/bus", "none": None, "nonsense": "what:is=this"}
    bus = None
    with contextlib.suppress(Skip):
        need("dbus-daemon")
        bus = box.start(["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1"])
        cases["stopped"] = bus.stdout.readline().decode().strip()
        bus.send_signal(signal.SIGSTOP)
    for name, address in cases.items():
        # On a desktop, where a prompt would be allowed.
        env = {"DBUS_SESSION_BUS_ADDRESS": address, "DISPLAY": ":77", "GIT_TERMINAL_PROMPT": None}
        got = box.get(storage="keychain", env=env)
        check((got.code, got.out) == (0, b"") and got.seconds < 3.5, f"{name}, get: {got}")
        stored = box.store(storage="keychain", env=env)
        check(stored.code == 1 and stored.err and stored.seconds < 3.5, f"{name}, store: {stored}")
        auto = box.store("auto.test", password=name, storage="auto", env=env)
        check(auto.code == 0 and auto.seconds < 5 and box.get("auto.test").out.endswith(f"={name}\n".encode()), f"{name}, auto: {auto}")
        took.append(f"{name} {max(got.seconds, stored.seconds, auto.seconds):.1f} s")
    listener.close()
    return "no answer, exit 0; store says so; auto falls back to memory: " + ", ".join(took)


@fault("F36", "keychain locked, no prompt possible", "gnome-keyring started without being unlocked")
def f36(box):
    need("dbus-daemon", "dbus-send", "gnome-keyring-daemon")
    bus = box.start(["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1"])
    env = {"DBUS_SESSION_BUS_ADDRESS": bus.stdout.readline().decode().strip()}
    ring = box.start(["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"], env=env)
    ring.stdin.write(b"the keyring's own")
    ring.stdin.close()
    # Asked for the keyring itself, the bus would start another one, locked, in its place.
    asked = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus",
             "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"]  # fmt: skip
    there = lambda: b"boolean true" in subprocess.run(asked, env={**os.environ, **env}, capture_output=True).stdout
    check(until(there, 20, 0.1) is not None, "the keyring does not start")
    check(until(lambda: box.store(storage="keychain", env=env).code == 0, 20, 0.2) is not None, "the keyring takes nothing")
    check(box.get(storage="keychain", env=env).out.endswith(b"pass-one\n"), "the keyring does not answer")
    ring.terminate()
    ring.wait(10)
    ring = box.start(["gnome-keyring-daemon", "--foreground", "--start", "--components=secrets"], env=env, stdin=subprocess.DEVNULL)
    time.sleep(1)
    got, stored = box.get(storage="keychain", env=env), box.store(storage="keychain", password="two", env=env)
    check((got.code, got.out) == (0, b"") and got.seconds < 3.5, f"get: {got}")
    check(stored.code == 1 and stored.seconds < 3.5, f"store: {stored}")
    check("locked" in stored.err, f"it is not because of the lock: {stored}")
    return f"no answer after {got.seconds:.1f} s, store says so after {stored.seconds:.1f} s"


@fault("F37", "no fork without exec; no program but our own is started", "strace -f of store, get, erase with a hostile PATH and folder")
def f37(box):
    need("strace")
    hostile = box.path("work")
    for name in ("git", "sh", "git-credential-pat", "dbus-launch"):
        with open(os.path.join(hostile, name), "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\ntouch {box.path('pwned')}\n")
        os.chmod(os.path.join(hostile, name), 0o755)
    env = {"PATH": f".:{hostile}:{os.environ['PATH']}", "GIT_DIR": hostile, "GIT_CONFIG_GLOBAL": hostile + "/config",
           "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}
    starts = 0
    for number, words in enumerate(("store", "get", "erase", "store", "get")):
        log = box.path(f"log{number}")
        tracing = ["strace", "-D", "-f", "-qq", "-o", log, "-e", "trace=execve,?fork,?vfork,clone,?clone3"]
        data = entry("one.test", "a", "b" if words != "get" else None)
        process = box.start(tracing + box.words(words), env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process.communicate(data, timeout=20)
        time.sleep(0.2)
        with open(log, encoding="ascii", errors="replace") as file:
            lines = file.read().splitlines()
        for line in lines:
            if "execve(" in line:
                check(f'execve("{box.lab.helper}"' in line or 'execve("/proc/self/exe", ["git-credential-pat", "serve-memory"' in line, line)
                starts += 1
            check("fork" not in line.split("(")[0].replace("vfork", ""), line)
            if "clone" in line:
                check("CLONE_THREAD" in line or "CLONE_VFORK" in line or "resumed" in line, line)
    check(not os.path.exists(box.path("pwned")), "a hostile program ran")
    return f"{starts} program starts, each our own image; children only by vfork and exec"


@fault("F38", "RLIMIT_MEMLOCK 0, NOFILE 16, AS 64 MB, NPROC", "prlimit, as another user where root may do anything")
def f38(box):
    need("prlimit")
    owner = STRANGER if os.geteuid() == 0 else None
    said = []
    for name, limits in {"memlock 0": ["--memlock=0:0"], "nofile 16": ["--nofile=16:16"], "as 64 MB": ["--as=67108864"],
                         "fsize 0": ["--fsize=0"], "core unlimited": ["--core=unlimited"], "all": ["--memlock=0:0", "--nofile=16:16", "--as=67108864"]}.items():
        with Sandbox(box.lab, owner) as other:
            limited = ["prlimit", *limits, *other.words("--storage memory store")]
            stored = other.run(limited, entry("one.test", "alice", "pass-one"))
            if name == "core unlimited" and stored.code == 1 and "prlimit" in stored.err:
                continue
            check(stored.code == 0, f"{name}: {stored}")
            pid = other.daemon()
            for _ in range(40):
                check(other.get().out.endswith(b"pass-one\n"), f"{name}: get fails")
            idle = [other.connect() for _ in range(30)]
            got = other.get(seconds=5)
            check(got.code == 0 and got.seconds < 2.5, f"{name}, 30 idle clients: {got}")
            for stream in idle:
                stream.close()
            check(other.get().out.endswith(b"pass-one\n") and is_alive(pid), f"{name}: does not recover")
            if name == "memlock 0":
                status = other.status()
                check(status["secret_memory_locked_bytes"] == 0 or owner is None, f"{status}")
                said.append("cache status tells that nothing is locked")
            with open(f"/proc/{pid}/limits", encoding="ascii") as file:
                core = [line for line in file if "core file" in line][0]
            check(core.split()[4:6] == ["0", "0"], f"{name}: {core}")
    return "all served, RLIMIT_CORE 0 in each; " + "; ".join(said)


@fault("F39", "no memory", "strace: mmap and brk fail with ENOMEM at each call in turn, in store to the file and get from it")
def f39(box):
    need("strace")
    file_before, times, log = None, 0, box.path("log")
    box.store(storage="file")
    path = box.path("data", "git-credential-pat", "credentials")
    with open(path, "rb") as file:
        file_before = file.read()
    for words, data in (("--storage file store", entry("two.test", "b", "two")), ("--storage file get", entry("one.test"))):
        for number in range(1, 60):
            got = box.run(tracer(log, f"mmap:error=ENOMEM:when={number}", f"brk:error=ENOMEM:when={number}") + box.words(words), data)
            if not struck(log):
                break
            times += 1
            with open(path, "rb") as file:
                now = file.read()
            check(got.seconds < 5 and (now == file_before or now.startswith(file_before)), f"{words}, {number}: {got}")
            check(sorted(os.listdir(os.path.dirname(path))) in ([["credentials", "credentials.lock"]][0], ["credentials"]), f"{number}: a leftover")
            check(got.code != 0 or "get" in words or b"two.test" in now, f"{words}, {number}: says it is stored")
            with open(path, "wb") as file:
                file.write(file_before)
    return f"{times} faults: clean end or success, file whole, nothing left behind"


@fault("F40", "soak with faults, lifetimes short", "200 requests a second by raw socket, 5 % of them vanish, stall or lie", alone=True)
def f40(box):
    minutes = box.lab.soak or (5 if box.lab.is_long else 0.25)
    life = 60 if minutes > 2 else 2
    need("prlimit")
    box.store("keeper.test", flags="--timeout 9h --max-age 9h")
    pid = box.daemon()
    known, rng = {}, random.Random(1)
    wrong, asked, answered, slow, stalled = [], 0, 0, 0, []

    def ask(word, body):
        began = time.monotonic()
        with box.connect() as stream:
            stream.sendall(frame(word, body))
            data = b""
            while len(data) < 12 or len(data) < 12 + int.from_bytes(data[8:12], "little"):
                more = stream.recv(65536)
                if not more:
                    return None, None
                data += more
        return data[12:], time.monotonic() - began

    def memory():
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return int([line for line in file if line.startswith("VmRSS")][0].split()[1])

    def descriptors():
        return len(os.listdir(f"/proc/{pid}/fd")) if os.geteuid() == 0 else 0

    began = time.monotonic()
    stop, warm = began + minutes * 60, None
    while time.monotonic() < stop:
        asked += 1
        if warm is None and time.monotonic() > began + min(minutes * 60 / 3, 2.5 * life):
            warm = memory(), descriptors()
        wait = began + asked / 200 - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        name = f"h{rng.randrange(300)}.test"
        if rng.random() < 0.05:
            stream = box.connect()
            whole = frame("store", b"timeout=9\nmax_age=9\n\n" + entry("fault.test", "x", "y"))
            stream.sendall(rng.choice([whole[:rng.randrange(len(whole))], os.urandom(40), frame("list"), whole[:12]]))
            if rng.random() < 0.5:
                stalled.append((time.monotonic(), stream))
            else:
                stream.close()
            while stalled and (len(stalled) > 50 or stalled[0][0] < time.monotonic() - 6):
                stalled.pop(0)[1].close()
            continue
        now, kind = time.monotonic(), rng.random()
        if kind < 0.3:
            secret = f"s{rng.getrandbits(64):x}" * rng.randrange(1, 30)
            body, took = ask("store", f"timeout={life}\nmax_age={life}\n\n".encode() + entry(name, "u", secret))
            known[name] = (secret, now, time.monotonic())
            good = body == b""
        elif kind < 0.4:
            body, took = ask("erase", b"exact=0\n\n" + entry(name))
            known.pop(name, None)
            good = body is not None
        else:
            body, took = ask("get", b"exact=0\n\n" + entry(name))
            secret, before, after = known.get(name, (None, 0, 0))
            must_be = secret is not None and time.monotonic() < before + life - 0.2
            may_be = secret is not None and now < after + life + 0.2
            has = body is not None and f"password={secret}\n".encode() in body
            good = body is not None and (has if must_be else not body or has and may_be)
        answered += 1
        slow = max(slow, took or 0)
        if not good:
            wrong.append(f"{name}: {body!r}, known {known.get(name)} at {now}")
    for _, stream in stalled:
        stream.close()
    check(not wrong, f"{len(wrong)} wrong of {answered}: {wrong[0] if wrong else ''}")
    grown = memory() - warm[0]
    check(is_alive(pid) and box.get("keeper.test").out, "the daemon or its long entry is gone")
    time.sleep(2.5)
    more = descriptors() - min(warm[1], 12)
    check(grown < 1024, f"resident memory grew by {grown} KiB")
    check(descriptors() <= 12, f"{descriptors()} descriptors at the end")
    return (f"{minutes:g} min, {asked} requests: 0 wrong, 0 lost, slowest {slow * 1000:.0f} ms, memory {grown:+d} KiB after warm-up, "
            f"{descriptors()} descriptors, {processor_time(pid):.1f} s of processor")


@fault("X8", "the folder of the socket goes away", "rm -r of the runtime folder, as at a logout")
def x8(box):
    import shutil
    box.store()
    pid = box.daemon()
    shutil.rmtree(box.path("run"))
    got = box.get()
    check((got.code, got.out) == (0, b""), f"{got}")
    os.mkdir(box.path("run"), 0o700)
    check(box.store(password="two").code == 0 and box.get().out.endswith(b"=two\n"), "does not recover")
    left = until(lambda: not is_alive(pid), 65, 0.2)
    check(left is not None, "the old daemon stays")
    check(box.get().out.endswith(b"=two\n"), "the old daemon took the new one's socket with it")
    return f"a new one is started; the old one leaves after {left:.0f} s"
