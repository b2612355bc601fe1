"""A marker pushed through every command, every failure and a panic: where does it come out?"""

import contextlib
import os
import socket
import threading
import time

from lab import check, entry, frame, need, tracer
from surroundings import silent_bus
from table import fault

MARK = "mark" + os.urandom(12).hex()
# No bus at all: the keychain is away at once, and nothing of the user's is met.
NO_BUS = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent", "RUST_BACKTRACE": "full", "RUST_LOG": "trace", "GIT_TRACE": "1"}


class Watch:
    """Looks at the words and the environment of every process, as long as it is open."""

    def __init__(self):
        self.seen, self.rounds, self.processes, self.is_open = [], 0, set(), True
        self.thread = threading.Thread(target=self.look, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_open = False
        self.thread.join()

    def look(self):
        while self.is_open:
            for pid in filter(str.isdigit, os.listdir("/proc")):
                for name in ("cmdline", "environ", "comm"):
                    with contextlib.suppress(OSError), open(f"/proc/{pid}/{name}", "rb") as file:
                        data = file.read()
                        if MARK.encode() in data:
                            self.seen.append(f"{name} of process {pid}: {data[:80]}")
                        if b"git-credential-pat" in data:
                            self.processes.add(pid)
            self.rounds += 1
            time.sleep(0.002)


def requests():
    """Requests that hold the marker: right ones, and wrong in every way we know."""
    right = entry("one.test", "alice", MARK)
    base = b"protocol=https\nhost=one.test\n"
    mark = MARK.encode()
    yield right
    yield right + b"oauth_refresh_token=" + mark + b"\npassword_expiry_utc=9999999999\n"
    yield right + b"password_expiry_utc=1\n"
    yield right + b"password_expiry_utc=" + mark + b"\n"
    yield b"capability[]=authtype\n" + base + b"authtype=Bearer\ncredential=" + mark + b"\n"
    yield right + b"ephemeral=1\n"
    yield base + b"username=" + mark + b"\0\npassword=" + mark + b"\n"
    yield base + mark + b"\n"
    yield base + b"password=" + mark + b"\rx\n"
    yield base + b"password=" + mark + b"\0x\n"
    yield right + b"password=" + mark + b"2\n"
    yield right + b"host=two.test\n"
    yield b"password=" + mark + b"\n"
    yield b"protocol=https\nhost=o/e" + mark + b"\npassword=" + mark + b"\n"
    yield b"protocol=ht tp\nhost=one.test\nusername=a\npassword=" + mark + b"\n"
    yield b"url=https://alice:" + mark + b"@one.test/\n"
    yield b"url=https://alice:" + mark + b"@two.test/\n" + base
    yield b"url=::" + mark + b"\n"
    yield base + b"username=a\npassword=" + mark * 40_000 + b"\n"
    yield base + b"wwwauth[]=" + mark * 1000 + b"\nstate[]=" + mark + b"\nusername=a\npassword=" + mark + b"\n"
    yield mark
    yield b"\n" + mark


def commands():
    """Words and input; the marker stands in what is typed where a person could type it."""
    token = MARK.encode() + b"\n"
    for host in ("one.test", "https://one.test", f"https://alice:{MARK}@one.test", f"https://one.test/{chr(10)}x", "::", "https://"):
        yield ["login", host, "--with-token", "--username", "alice"], token
        yield ["login", host, "--with-token"], token
        yield ["login", host], token
        yield ["list"], b""
        yield ["list", "--json"], b""
        yield ["expires", host, "30d"], b""
        yield ["expires", host, "never"], b""
        yield ["logout", host], b""
    yield ["login", "one.test", "--password", MARK], b""
    yield ["login", "one.test", f"--password={MARK}"], b""
    yield ["login", "one.test", f"--with-token={MARK}"], b""
    yield ["login", "one.test", f"--token={MARK}"], b""
    yield ["login", "one.test", MARK], b""
    yield ["login", f"https://one.test/{MARK}@x:{MARK}@"], b""
    yield ["logout", "one.test", MARK], b""
    yield [MARK], b""
    yield ["login", "one.test", "--with-token", "--username", "alice"], token + token
    yield ["login", "one.test", "--with-token", "--username", "alice"], b"a\0" + token
    yield ["login", "one.test", "--with-token", "--username", "alice"], b"a\r" + token
    for words in (["cache", "status"], ["cache", "status", "--json"], ["cache", "clear"], ["cache", "stop"], ["capability"], ["--help"],
                  ["completions", "bash"], ["frobnicate"], []):
        yield words, token


def typed(words):
    """The marker is in the words themselves: then `cmdline` shows it, and that is the caller's doing."""
    return any(MARK in word for word in words)


@fault("L1", "a marker secret", "every command, 22 requests x 3 operations x 4 storages, failures, panics; /proc sampled")
def l1(box):
    runs, wrong = 0, []

    def look(what, got, answers=False):
        nonlocal runs
        runs += 1
        if MARK in got.err or (MARK.encode() in got.out and not answers):
            wrong.append(f"{what}: {got}")
        if got.code is None:
            wrong.append(f"{what}: hangs")

    listener, silent = silent_bus(box)
    with Watch() as watch:
        for storage in ("memory", "file", "memory,file", "auto"):
            for request in requests():
                for operation in ("store", "get", "erase"):
                    look(f"{storage} {operation} {request[:60]!r}",
                         box.run([box.lab.helper, "--storage", storage, operation], request, env=NO_BUS), operation == "get")
                    if operation == "store":
                        look("list", box.run([box.lab.helper, "--storage", storage, "list", "--json"], env=NO_BUS))
        for words, data in commands():
            if not typed(words):
                for storage in ("memory", "file"):
                    look(words, box.run([box.lab.helper, "--storage", storage, *words], data, env=NO_BUS))
        # Failures of what lies below.
        box.store(password=MARK, storage="file")
        folder = box.path("data", "git-credential-pat")
        path = os.path.join(folder, "credentials")
        with open(path, "ab") as file:
            file.write(b"junk " + MARK.encode() + b"\n\nprotocol=https\nhost=one.test\nhost=two.test\npassword=" + MARK.encode() + b"\n\n"
                       + entry("bad.test", "a", MARK + "\r x") + b"\n" + entry("nul.test", "a", MARK + "\0x"))
        for host in ("one.test", "bad.test", "nul.test", "two.test"):
            for words in ("get", "erase", "store", "list"):
                look(f"strange file, {words}", box.run(f"--storage file {words}", entry(host, "a", MARK)), words == "get")
        for mode in (0o644, 0o000):
            os.chmod(path, mode)
            for words in ("get", "store", "erase", "list"):
                look(f"mode {mode:o}, {words}", box.run(f"--storage file {words}", entry("one.test", "a", MARK)), words == "get")
        os.chmod(path, 0o600)
        with open(box.path("config", "broken.toml"), "w", encoding="ascii") as file:
            file.write("storage = 7\n")
        for words in ("get", "store", "erase"):
            look("broken settings", box.run(f"--config {box.path('config', 'broken.toml')} {words}", entry("one.test", "a", MARK)))
            look("silent keychain", box.run(f"--storage keychain {words}", entry("one.test", "a", MARK),
                                            env={**NO_BUS, "DBUS_SESSION_BUS_ADDRESS": silent}))
        box.run("cache stop")
        os.makedirs(os.path.dirname(box.socket), 0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(box.socket)
        liar = socket.socket(socket.AF_UNIX)
        liar.bind(box.socket)
        liar.listen(8)

        def lie():
            with contextlib.suppress(OSError):
                while True:
                    stream, _ = liar.accept()
                    stream.recv(65536)
                    stream.sendall(frame(128, b"garbage " + MARK.encode() + b"\n"))
                    stream.close()
        threading.Thread(target=lie, daemon=True).start()
        for words in ("get", "store", "erase", "list", "cache status", "cache clear"):
            look(f"lying daemon, {words}", box.run(f"--storage memory {words}", entry("one.test", "a", MARK)))
        os.unlink(box.socket)
        liar.close()
        # Panics and other ends that were not foreseen: no memory, at each call in turn.
        panics = 0
        with contextlib.suppress(Exception):
            need("strace")
            for words in ("--storage memory store", "--storage file store", "--storage file get"):
                for call, most in (("mmap", 40), ("getrandom", 3), ("write", 3), ("read", 8), ("umask", 2), ("poll", 3), ("fstat", 6)):
                    for number in range(1, most):
                        got = box.run(tracer(box.path("log"), f"{call}:error=ENOMEM:when={number}") + box.words(words),
                                      entry("one.test", "a", MARK), env=NO_BUS)
                        look(f"{words}, {call} {number}", got, words.endswith("get"))
                        panics += "internal fault" in got.err
                        os.unlink(box.path("log"))
        look("closed stdout", box.run(["sh", "-c", f"exec {box.lab.helper} --storage file get >&-"], entry("one.test")), True)
    listener.close()
    # Where the person typed it: said back to nobody all the same. Unwatched, since their own words show it.
    for words, data in commands():
        if typed(words):
            look(words, box.run([box.lab.helper, *words], data, env=NO_BUS))
    for folder, _, names in os.walk(box.root):
        for name in names:
            path = os.path.join(folder, name)
            if MARK in path:
                wrong.append(f"a file's name: {path}")
            if os.path.isfile(path) and not path.endswith(os.path.join("git-credential-pat", "credentials")):
                with open(path, "rb") as file:
                    if MARK.encode() in file.read():
                        wrong.append(f"in a file: {path}")
    check(not watch.seen, f"{watch.seen[:2]}")
    check(watch.rounds > 20 and len(watch.processes) > 20, f"only {watch.rounds} looks at {len(watch.processes)} processes")
    check(not wrong, f"{len(wrong)} of {runs}: {'; '.join(wrong[:3]).replace(MARK, '<MARK>')}")
    check(panics > 0, "no panic was met")
    return (f"{runs} runs, {panics} panics: not in stdout (but get's answers), stderr, any other file; {len(watch.processes)} processes sampled, "
            "not in their words or environment")
