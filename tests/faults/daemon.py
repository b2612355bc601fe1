"""Faults of the memory daemon and of the way to it."""

import os
import select
import signal
import socket
import subprocess
import threading
import time

from lab import (BUSY, DONE, OTHER_VERSION, REFUSED, Skip, check, end, entry, frame, is_alive, need, need_root,
                 processor_time, question, receive, struck, tracer, until)
from table import fault


# ---- many at once ----

def race(start, count, seconds):
    """Starts them all, lets each stand before its last line, and lets them all go at once."""
    runners = []
    for number in range(count):
        runners.append(start(number))
    time.sleep(0.3 + count / 200)
    began = time.monotonic()
    for number, runner in enumerate(runners):
        runner.stdin.write(entry(f"host-{number}.test", "alice", f"token-{number}"))
        runner.stdin.close()
    slowest, failed, hung = 0, 0, 0
    for runner in runners:
        left = max(0.01, began + seconds - time.monotonic())
        try:
            failed += runner.wait(left) != 0
            slowest = max(slowest, time.monotonic() - began)
        except subprocess.TimeoutExpired:
            hung += 1
            runner.kill()
            runner.wait()
    return failed, hung, slowest


def quiet(box, words):
    return box.start(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def cold_start(box, count):
    failed, hung, slowest = race(lambda _: quiet(box, "--storage memory store"), count, 15)
    found = sum(box.get(f"host-{n}.test").out == f"username=alice\npassword=token-{n}\n".encode() for n in range(count))
    daemons = len(box.daemons())
    check((failed, hung, found, daemons) == (0, 0, count, 1),
          f"{count} clients: {count - found} lost, {failed} failed, {hung} hung, {daemons} daemons")
    check(slowest < 5, f"{count} clients: the slowest took {slowest:.1f} s")
    box.run("cache stop")
    check(until(lambda: not box.daemons(), 5) is not None, "the daemon stays")
    return slowest


def git_cold_start(box):
    lost, daemons, hung, failed = 0, 0, 0, 0
    rounds = 2
    for _ in range(rounds):
        one = race(lambda _: quiet(box, box.words("credential-cache store", git=True)), 32, 10)
        failed, hung = failed + one[0], hung + one[1]
        daemons = max(daemons, len(box.daemons(git=True)))
        for n in range(32):
            if b"password" not in box.git_get(f"host-{n}.test", seconds=1).out:
                lost += 1
        for pid in box.daemons(git=True):
            end(pid)
    return f"{rounds} x 32: {lost} of {32 * rounds} lost, {failed} failed, {hung} hung, up to {daemons} daemons"


@fault("F1", "cold start: 8, 32, 128 first stores at once", "processes released together", git_cold_start, alone=True)
def f1(box):
    rounds = [8, 32, 128] + ([128] * 19 if box.lab.is_long else [])
    slowest = max(cold_start(box, count) for count in rounds)
    return f"{len(rounds)} rounds, 0 lost, 1 daemon each, slowest {slowest:.2f} s"


@fault("F2", "the same, with a stale socket in the way", "kill -9 before each round", alone=True)
def f2(box):
    slowest = 0
    for _ in range(20 if box.lab.is_long else 3):
        check(box.store().code == 0, "the first store fails")
        pid = box.daemon()
        end(pid)
        check(os.path.exists(box.socket), "no stale socket")
        slowest = max(slowest, cold_start(box, 32))
    return f"all found by get, slowest {slowest:.2f} s"


def flood(path, send, count, is_right, seconds=20, hangs_up=False):
    """`count` raw clients at once over one poll loop; returns right answers, EAGAINs, the slowest answer, and the time of
    all. `hangs_up`: says that nothing more is to come, which git's daemon waits for."""
    poll, open_now, began = select.poll(), {}, time.monotonic()
    refused, right, slowest = 0, 0, 0
    for _ in range(count):
        stream = socket.socket(socket.AF_UNIX)
        stream.setblocking(False)
        try:
            stream.connect(path)
        except BlockingIOError:
            refused += 1
            stream.close()
            continue
        try:
            stream.sendall(send)
            if hangs_up:
                stream.shutdown(socket.SHUT_WR)
        except OSError:
            stream.close()
            continue
        open_now[stream.fileno()] = [stream, b"", time.monotonic()]
        poll.register(stream, select.POLLIN)
    while open_now and time.monotonic() - began < seconds:
        for descriptor, _ in poll.poll(1000):
            stream, data, since = open_now[descriptor]
            try:
                more = stream.recv(65536)
            except OSError:
                more = b""
            open_now[descriptor][1] = data + more
            if not more or is_right(data + more):
                right += is_right(data + more)
                slowest = max(slowest, time.monotonic() - since)
                poll.unregister(descriptor)
                stream.close()
                del open_now[descriptor]
    for stream, _, _ in open_now.values():
        stream.close()
    return right, refused, slowest, time.monotonic() - began


def git_request(action, host):
    return f"action={action}\ntimeout=60\n".encode() + entry(host)


def git_f7(box):
    box.git_store()
    right, refused, slowest, total = flood(box.git_socket, git_request("get", "one.test"), 1000,
                                           lambda data: b"password=pass-one" in data, hangs_up=True)
    return f"{right} right, {refused} refused with EAGAIN, all in {total:.2f} s"


@fault("F7", "1,000 gets at once, non-blocking connect", "raw sockets", git_f7, alone=True)
def f7(box):
    box.store()
    right, refused, slowest, total = flood(box.socket, frame("get", question("one.test")), 1000,
                                           lambda data: b"password=pass-one\n" in data)
    check(right + refused == 1000 and right >= 900, f"{right} right, {refused} refused")
    # Whoever is refused by a full queue comes again: the client does.
    done = threading.Semaphore(0)
    wrong = []

    def client():
        if box.get().out != b"username=alice\npassword=pass-one\n":
            wrong.append(1)
        done.release()
    threads = [threading.Thread(target=client) for _ in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not wrong, f"{len(wrong)} of 64 clients without an answer")
    check(slowest < 2, f"slowest {slowest:.2f} s")
    return f"{right} right, {refused} EAGAIN, all in {total:.2f} s, slowest {slowest * 1000:.0f} ms"


@fault("F6", "1,100 connections held open", "raw sockets that say nothing", alone=True)
def f6(box):
    box.store()
    pid = box.daemon()
    held = []
    for _ in range(1100):
        stream = socket.socket(socket.AF_UNIX)
        stream.setblocking(False)
        try:
            stream.connect(box.socket)
            held.append(stream)
        except BlockingIOError:
            stream.close()
    before = processor_time(pid)
    answer = box.get()
    check(answer.code == 0 and answer.seconds < 4, f"get: {answer}")
    time.sleep(1)
    spent = processor_time(pid) - before
    check(spent < 0.9, f"spins: {spent:.2f} s of processor time")
    for stream in held:
        stream.close()
    after = box.get()
    check(after.out.endswith(b"password=pass-one\n"), f"afterwards: {after}")
    what = "answered" if answer.out else "no answer"
    return f"{len(held)} held; get meanwhile: {what} after {answer.ms} ms; daemon used {spent * 1000:.0f} ms of processor"


# ---- clients that misbehave ----

def git_f3(box):
    box.git_store()
    with box.connect(box.git_socket):
        time.sleep(0.1)
        answer = box.git_get(seconds=4)
    return "get hangs" if answer.code is None else f"answered after {answer.ms} ms"


@fault("F3", "idle client", "connects, says nothing", git_f3)
def f3(box):
    box.store()
    with box.connect() as idle:
        time.sleep(0.1)
        answer = box.get()
        check(answer.out.endswith(b"pass-one\n") and answer.seconds < 1, f"others wait: {answer}")
        began = time.monotonic()
        check(receive(idle) is None, "was answered")
        cut = time.monotonic() - began
    check(1 < cut < 3.5, f"cut after {cut:.1f} s")
    return f"others answered in {answer.ms} ms, it is cut after {cut:.1f} s"


def git_f4(box):
    box.git_store()
    with box.connect(box.git_socket) as slow:
        slow.sendall(b"action=g")
        answer = box.git_get(seconds=4)
    return "get hangs" if answer.code is None else f"answered after {answer.ms} ms"


@fault("F4", "dripping client", "one byte a second", git_f4)
def f4(box):
    box.store()
    began = time.monotonic()
    with box.connect() as slow:
        for byte in frame("get", question("one.test")):
            try:
                slow.sendall(bytes([byte]))
            except BrokenPipeError:
                break
            answer = box.get()
            check(answer.out.endswith(b"pass-one\n") and answer.seconds < 1, f"others wait: {answer}")
            time.sleep(1)
    cut = time.monotonic() - began
    check(4 < cut < 8, f"cut after {cut:.1f} s")
    return f"cut after {cut:.1f} s, others answered meanwhile"


def git_f5(box):
    lost = 0
    for _ in range(3):
        box.git_store()
        pid = box.daemons(git=True)[0]
        for _ in range(20):
            try:
                with box.connect(box.git_socket) as stream:
                    stream.sendall(git_request("get", "one.test"))
            except OSError:
                break
        time.sleep(0.2)
        lost += not is_alive(pid)
    return f"daemon dead in {lost} of 3 tries"


@fault("F5", "client dies before the answer", "request sent, socket closed, 600 times", git_f5)
def f5(box):
    box.store()
    pid = box.daemon()
    whole = frame("get", question("one.test"))
    for number in range(600):
        stream = box.connect()
        stream.sendall(whole[:number % len(whole) + 1] if number % 2 else whole)
        stream.close()
    answer = box.get()
    check(answer.out.endswith(b"pass-one\n") and is_alive(pid), f"{answer}")
    descriptors = len(os.listdir(f"/proc/{pid}/fd")) if os.geteuid() == 0 else 0
    check(descriptors < 20, f"{descriptors} descriptors left open")
    return f"daemon lives, {descriptors} descriptors, get in {answer.ms} ms"


def git_x1(box):
    died = 0
    frames = [b"", b"\n", b"action=get\n", b"action=get\ntimeout=x\n", b"\0" * 4096, b"gcpt" * 1000, b"action=" + b"A" * 70000]
    for bytes_ in frames:
        box.git_store()
        pid = box.daemons(git=True)[-1]
        try:
            with box.connect(box.git_socket) as stream:
                stream.sendall(bytes_)
        except OSError:
            pass
        time.sleep(0.1)
        died += not is_alive(pid)
    return f"daemon dead after {died} of {len(frames)} frames"


@fault("X1", "hostile frames", "wrong magic, version, word, lengths 0, short, 2^32-1, bodies, two at once, byte by byte", git_x1)
def x1(box):
    box.store()
    pid = box.daemon()
    good = frame("get", question("one.test"))
    cases = [
        ("empty body", frame("get"), REFUSED),
        ("wrong magic", b"XXXX" + good[4:], REFUSED),
        ("length 2^32-1", good[:8] + b"\xff\xff\xff\xff", REFUSED),
        ("over the limit", good[:8] + (2 * 1024 * 1024).to_bytes(4, "little"), REFUSED),
        ("version 9", frame("get", question("one.test"), version=9), OTHER_VERSION),
        ("unknown word", frame(99), REFUSED),
        ("an answer's word", frame(DONE), REFUSED),
        ("busy", frame(BUSY), BUSY),
        ("reserved bytes", good[:6] + b"\1\1" + good[8:], REFUSED),
        ("NUL in a value", frame("get", b"exact=0\n\nprotocol=https\nhost=one.test\0x\n"), REFUSED),
        ("duplicate host", frame("get", b"exact=0\n\nprotocol=https\nhost=evil.test\nhost=one.test\n"), REFUSED),
        ("blank", frame("get", b"exact=0\n\n"), REFUSED),
        ("protocol alone", frame("erase", b"exact=0\n\nprotocol=https\n"), REFUSED),
        ("store of half", frame("store", b"timeout=9\nmax_age=9\n\nprotocol=https\nhost=one.test\n"), REFUSED),
        ("store without lifetime", frame("store", b"\n" + entry("one.test", "a", "b")), REFUSED),
        ("lifetime of 30 digits", frame("store", b"timeout=" + b"9" * 30 + b"\nmax_age=9\n\n" + entry("one.test", "a", "b")), REFUSED),
        ("a body of zeros", frame("get", b"\0" * 100_000), REFUSED),
        ("two at once", good + good, DONE),
    ]
    for name, bytes_, wanted in cases:
        with box.connect() as stream:
            stream.sendall(bytes_)
            answer = receive(stream)
        check(answer is not None and answer[0] == wanted, f"{name}: {answer} instead of {wanted}")
        check(name == "two at once" or b"pass-one" not in answer[1], f"{name}: leaks")
    with box.connect() as stream:
        for byte in good:
            stream.sendall(bytes([byte]))
        check(b"pass-one" in receive(stream)[1], "byte by byte is not understood")
    check(is_alive(pid) and box.status()["entries"] == 1, "the daemon or its entry is gone")
    long = "p" * (1024 * 1024 - 120)
    stored = box.store("long.test", password=long)
    check(stored.code == 1 or box.get("long.test").out.endswith(long.encode() + b"\n"), "a long secret is lost")
    check(stored.code == 0 or stored.seconds < 1 and "understand" in stored.err, f"a long secret: {stored}")
    box.run("--storage memory erase", entry("long.test"))
    check(box.status()["entries"] == 1, "more than one entry is left")
    return f"{len(cases) + 1} frames: each refused or answered as it should be, daemon and entry live"


@fault("X2", "a daemon that answers wrongly or slowly", "a socket of our own user with made-up answers")
def x2(box):
    os.makedirs(os.path.dirname(box.socket), 0o700)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(box.socket)
    listener.listen(16)
    lines = b"username=alice\npassword=wrong\n"
    good = frame(DONE, entry("one.test", "alice", "right"))
    answers = {
        "garbage": b"HTTP/1.1 200 OK\r\n\r\n", "hangs up": b"", "half a header": good[:7], "half a body": good[:-3],
        "another host's": frame(DONE, b"protocol=https\nhost=evil.test\n" + lines),
        "announces 4 GiB": good[:8] + b"\xff\xff\xff\xff", "CR in a value": frame(DONE, entry("one.test", "a", "b\rc")),
        "NUL": frame(DONE, entry("one.test", "a", "b\0c")), "no host": frame(DONE, lines),
    }
    current = [b"", 0, 0]
    ends = []

    def serve():
        while True:
            try:
                stream, _ = listener.accept()
            except OSError:
                return
            try:
                stream.recv(4096)
                step = current[1] or 1 << 20
                for at in range(0, len(current[0]), step):
                    stream.sendall(current[0][at:at + step])
                    if current[1]:
                        time.sleep(current[2])
            except OSError:
                pass
            stream.close()
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        for name, answer in answers.items():
            current[:] = [answer, 0, 0]
            got = box.get()
            check(got.out == b"" and got.code is not None and got.code != 101, f"{name}: {got}")
            check("wrong" not in got.err, f"{name}: the answer's values are shown")
            ends.append(got.seconds)
        for size, pause in ((1, 0.5), (6, 1.8)):
            current[:] = [good, size, pause]
            got = box.get()
            check(got.out == b"" and got.code == 0 and got.seconds < 2.3, f"{size} bytes every {pause} s: {got}")
            ends.append(got.seconds)
    finally:
        listener.close()
    return f"{len(answers) + 2} answers: nothing printed, no panic, slowest {max(ends):.1f} s"


# ---- daemons that are gone, stopped or replaced ----

def git_f8(box):
    box.git_store()
    end(box.daemon(git=True))
    answer = box.git_get()
    again = box.git_store()
    return f"get: exit {answer.code} in {answer.ms} ms; store: exit {again.code}"


@fault("F8", "daemon killed", "kill -9", git_f8)
def f8(box):
    box.store()
    end(box.daemon())
    answer = box.get()
    check((answer.code, answer.out, answer.err) == (0, b"", ""), f"get: {answer}")
    check(answer.seconds < 1, f"get took {answer.ms} ms")
    check(box.store(password="two").code == 0 and box.get().out.endswith(b"two\n"), "store does not start a new one")
    box.daemon()
    return f"get: no answer, exit 0, {answer.ms} ms; store starts a new one"


@fault("F9", "stale sockets and leftovers", "socket nobody listens on, stale socket.new, a plain file as socket")
def f9(box):
    folder = os.path.dirname(box.socket)
    os.makedirs(folder, 0o700)
    for name in ("socket", "socket.new"):
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(os.path.join(folder, name))
        stale.close()
    check(box.get().code == 0, "get fails")
    check(box.store().code == 0 and box.get().out.endswith(b"pass-one\n"), "not replaced")
    check(sorted(os.listdir(folder)) == ["socket", "socket.lock"], f"{os.listdir(folder)}")
    box.run("cache stop")
    until(lambda: not box.daemons())
    with open(box.socket, "w", encoding="ascii") as file:
        file.write("not a socket")
    stored = box.store()
    check(stored.code == 0 and box.get().out.endswith(b"pass-one\n"), f"a plain file: {stored}")
    box.daemon()
    return "replaced under the lock; nothing of it left"


def git_f10(box):
    box.git_store()
    os.kill(box.daemon(git=True), signal.SIGSTOP)
    answer = box.git_get(seconds=6)
    return "get hangs" if answer.code is None else f"get ends after {answer.ms} ms"


@fault("F10", "daemon stopped", "SIGSTOP", git_f10)
def f10(box):
    box.store()
    pid = box.daemon()
    os.kill(pid, signal.SIGSTOP)
    took = {}
    for name, act in {"get": box.get, "store": lambda: box.store(password="two"),
                      "auto get": lambda: box.get(storage="auto", env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}),
                      "auto store": lambda: box.store(password="three", storage="auto",
                                                      env={"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}),
                      "status": lambda: box.run("cache status"), "list": lambda: box.run("--storage memory list")}.items():
        result = act()
        check(result.code is not None and result.seconds < 5.5 and b"pass" not in result.out, f"{name}: {result}")
        check(result.out == b"" or name == "list", f"{name}: {result}")
        check("does not answer" in result.err or result.code == 0, f"{name} is silent about it: {result}")
        check("get" not in name or result.code == 0, f"{name}: {result}")
        check(name != "store" or result.code == 1, f"{name} hides the failure: {result}")
        took[name] = f"{name} {result.seconds:.1f} s"
    os.kill(pid, signal.SIGCONT)
    answer = box.get()
    check(b"password=" in answer.out, f"afterwards: {answer}")
    box.daemon()
    return "gives up: " + ", ".join(took.values())


def replace_socket(path):
    """Another process of ours takes the path."""
    os.unlink(path)
    other = socket.socket(socket.AF_UNIX)
    other.bind(path)
    other.listen(5)
    return other


def git_f11(box):
    box.git_store()
    pid = box.daemon(git=True)
    with replace_socket(box.git_socket):
        time.sleep(62)
    return "orphan lives on, secrets in it" if is_alive(pid) else "leaves"


@fault("F11", "socket replaced under a live daemon", "unlink and bind by another process", git_f11)
def f11(box):
    box.store()
    pid = box.daemon()
    with replace_socket(box.socket) as other:
        left = until(lambda: not is_alive(pid), 65, 0.2)
        check(left is not None, "it stays")
        check(os.path.exists(box.socket), "it removed a socket that is not its own")
        other.close()
    return f"notices and leaves after {left:.0f} s (looks once a minute)"


def git_f12(box):
    box.git_store()
    first = box.daemon(git=True)
    os.rename(box.git_socket, box.git_socket + ".away")
    box.git_store(password="two")
    end(first, signal.SIGTERM)
    time.sleep(0.3)
    return "the new one's socket stays" if os.path.exists(box.git_socket) else "unlinks the new one's socket"


@fault("F12", "daemon leaves while a new one owns the path", "socket moved away, second daemon, SIGTERM to the first", git_f12)
def f12(box):
    box.store()
    first = box.daemon()
    os.rename(box.socket, box.socket + ".away")
    box.store(password="two")
    check(len(box.daemons()) == 2, "no second daemon")
    os.kill(first, signal.SIGTERM)
    check(until(lambda: not is_alive(first), 5) is not None, "the first one stays")
    check(box.get().out.endswith(b"two\n"), "the second one cannot be reached")
    return "unlinks only its own"


@fault("F13", "old daemon, new client and the reverse", "frames of version 2; a daemon that speaks only version 2")
def f13(box):
    box.store()
    with box.connect() as stream:
        stream.sendall(frame("store", b"whatever a later version says\0\0", version=2))
        check(receive(stream) == (OTHER_VERSION, b""), "mis-parsed")
    check(box.status()["entries"] == 1, "changed something")
    with box.connect() as stream:
        stream.sendall(frame("stop", version=2))
        check(receive(stream)[0] == DONE, "a later version cannot have it leave")
    check(until(lambda: not box.daemons(), 5) is not None, "it stays")
    os.makedirs(os.path.dirname(box.socket), 0o700, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(box.socket)
    listener.listen(16)

    def serve():
        while True:
            stream, _ = listener.accept()
            with stream:
                header = stream.recv(4096)
                if header[5] == 7:
                    os.unlink(box.socket)
                    stream.sendall(frame(DONE, version=2))
                    listener.close()
                    return
                stream.sendall(frame(OTHER_VERSION, version=2))
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    got = box.get()
    check((got.code, got.out) == (0, b""), f"get: {got}")
    status = box.run("cache status")
    check(status.code == 1 and "another version" in status.err, f"status: {status}")
    stored = box.store(password="new")
    return_ = box.get()
    check(stored.code == 0 and return_.out.endswith(b"new\n"), f"store does not replace it: {stored}")
    box.daemon()
    return "told by the first frame; get: no answer; status says it; store has the other leave and starts its own"


def git_f17(box):
    box.git_store()
    pid = box.daemon(git=True)
    os.kill(pid, signal.SIGHUP)
    time.sleep(0.3)
    return "lives" if is_alive(pid) else "daemon dies, secrets lost"


@fault("F17", "the terminal closes", "SIGHUP", git_f17)
def f17(box):
    box.store()
    pid = box.daemon()
    for _ in range(5):
        os.kill(pid, signal.SIGHUP)
    check(box.get().out.endswith(b"pass-one\n") and is_alive(pid), "it dies")
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    check(int(fields[3]) == pid and fields[4] == "0", "not in a session of its own, without a terminal")
    return "ignored; a session of its own"


@fault("F18", "asked to end", "SIGTERM, SIGINT, cache stop")
def f18(box):
    ends = []
    for how in (signal.SIGTERM, signal.SIGINT, None):
        process = box.start_daemon()
        check(box.store().code == 0, "does not serve")
        if how is None:
            box.run("cache stop")
        else:
            process.send_signal(how)
        check(until(lambda: process.poll() is not None, 5) is not None, f"{how}: stays")
        check(process.returncode == 0 and not os.path.exists(box.socket), f"{how}: exit {process.returncode}")
        ends.append(process.returncode)
    return "exit 0, socket gone, each time"


@fault("X3", "asked to end while a slow client is being answered", "a list that is not read, then stop and a store")
def x3(box):
    box.store()
    first = box.daemon()
    for number in range(24):
        with box.connect() as stream:
            many = entry(f"{number}.test", "u" * 60000, "p")
            stream.sendall(frame("store", b"timeout=99\nmax_age=99\n\n" + many))
            check(receive(stream)[0] == DONE, "not stored")
    with box.connect() as slow:
        slow.sendall(frame("list"))
        time.sleep(0.2)
        with box.connect() as other:
            other.sendall(frame("stop"))
            receive(other)
        stored = box.store("late.test", password="late")
        until(lambda: not is_alive(first), 8)
        late = box.get("late.test")
        check(stored.code == 0 and late.out.endswith(b"late\n"), f"a store that was acknowledged is lost: {late}")
        check(stored.seconds < 2, f"the store waits: {stored.seconds:.1f} s")
    return f"stored after {stored.ms} ms in the daemon that came next, and found there"


@fault("X4", "daemon leaves while clients come", "stop in a loop beside 4 storing clients", alone=True)
def x4(box):
    stop, wrong, counts = time.monotonic() + (30 if box.lab.is_long else 5), [], [0, 0]

    def client(number):
        turn = 0
        while time.monotonic() < stop:
            turn += 1
            stored = box.store(f"h{number}.test", password=f"p{turn}")
            got = box.get(f"h{number}.test")
            counts[0] += 1
            # Forgotten by a stop in between is right; anything else that was not stored is not.
            if stored.code != 0 or stored.seconds > 5 or (got.out and not got.out.endswith(f"p{turn}\n".encode())):
                wrong.append(f"{stored} {got}")

    def stopper():
        while time.monotonic() < stop:
            box.run("cache stop")
            counts[1] += 1
            time.sleep(0.02)
    threads = [threading.Thread(target=client, args=(n,)) for n in range(4)] + [threading.Thread(target=stopper)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(not wrong, f"{len(wrong)} of {counts[0]}: {wrong[:1]}")
    box.run("cache stop")
    check(until(lambda: not box.daemons(), 5) is not None, f"{len(box.daemons())} daemons left behind")
    return f"{counts[0]} stores, {counts[1]} stops: every store answered, none wrong, no daemon left behind"


# ---- the system says no ----

ACCEPT = ("EMFILE", "ENFILE", "ECONNABORTED", "EINTR", "ENOMEM", "EPERM")


def with_accept_fault(box, pid, error, get):
    log = box.path("accept.log")
    words = tracer(log, f"accept4:error={error}:when=1..3", f"accept:error={error}:when=1..3", pid=pid)
    trace = box.start(words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if until(lambda: "TracerPid:\t0" not in open(f"/proc/{pid}/status", encoding="ascii").read(), 3) is None:
        raise Skip("strace cannot attach to a process here")
    before, answer = processor_time(pid), get()
    spent = processor_time(pid) - before
    trace.send_signal(signal.SIGINT)
    trace.wait()
    return answer, spent, struck(log)


def git_f20(box):
    box.git_store()
    pid, lost = box.daemon(git=True), []
    for error in ACCEPT[:4]:
        answer, _, _ = with_accept_fault(box, pid, error, lambda: box.git_get(seconds=5))
        if b"pass-one" not in answer.out:
            lost.append(error)
    return f"unanswered after {', '.join(lost)}" if lost else "answers after each"


@fault("F20", "accept fails: " + ", ".join(ACCEPT), "strace -p, accept4, three times each", git_f20)
def f20(box):
    need_root()
    box.store()
    pid, slowest, times = box.daemon(), 0, 0
    for error in ACCEPT:
        answer, spent, count = with_accept_fault(box, pid, error, box.get)
        check(answer.out.endswith(b"pass-one\n"), f"{error}: {answer}")
        check(count >= 1, f"{error} was not injected")
        check(spent < 0.3, f"{error}: spins, {spent:.2f} s")
        slowest, times = max(slowest, answer.seconds), times + count
    return f"{times} faults, every get answered, slowest {slowest * 1000:.0f} ms"


def git_f21(box):
    box.git_store()
    ends = []
    for error in ("EAGAIN", "EINTR", "EACCES"):
        words = tracer(box.path("log"), f"connect:error={error}:when=1") + box.words("credential-cache get", git=True)
        ends.append(f"{error}: exit {box.run(words, entry('one.test')).code}")
    return ", ".join(ends)


@fault("F21", "connect fails: EAGAIN, EINTR, EACCES, ECONNREFUSED, ENOENT, EMFILE", "strace on the client", git_f21)
def f21(box):
    need("strace")
    box.store()
    for error in ("EAGAIN", "EINTR", "EACCES", "ECONNREFUSED", "ENOENT", "EPROTOTYPE"):
        log = box.path("log")
        rules = tracer(log, f"connect:error={error}:when=1")
        got = box.run(rules + box.words("--storage memory get"), entry("one.test"))
        check(struck(log) == 1, f"{error} was not injected")
        if error in ("EAGAIN", "EINTR"):
            check(got.out.endswith(b"pass-one\n"), f"{error} is not tried again: {got}")
        else:
            check((got.code, got.out) == (0, b""), f"{error}: {got}")
        stored = box.run(rules + box.words("--storage memory store"), entry("two.test", "bob", "b"))
        check(stored.code == 0 or "because" in stored.err or "cannot" in stored.err, f"{error} at store: {stored}")
        check((stored.code == 0) == box.get("two.test").out.endswith(b"=b\n"), f"{error} at store: a wrong status {stored}")
        box.run("--storage memory erase", entry("two.test"))
    for call in ("socket", "getsockopt"):
        for error in ("EMFILE", "ENOMEM"):
            got = box.run(tracer(box.path("log"), f"{call}:error={error}") + box.words("--storage memory get"), entry("one.test"))
            check((got.code, got.out) == (0, b"") and got.seconds < 3, f"{call} {error}: {got}")
    box.daemon()
    return "EAGAIN, EINTR tried again; else: no answer on get, a message on a store that fails"


def no_daemon(box):
    box.run("cache stop")
    check(until(lambda: not box.daemons(), 5) is not None, "the daemon stays")


CALLS = ("socket", "unlinkat", "bind", "listen", "renameat", "renameat2", "flock", "openat", "mkdir", "clone", "clone3",
         "vfork", "connect", "sendto", "write")


@fault("X5", "client killed or refused at every call of a cold start", "strace: SIGKILL, then an error, at each call in turn", alone=True)
def x5(box):
    need("strace")
    points, calls, log = 0, set(), box.path("log")
    for fault_ in ("signal=SIGKILL", "error=EMFILE"):
        for call in CALLS:
            for number in range(1, 30):
                # Cold at every turn.
                for path in (box.socket + ".lock", box.socket + ".new", box.socket):
                    if os.path.exists(path):
                        os.unlink(path)
                if os.path.exists(os.path.dirname(box.socket)):
                    os.rmdir(os.path.dirname(box.socket))
                rules = tracer(log, f"{call}:{fault_}:when={number}")
                first = box.run(rules + box.words("--storage memory store"), entry("one.test", "alice", "first"))
                if not struck(log):
                    no_daemon(box)
                    break
                points += 1
                calls.add(call)
                at = f"{call} {number}, {fault_}"
                check(first.seconds < 5.5 and first.code != 101, f"{at}: {first}")
                if first.code == 0:
                    check(box.get().out.endswith(b"first\n"), f"{at}: said to be stored, and is not: {first}")
                second = box.store(password="second")
                check(second.code == 0 and second.seconds < 1.5, f"{at}: the next client: {second}")
                check(box.get().out.endswith(b"second\n"), f"{at}: the next client's is lost")
                # What the fault orphaned may be on its way out.
                one = until(lambda: len(box.daemons()) == 1, 3)
                check(one is not None, f"{at}: {len(box.daemons())} daemons")
                no_daemon(box)
            else:
                check(False, f"{call}: no end of it")
    check(len(calls) >= 9, f"only {sorted(calls)} were struck")
    return f"{points} points in {len(calls)} calls: the next client stores at once, one daemon"


@fault("X6", "lock held by a stopped process", "flock by another process of ours", alone=False)
def x6(box):
    import fcntl
    folder = os.path.dirname(box.socket)
    os.makedirs(folder, 0o700)
    with open(box.socket + ".lock", "w", encoding="ascii") as held:
        os.chmod(held.name, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
        got, stored = box.get(), box.store()
        check((got.code, got.out) == (0, b"") and got.seconds < 1, f"get: {got}")
        check(stored.code == 1 and stored.seconds < 5.6 and stored.err, f"store: {stored}")
        fcntl.flock(held, fcntl.LOCK_UN)
        check(box.store().code == 0, "does not recover")
        fcntl.flock(held, fcntl.LOCK_EX)
        warm = box.store("two.test")
        check(warm.code == 0 and warm.seconds < 1, f"a running daemon needs no lock: {warm}")
        stopped = box.run("cache stop")
        gone = until(lambda: not box.daemons(), 4)
        check(gone is not None, "the daemon cannot leave")
    check(box.store().code == 0 and box.get().out, "does not recover from the leaving")
    return f"get at once, store gives up after {stored.seconds:.1f} s and says so; stop leaves within {gone + stopped.seconds:.1f} s"


def git_f42(box):
    words = tracer(box.path("log"), "execve:delay_enter=2000000:when=1", lets_go=False)
    words += box.words("credential-cache store", git=True)
    began = time.monotonic()
    client = box.start(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client.stdin.write(entry("one.test", "a", "b"))
    client.stdin.close()
    try:
        code, took = client.wait(12), time.monotonic() - began
        return f"exit {code} after {took:.1f} s, {struck(box.path('log'))} starts delayed"
    except subprocess.TimeoutExpired:
        return "hangs"


@fault("F42", "daemon slow to start", "strace: execve delayed by 2 s and by 8 s", git_f42)
def f42(box):
    need("strace")
    took = []
    for delay in (2, 8):
        # The daemon's image alone is started by this name.
        words = tracer(box.path("log"), f"execve:delay_enter={delay}000000", lets_go=False)
        words[1:1] = ["-P", "/proc/self/exe"]
        client = box.start(words + box.words("--storage memory store"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        began = time.monotonic()
        client.stdin.write(entry("one.test", "a", "b"))
        client.stdin.close()
        time.sleep(0.7)
        other = box.store("two.test", password="two")
        check(other.seconds < 6, f"a second client waits {other.seconds:.1f} s")
        try:
            client.wait(15)
        except subprocess.TimeoutExpired:
            pass
        ended = time.monotonic() - began
        check(ended < 6.5, f"with {delay} s the client waits {ended:.1f} s")
        took.append(f"{delay} s: client ends after {ended:.1f} s, another after {other.seconds + 0.7:.1f} s")
        check(delay > 4 or other.code == 0, f"{other}")
        check(struck(box.path("log")) or delay > 4, "nothing was delayed")
        for pid in box.daemons():
            end(pid)
        client.kill()
        client.wait()
    return "; ".join(took)


@fault("X7", "the daemon cannot start", "8 descriptors; no process to be had; the program cannot be run", alone=False)
def x7(box):
    need("prlimit", "strace")
    few = box.run(["prlimit", "--nofile=8"] + box.words("--storage memory store"), entry("one.test", "a", "b"))
    check(few.code in (0, 1) and few.seconds < 5.5 and (few.code == 0 or few.err), f"8 descriptors: {few}")
    check((few.code == 0) == bool(box.get().out), f"8 descriptors: a wrong status {few}")
    for pid in box.daemons():
        end(pid)
    ends = []
    for call in ("clone", "clone3", "vfork"):
        rules = tracer(box.path("log"), f"{call}:error=EAGAIN")
        got = box.run(rules + box.words("--storage memory store"), entry("one.test", "a", "b"))
        if not struck(box.path("log")):
            no_daemon(box)
            continue
        check(got.code == 1 and "cannot start" in got.err and got.seconds < 2, f"{call}: {got}")
        ends.append(got.ms)
    check(ends, "no way of starting was met")
    rules = tracer(box.path("log"), "execve:error=EACCES", lets_go=False)
    rules[1:1] = ["-P", "/proc/self/exe"]
    got = box.run(rules + box.words("--storage memory store"), entry("one.test", "a", "b"))
    check(got.code == 1 and "cannot start" in got.err, f"{got}")
    recovered = box.store()
    check(recovered.code == 0 and box.get().out, f"{recovered}")
    return f"said within {max(ends)} ms, exit 1; the next client starts one"
