"""A second user, with everything made loose on purpose."""

import os
import subprocess
import sys
import time

from lab import DONE, STRANGER, check, entry, frame, is_alive, need, need_root, question
from table import fault

# What the stranger does, in a process of their own: argv is the word and the path.
CONNECT = """
import socket, sys
s = socket.socket(socket.AF_UNIX); s.settimeout(3); s.connect(sys.argv[1])
try:
    s.sendall(bytes.fromhex(sys.argv[2]))
    print(s.recv(4096).hex())
except OSError:
    print("refused")
"""
SQUAT = """
import socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(16)
print("listening", flush=True)
while True:
    c, _ = s.accept()
    c.settimeout(2)
    try:
        print("took", c.recv(4096).hex(), flush=True)
        c.sendall(bytes.fromhex(sys.argv[2]))
    except OSError:
        print("took nothing", flush=True)
    c.close()
"""


def as_stranger(code, *arguments):
    # By the interpreter itself: a wrapper of it may lie where a stranger cannot look.
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    return ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups", python, "-I", "-c", code, *arguments]


def loosen(box):
    """Everybody may do everything on the way to the socket, and with it."""
    for path in (box.root, box.path("run"), os.path.dirname(box.socket)):
        os.chmod(path, 0o777)
    if os.path.exists(box.socket):
        os.chmod(box.socket, 0o777)


def git_u1(box):
    box.git_store()
    for path in (box.root, box.path("cache"), box.path("cache", "git"), os.path.dirname(box.git_socket)):
        os.chmod(path, 0o777)
    os.chmod(box.git_socket, 0o777)
    request = b"action=get\ntimeout=9\n" + entry("one.test")
    code = CONNECT.replace("print(s.recv", "s.shutdown(1); print(s.recv")
    out = subprocess.run(as_stranger(code, box.git_socket, request.hex()), stdout=subprocess.PIPE).stdout
    return "gives the stranger the password" if b"pass-one".hex().encode() in out else "refuses"


@fault("U1", "another user connects to our daemon", "uid 65534; folder and socket made 0777", git_u1)
def u1(box):
    need_root()
    need("setpriv")
    box.store()
    strict = subprocess.run(as_stranger(CONNECT, box.socket, frame("get", question("one.test")).hex()), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
    check(strict.returncode != 0 and b"PermissionError" in strict.stderr, f"as it is: {strict}")
    loosen(box)
    for word, body in (("get", question("one.test")), ("list", b""), ("status", b""), ("clear", b""), ("stop", b""),
                       ("store", b"timeout=9\nmax_age=9\n\n" + entry("one.test", "alice", "planted"))):
        out = subprocess.run(as_stranger(CONNECT, box.socket, frame(word, body).hex()), stdout=subprocess.PIPE, check=True).stdout
        check(out.strip() in (b"refused", b""), f"{word}: {out}")
    # Named: a loose runtime folder is passed over by itself.
    check(not box.get().out, "a loose runtime folder is used")
    got = box.get(flags=f"--socket {box.socket}")
    check(got.out.endswith(b"pass-one\n") and is_alive(box.daemon()), "the stranger has changed something")
    return "kept out by the modes; loose: get, list, status, clear, stop, store each dropped unread"


@fault("U2", "another user's socket in the place of ours", "uid 65534 squats socket and lock in a 0777 folder")
def u2(box):
    need_root()
    need("setpriv")
    folder = os.path.dirname(box.socket)
    os.makedirs(folder, 0o777)
    loosen(box)
    lie = frame(DONE, entry("one.test", "alice", "planted"))
    squatter = subprocess.Popen(as_stranger(SQUAT, box.socket, lie.hex()), stdout=subprocess.PIPE)
    box.started.append(squatter)
    check(squatter.stdout.readline() == b"listening\n", "cannot squat")
    named = f"--socket {box.socket}"
    got, stored = box.get(flags=named), box.store(password="canary-password", flags=named)
    check((got.code, got.out) == (0, b"") and "another user" in got.err, f"get: {got}")
    check(stored.code == 1 and "another user" in stored.err, f"store: {stored}")
    erased, listed = (box.run(f"--storage memory {named} {word}", entry("one.test"))
                      for word in ("erase", "list"))
    check(b"planted" not in listed.out + erased.out and "another user" in listed.err, f"{listed}")
    squatter.kill()
    said = squatter.stdout.read()
    check(b"canary-password".hex().encode() not in said and b"67637074" not in said, f"something was sent: {said}")
    # The stale socket is theirs, the folder is loose: nothing is started in it.
    stored = box.store(flags=named)
    check(stored.code == 1 and folder in stored.err, f"starts a daemon in a loose folder: {stored}")
    return "nothing sent, nothing believed; no daemon is started in a loose folder"


@fault("U3", "another user made the folder, the lock, the file first", "uid 65534 pre-creates; links; folders 0700 of theirs")
def u3(box):
    need_root()
    folder = os.path.dirname(box.socket)
    theirs = box.path("theirs")
    os.mkdir(theirs, 0o700)
    os.chown(theirs, STRANGER, STRANGER)
    tried = []

    def refused(name):
        got, stored = box.get(), box.store()
        check(stored.code == 1 and stored.out == b"" and got.out == b"", f"{name}: {stored} {got}")
        check(not box.daemons(), f"{name}: a daemon was started")
        tried.append(name)

    os.mkdir(folder, 0o700)
    os.chown(folder, STRANGER, STRANGER)
    refused("their folder")
    os.rmdir(folder)
    os.symlink(theirs, folder)
    refused("a link to it")
    check(not os.listdir(theirs), "something was made in it")
    os.unlink(folder)
    os.mkdir(folder, 0o700)
    os.symlink(box.path("home", "target"), box.socket + ".lock")
    refused("a link as lock")
    check(not os.path.exists(box.path("home", "target")), "the link was followed")
    os.unlink(box.socket + ".lock")
    check(box.store().code == 0, "does not recover")
    data = box.path("data", "git-credential-pat")
    os.mkdir(data, 0o700)
    planted = os.path.join(data, "credentials")
    with open(planted, "wb") as file:
        file.write(entry("one.test", "alice", "planted") + b"\n")
    os.chmod(planted, 0o666)
    got = box.get(storage="file")
    check(got.code == 1 and got.out == b"", f"a loose file is believed: {got}")
    os.chmod(planted, 0o600)
    os.chown(planted, STRANGER, STRANGER)
    got, stored = box.get(storage="file"), box.store(storage="file")
    check(got.code == 1 and got.out == b"" and stored.code == 1, f"their file is believed: {got} {stored}")
    return f"refused: {', '.join(tried)}; a loose file, their file"


@fault("U4", "another user reads, replaces, removes", "uid 65534 against socket, lock, file, journal; then /proc of the daemon")
def u4(box):
    need_root()
    need("setpriv")
    box.store()
    box.store(storage="file")
    box.store(storage="file", lines=f"password_expiry_utc={int(time.time()) + 86400}\n")
    box.get(storage="file")
    pid = box.daemon()
    # The way there is open: what is ours must hold by itself.
    os.chmod(box.root, 0o1777)
    paths = [box.path(place) for place in ("run", "data", "state")] + [os.path.dirname(box.socket), box.socket, box.socket + ".lock",
             box.path("data", "git-credential-pat", "credentials")] + [f"/proc/{pid}/{name}" for name in ("mem", "environ", "maps", "fd")]
    code = """
import os, sys
for path in sys.argv[1:]:
    for act in (lambda: os.listdir(path), lambda: open(path, "rb").read(1), lambda: open(path, "r+b"), lambda: os.unlink(path),
                lambda: os.rename(path, path + ".x"), lambda: open(path + ".new", "xb"), lambda: os.symlink("/tmp", path + ".y")):
        try:
            act()
            print("could", path)
        except OSError:
            print("not")
"""
    out = subprocess.run(as_stranger(code, *paths), stdout=subprocess.PIPE, check=True).stdout.decode()
    # The sandbox itself lies open: making files beside ours in it is nothing.
    could = [line for line in out.splitlines() if line.startswith("could") and os.path.dirname(line[6:]) != box.root]
    tried = out.count("\n")
    check(not could, f"{could}")
    return f"{tried} tries, each refused"
