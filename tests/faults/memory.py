"""What stays in the daemon's memory: read whole, by root."""

import base64
import os
import random
import re
import signal
import subprocess
import time

from lab import ROOT, STRANGER, Sandbox, Skip, check, entry, is_alive, need, need_root, until
from surroundings import Clock
from table import fault

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~"
RESERVED = b"+/!%@: "


class Canary:
    """A secret of 40 random bytes, known to us only in two halves whose exclusive or it is."""

    def __init__(self):
        self.key = os.urandom(40)
        # With some that a URL must encode, or its form would be the secret itself.
        secret = random.SystemRandom().choices(ALPHABET, k=36) + random.SystemRandom().choices(RESERVED, k=4)
        random.SystemRandom().shuffle(secret)
        self.masked = bytes(a ^ b for a, b in zip(secret, self.key))

    def secret(self):
        return bytes(a ^ b for a, b in zip(self.masked, self.key))

    def text(self):
        return self.secret().decode()

    def forms(self):
        """Name and bytes of each shape in which it could be found."""
        secret = self.secret()
        shapes = {f"window {at}": secret[at:at + 16] for at in range(25)}
        for shift in range(3):
            coded = base64.b64encode(b"x" * shift + secret)
            # What depends on the neighbours is cut off.
            shapes[f"base64 {shift}"] = coded[4 if shift else 0:-4]
        shapes["percent"] = b"".join(b"%%%02X" % byte for byte in secret)
        shapes["percent, small"] = b"".join(b"%%%02x" % byte for byte in secret)
        shapes["percent, as urls"] = b"".join(bytes([byte]) if chr(byte).isalnum() or byte in b"-_.~" else b"%%%02X" % byte for byte in secret)
        shapes["hexadecimal"] = secret.hex().encode()
        shapes["two bytes each"] = secret.decode().encode("utf-16-le")
        return shapes


def mappings(pid):
    """Start, end and flags of what can be read; `smaps` has the flags."""
    found = []
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as file:
        for line in file:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+\s*(.*)", line)
            if head:
                found.append([int(head[1], 16), int(head[2], 16), head[3], head[4].strip(), set()])
            elif line.startswith("VmFlags:"):
                found[-1][4] = set(line.split()[1:])
    return [one for one in found if "r" in one[2] and one[3] not in ("[vvar]", "[vsyscall]", "[vvar_vclock]")]


def scan(pid, canaries):
    """Hits as (form, name of the mapping, its flags)."""
    # Searching takes long, and a daemon that keeps nothing ends.
    read = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, stop, _, name, flags in mappings(pid):
            try:
                memory.seek(start)
                data = b""
                while len(data) < stop - start:
                    more = memory.read(stop - start - len(data))
                    if not more:
                        break
                    data += more
            except OSError:
                continue
            read.append((data, name or "anonymous", frozenset(flags)))
    check(is_alive(pid), "it ended while it was read")
    hits = []
    for data, name, flags in read:
        for canary in canaries:
            for form, bytes_ in canary.forms().items():
                hits += [(form, name, flags)] * data.count(bytes_)
    return hits


def locked_kilobytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int([line for line in file if line.startswith("VmLck")][0].split()[1])


def drive(box, rounds=6):
    """Everything that a daemon is asked, with fresh secrets; returns them all. Nothing of it is kept afterwards."""
    kept = []
    for number in range(rounds):
        canary, later = Canary(), Canary()
        kept += [canary, later]
        host = f"c{number}.test"
        check(box.store(host, password=canary.text(), lines=f"oauth_refresh_token={later.text()}\n").code == 0, "store")
        check(canary.secret() in box.get(host).out, "get")
        fresh = Canary()
        kept.append(fresh)
        box.store(host, password=fresh.text())
        box.run("--storage memory erase", entry(host, "alice", canary.text()))
        box.run("--storage memory list")
        authorization = Canary()
        kept.append(authorization)
        box.run("--storage memory store", f"capability[]=authtype\nprotocol=https\nhost=a{host}\nauthtype=Bearer\ncredential={authorization.text()}\n".encode())
        with box.connect() as stream:
            # Half a request, and then nothing.
            half = Canary()
            kept.append(half)
            stream.sendall(b"gcpt\1\2\0\0\xff\0\0\0timeout=9\nmax_age=9\n\npassword=" + half.secret())
    return kept


def nothing_left(pid, canaries, when):
    hits = scan(pid, canaries)
    check(not hits, f"{when}: {len(hits)} hits, {sorted({(form, name) for form, name, _ in hits})[:4]}")


def only_in_arena(pid, canaries):
    """How many whole secrets lie in locked, undumped memory; none may lie elsewhere."""
    hits = scan(pid, canaries)
    stray = [(form, name) for form, name, flags in hits if not {"lo", "dd"} <= flags]
    check(not stray, f"outside the arena: {stray[:4]}")
    strange = [form for form, _, _ in hits if not form.startswith("window")]
    check(not strange, f"encoded: {strange[:4]}")
    return sum(form == "window 0" for form, _, _ in hits)


def scanned(box, wipes=True):
    """The whole course; Wrong where something is found. Returns what to say."""
    live = [Canary(), Canary(), Canary()]
    box.store("live.test", password=live[0].text(), flags="--timeout 9h", lines=f"oauth_refresh_token={live[1].text()}\n")
    box.run("--storage memory store", f"capability[]=authtype\nprotocol=https\nhost=bearer.test\nauthtype=Bearer\ncredential={live[2].text()}\n".encode())
    pid = box.daemon()
    locked = locked_kilobytes(pid)
    check(locked > 0, "no locked memory")
    copies = only_in_arena(pid, live)
    check(copies == 3 or not wipes, f"{copies} copies of 3 live secrets")
    erased = drive(box)
    only_in_arena(pid, erased)
    for number in range(6):
        for host in (f"c{number}.test", f"ac{number}.test"):
            box.run("--storage memory erase", entry(host))
    # The half requests are dropped after 2 s of silence, or when the other end is gone.
    time.sleep(0.2)
    nothing_left(pid, erased, "after erase")
    check(only_in_arena(pid, live) == 3, "erased too much")

    timed, ended = Canary(), Canary()
    box.store("timed.test", password=timed.text(), flags="--timeout 1")
    box.store("ended.test", password=ended.text(), lines=f"password_expiry_utc={int(time.time()) + 2}\n")
    check(len({0} | {only_in_arena(pid, [timed, ended])}) == 2, "not kept")
    # By the timer alone: nobody asks.
    time.sleep(4.5)
    nothing_left(pid, [timed, ended], "after expiry")

    logout = Canary()
    box.store("logout.test", password=logout.text())
    out = box.run("--storage memory logout https://logout.test")
    check(out.code == 0, f"logout: {out}")
    nothing_left(pid, [logout], "after logout")
    large = [Canary() for _ in range(200)]
    for canary in large:
        box.store(f"n{id(canary)}.test", password=canary.text())
    only_in_arena(pid, large[:20])
    box.run("cache clear")
    check(is_alive(pid) and pid == box.daemon(), "not the same daemon")
    nothing_left(pid, large[:50] + live, "after clear")
    return f"live: 3 secrets, 3 copies, all in pages locked and undumped (VmLck {locked} KiB); 0 hits after erase, timeout, token's end, logout, clear"


def git_m1(box):
    canary = Canary()
    box.git_store(password=canary.text())
    pid = box.daemon(git=True)
    live = scan(pid, [canary])
    box.run(box.words("credential-cache erase", git=True), entry("one.test"))
    left = scan(pid, [canary])
    count = lambda hits: sum(form == "window 0" for form, _, _ in hits)
    return f"live: {count(live)} copies; after erase: {count(left)} whole, {len(left)} hits; VmLck {locked_kilobytes(pid)}"


@fault("M1", "secrets left in the daemon", "root reads all its memory; whole, 16-byte windows, base64, percent, hex", git_m1)
def m1(box):
    need_root()
    return scanned(box)


@fault("M2", "the same by the clocks", "clock shim: timeout by the boot clock, token's end by the wall clock")
def m2(box):
    need_root()
    clock = Clock(box)
    box.start_daemon()
    timed, ended = Canary(), Canary()
    box.store("timed.test", password=timed.text(), flags="--timeout 1h")
    box.store("ended.test", password=ended.text(), flags="--timeout 9h", lines=f"password_expiry_utc={int(time.time()) + 3600}\n")
    pid = box.daemon()
    check(only_in_arena(pid, [timed, ended]) == 2, "not kept")
    clock.set(wall=3700)
    box.get("ended.test")
    nothing_left(pid, [ended], "after the token's end")
    check(only_in_arena(pid, [timed]) == 1, "the wall clock ends a timeout")
    clock.set(wall=3700, boot=3700)
    box.run("--storage memory list")
    nothing_left(pid, [timed], "after the timeout")
    return "0 hits after each"


def control(lab):
    """The program with its wiping taken out: only for this, never in a release (see src/platform/arena.rs)."""
    need("cargo")
    target = os.path.join(os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target")), "no-wipe")
    flags = (os.environ.get("RUSTFLAGS", "") + " --cfg no_wipe").strip()
    built = subprocess.run(["cargo", "build", "--quiet", "--locked"], cwd=ROOT, stderr=subprocess.PIPE,
                           env={**os.environ, "CARGO_TARGET_DIR": target, "RUSTFLAGS": flags})
    if built.returncode != 0:
        raise Skip("cannot build it here: " + built.stderr.decode(errors="replace").strip()[-200:])
    return os.path.join(target, "debug", "git-credential-pat")


@fault("M3", "the scan itself", "a build that does not wipe (--cfg no_wipe), same course", alone=True)
def m3(box):
    need_root()
    program = control(box.lab)
    import shutil
    from lab import Wrong
    usual, box.lab.helper = box.lab.helper, box.path("git-credential-pat")
    try:
        shutil.copy(program, box.lab.helper)
        os.chmod(box.lab.helper, 0o755)
        scanned(box, wipes=False)
    except Wrong as wrong:
        check("hits" in str(wrong), f"failed otherwise: {wrong}")
        return f"caught: {wrong}"[:160]
    finally:
        box.lab.helper = usual
    check(False, "not caught")


def cores(folder):
    return [name for name in os.listdir(folder) if "core" in name]


@fault("M4", "core files", "SIGABRT and SIGSEGV with unlimited cores; gcore by root")
def m4(box):
    need_root()
    need("prlimit")
    canary, said = Canary(), []
    with open("/proc/sys/kernel/core_pattern", encoding="ascii") as file:
        pattern = file.read().strip()
    box.run(["prlimit", "--core=unlimited", *box.words("--storage memory store")], entry("one.test", "alice", canary.text()))
    pid = box.daemon()
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        limit = [line for line in file if "core file" in line][0].split()[4]
    check(limit == "0", f"core limit {limit}")
    if subprocess.run(["which", "gcore"], stdout=subprocess.DEVNULL).returncode == 0:
        core = box.path("forced")
        subprocess.run(["gcore", "-o", core, str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        made = core + f".{pid}"
        if os.path.exists(made):
            with open(made, "rb") as file:
                data = file.read()
            check(b"serve-memory" in data, "not a core of the daemon")
            found = [form for form, bytes_ in canary.forms().items() if bytes_ in data]
            check(not found, f"in a forced core: {found[:4]}")
            said.append(f"0 hits in a forced core of {len(data) // 1024} KiB")
    check(canary.secret() in box.get().out, "does not live on")
    for how in (signal.SIGABRT, signal.SIGSEGV):
        pid = box.daemon()
        process_cwd = os.readlink(f"/proc/{pid}/cwd")
        os.kill(pid, how)
        time.sleep(0.2)
        if is_alive(pid):
            # The runtime looks at the first one, for stack overflows, and lets the second one be.
            os.kill(pid, how)
        check(until(lambda: not is_alive(pid), 5) is not None, f"does not end by {how.name}")
        check(not cores(process_cwd) and not cores(box.path("work")), "left a core")
        box.run(["prlimit", "--core=unlimited", *box.words("--storage memory store")], entry("one.test", "alice", canary.text()))
    return "; ".join(said + [f"no core after SIGABRT, SIGSEGV (limit 0, undumpable; pattern {pattern})"])


PEEK = """
import ctypes, os, sys
pid = int(sys.argv[1])
for name in ("mem", "environ", "maps", "smaps", "auxv", "stack", "syscall", "pagemap", "io"):
    try:
        open(f"/proc/{pid}/{name}", "rb").read(1); print("could read", name)
    except OSError as error: print(name, error.errno)
for name in ("exe", "cwd", "root", "fd/0"):
    try:
        os.readlink(f"/proc/{pid}/{name}"); print("could follow", name)
    except OSError as error: print(name, error.errno)
try:
    os.listdir(f"/proc/{pid}/fd"); print("could list fd")
except OSError as error: print("fd", error.errno)
libc = ctypes.CDLL(None, use_errno=True)
for name, request in (("attach", 16), ("seize", 0x4206)):
    print("could " + name if libc.ptrace(request, pid, 0, 0) == 0 else name)
class iovec(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
buf = ctypes.create_string_buffer(16)
a, b = iovec(ctypes.addressof(buf), 16), iovec(0x400000, 16)
print("could read by process_vm_readv" if libc.process_vm_readv(pid, ctypes.byref(a), 1, ctypes.byref(b), 1, 0) > 0 else "readv %d" % ctypes.get_errno())
"""


def peek(pid):
    python = "/usr/bin/python3"
    if not os.path.exists(python):
        raise Skip("no /usr/bin/python3 for the other user")
    out = subprocess.run(["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", python, "-I", "-c", PEEK, str(pid)],
                         stdout=subprocess.PIPE, check=True).stdout.decode()
    return [line for line in out.splitlines() if line.startswith("could")], out.count("\n")


@fault("M5", "same user looks into daemon and client", "both as uid 65534: /proc/PID/mem, environ, maps, fd; ptrace; process_vm_readv")
def m5(box):
    need_root()
    need("setpriv")
    with Sandbox(box.lab, STRANGER) as theirs:
        check(theirs.store().code == 0, "store")
        could, tries = peek(theirs.daemon())
        check(not could, f"daemon: {could}")
        # The client, while it waits for its request.
        client = theirs.start("--storage memory get")
        client.stdin.write(b"protocol=https\n")
        client.stdin.flush()
        time.sleep(0.3)
        could, more = peek(client.pid)
        check(not could, f"client: {could}")
        client.kill()
        sleeper = theirs.start(["sleep", "5"])
        time.sleep(0.1)
        check(len(peek(sleeper.pid)[0]) >= 5, "the try itself does not work")
    return f"{tries + more} tries, each denied (on another process of theirs they work)"
