"""What the faults stand on: a sandbox, the helper and git's own in it, raw frames, and the ending of what was started."""

import contextlib
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STRANGER = 65534
WORDS = {"get": 1, "store": 2, "erase": 3, "list": 4, "clear": 5, "status": 6, "stop": 7}
DONE, REFUSED, OTHER_VERSION, BUSY = 128, 129, 130, 131


class Skip(Exception):
    """The fault cannot be injected here; the reason is shown."""


class Wrong(Exception):
    """Not what was expected."""


def check(is_so, what):
    if not is_so:
        raise Wrong(what)


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            raise Skip(f"{tool} is not installed")


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


class Result:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    @property
    def ms(self):
        return round(self.seconds * 1000)

    def __repr__(self):
        return f"exit {self.code} after {self.seconds:.2f} s, {self.out[:200]!r}, {self.err[:300]!r}"


class Lab:
    """What all sandboxes share: the binary under test, git, the shim."""

    def __init__(self, helper, is_long):
        self.folder = tempfile.mkdtemp(prefix="faults-")
        # Another user must be able to run what is in it.
        os.chmod(self.folder, 0o711)
        self.helper = self.path("git-credential-pat")
        shutil.copy(helper, self.helper)
        os.chmod(self.helper, 0o755)
        self.is_long = is_long
        self.git = shutil.which("git")
        self._shim = None

    def path(self, name):
        return os.path.join(self.folder, name)

    def shim(self):
        """The library that stands before the clocks and write(2)."""
        if self._shim is None:
            need("cc")
            source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "clock.c")
            # Built under another name first: several faults may ask at once.
            new = tempfile.mktemp(dir=self.folder, suffix=".so")
            subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", new, source, "-ldl"], check=True)
            with open(self.helper, "rb") as program:
                if b"ld-linux" not in program.read() and b"ld-musl" not in open(self.helper, "rb").read():
                    raise Skip("the helper is linked statically: nothing can stand before its clocks")
            os.rename(new, self.path("shim.so"))
            os.chmod(self.path("shim.so"), 0o755)
            self._shim = self.path("shim.so")
        return self._shim

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Sandbox:
    """Folders of its own; whatever was started in them ends with it."""

    def __init__(self, lab, owner=None, name=""):
        self.lab = lab
        self.root = tempfile.mkdtemp(prefix="s-" + name, dir=lab.folder)
        self.owner = owner
        os.chmod(self.root, 0o711)
        self.extra = {}
        self.mounts = []
        self.started = []
        for place in ("home", "config", "data", "state", "cache", "run", "work"):
            os.mkdir(self.path(place), 0o700)
            if owner is not None:
                os.chown(self.path(place), owner, owner)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.started:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGCONT)
                process.kill()
            with contextlib.suppress(Exception):
                process.wait(10)
        for pid in self.daemons():
            end(pid)
        for mount in reversed(self.mounts):
            subprocess.run(["umount", "-l", mount], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.root, ignore_errors=True)

    def path(self, *parts):
        return os.path.join(self.root, *parts)

    @property
    def socket(self):
        return self.path("run", "git-credential-pat", "socket")

    @property
    def git_socket(self):
        return self.path("cache", "git", "credential", "socket")

    def environment(self, **more):
        environment = {
            "PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": self.path("home"),
            "XDG_CONFIG_HOME": self.path("config"), "XDG_DATA_HOME": self.path("data"),
            "XDG_STATE_HOME": self.path("state"), "XDG_CACHE_HOME": self.path("cache"),
            "XDG_RUNTIME_DIR": self.path("run"), "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0",
            **self.extra, **more,
        }
        return {name: value for name, value in environment.items() if value is not None}

    def words(self, line, git=False):
        if not git:
            return [self.lab.helper, *line.split()]
        return [self.lab.git, *line.split()]

    def as_owner(self, words):
        if self.owner is None:
            return words
        return ["setpriv", f"--reuid={self.owner}", f"--regid={self.owner}", "--clear-groups", *words]

    def run(self, words, data=b"", seconds=20, env=None, **more):
        """To its end, and until everybody has let go of its output; `code` None if that took too long."""
        if isinstance(words, str):
            words = self.words(words)
        began = time.monotonic()
        process = subprocess.Popen(
            self.as_owner(words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=self.environment(**(env or {})), cwd=more.pop("cwd", self.path("work")), **more)
        try:
            out, err = process.communicate(data, timeout=seconds)
            code = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            code = None
            try:
                out, err = process.communicate(timeout=2)
            except subprocess.TimeoutExpired:
                out, err = b"", b""
        return Result(code, out, err.decode("utf-8", "replace"), time.monotonic() - began)

    def start(self, words, env=None, **more):
        if isinstance(words, str):
            words = self.words(words)
        more.setdefault("stdin", subprocess.PIPE)
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen(self.as_owner(words), env=self.environment(**(env or {})),
                                   cwd=self.path("work"), **more)
        self.started.append(process)
        return process

    # The helper.

    def store(self, host="one.test", user="alice", password="pass-one", flags="", storage="memory", **more):
        return self.run(f"--storage {storage} {flags} store", entry(host, user, password, more.pop("lines", "")), **more)

    def get(self, host="one.test", flags="", storage="memory", user=None, **more):
        return self.run(f"--storage {storage} {flags} get", entry(host, user), **more)

    def status(self):
        return json.loads(self.run("cache status --json").out)

    # git's own.

    def git_store(self, host="one.test", user="alice", password="pass-one", flags="", helper="credential-cache", **more):
        return self.run(self.words(f"{helper} {flags} store", git=True), entry(host, user, password), **more)

    def git_get(self, host="one.test", flags="", helper="credential-cache", **more):
        return self.run(self.words(f"{helper} {flags} get", git=True), entry(host), **more)

    # What runs in it.

    def daemons(self, git=None):
        """Process numbers of the daemons whose socket lies in here; zombies do not count."""
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/cmdline", "rb") as file:
                    line = file.read()
            except OSError:
                continue
            if self.root.encode() + b"/" not in line:
                continue
            is_ours = b"\0serve-memory\0" in line
            is_gits = b"credential-cache--daemon" in line
            if (is_ours and git is not True) or (is_gits and git is not False):
                # A shell, a tracer or a limiter that only names the daemon on its own command line is none.
                if line.split(b"\0")[0].split(b"/")[-1] in (b"git-credential-pat", b"git"):
                    found.append(int(name))
        return found

    def daemon(self, git=False):
        found = self.daemons(git)
        check(len(found) == 1, f"{len(found)} daemons instead of one")
        return found[0]

    def start_daemon(self, **more):
        """The daemon as a child of ours, so that its exit status can be seen."""
        os.makedirs(os.path.dirname(self.socket), 0o700, exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.socket)
        listener.listen(64)
        process = self.start(["git-credential-pat", "serve-memory", self.socket], executable=self.lab.helper,
                             stdin=listener, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
        listener.close()
        return process

    def connect(self, path=None, seconds=10):
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(seconds)
        stream.connect(path or self.socket)
        return stream

    def tmpfs(self, name, options):
        need_root()
        need("mount")
        mount = self.path(name)
        os.makedirs(mount, 0o700, exist_ok=True)
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", mount], stderr=subprocess.DEVNULL)
        if made.returncode != 0:
            raise Skip("cannot mount here")
        self.mounts.append(mount)
        return mount


def end(pid, how=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)
    with contextlib.suppress(ChildProcessError):
        for _ in range(200):
            if os.waitpid(pid, os.WNOHANG)[0]:
                break
            time.sleep(0.01)


def entry(host, user=None, password=None, lines=""):
    text = f"protocol=https\nhost={host}\n"
    if user is not None:
        text += f"username={user}\n"
    if password is not None:
        text += f"password={password}\n"
    return (text + lines).encode()


def frame(word, body=b"", version=1):
    code = WORDS.get(word, word)
    return b"gcpt" + bytes((version, code, 0, 0)) + struct.pack("<I", len(body)) + body


def question(host):
    return b"exact=0\n\n" + entry(host)


def receive(stream):
    """One frame: its word and its lines; None where the other end hung up first."""
    data = b""
    try:
        while len(data) < 12 or len(data) < 12 + struct.unpack("<I", data[8:12])[0]:
            more = stream.recv(65536)
            if not more:
                return None
            data += more
    except ConnectionError:
        return None
    return data[5], data[12:]


def until(is_so, seconds=10, pause=0.01):
    """How long it took; None if it never was."""
    began = time.monotonic()
    while True:
        if is_so():
            return time.monotonic() - began
        if time.monotonic() - began > seconds:
            return None
        time.sleep(pause)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(") ", 1)[1][0] not in "ZX"
    except OSError:
        return False


def processor_time(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tracer(log, *rules, pid=None, lets_go=True):
    """strace with its injections; a started program follows, or a running one is named. `lets_go`: of the daemon that the
    program starts, which it would wait for otherwise."""
    need("strace")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(log)
    calls = ",".join("?" + rule.split(":")[0].lstrip("?") for rule in rules)
    words = ["strace", "-f", "-qq", "-o", log, "-e", "trace=" + calls]
    if pid is None and lets_go:
        words += ["-b", "execve"]
    elif pid is None:
        # The tracer steps aside: the process that is waited for is the program itself.
        words.insert(1, "-D")
    for rule in rules:
        words += ["-e", "inject=?" + rule.lstrip("?")]
    return words + (["-p", str(pid)] if pid else [])


def struck(log):
    """How often the injected fault came."""
    with contextlib.suppress(OSError):
        with open(log, errors="replace") as file:
            text = file.read()
        return text.count("(INJECTED)") + text.count("(DELAYED)") + text.count("killed by SIGKILL")
    return 0
