"""Faults of the plaintext file, and of the disk below it."""

import contextlib
import os
import shutil
import subprocess
import threading
import time

from lab import STRANGER, check, entry, struck, tracer
from table import fault

SECRET = "secret-of-second-0123456789"


class Vault:
    """A folder with a file that holds one credential, and the bytes it has after a second one was stored."""

    def __init__(self, box, git=False, folder=None):
        self.box, self.git = box, git
        self.folder = folder or box.path("vault")
        os.makedirs(self.folder, 0o700, exist_ok=True)
        self.file = os.path.join(self.folder, "credentials")
        self.store("first", "secret-of-first")
        self.old = self.read()
        self.store("second", SECRET)
        self.new = self.read()
        check(self.old and self.new and self.old != self.new, "the fixture is wrong")

    def words(self, what="store"):
        if self.git:
            return self.box.words(f"credential-store --file {self.file} {what}", git=True)
        return self.box.words(f"--storage file --file {self.file} {what}")

    def store(self, name, password, before=(), **more):
        return self.box.run([*before, *self.words()], entry(f"{name}.test", name, password), **more)

    def get(self, name):
        return self.box.run(self.words("get"), entry(f"{name}.test"))

    def read(self):
        try:
            with open(self.file, "rb") as file:
                return file.read()
        except OSError:
            return b""

    def reset(self):
        for name in os.listdir(self.folder):
            if name != "credentials":
                os.unlink(os.path.join(self.folder, name))
        with open(self.file, "wb") as file:
            file.write(self.old)
        os.chmod(self.file, 0o600)

    def leftovers(self):
        found = []
        for name in os.listdir(self.folder):
            if name != "credentials":
                with open(os.path.join(self.folder, name), "rb") as file:
                    if b"secret-of" in file.read():
                        found.append(name)
        return found

    def inject(self, calls, how):
        """`how` at every call in turn. Returns how often, and what was wrong."""
        times, wrong, log = 0, [], self.box.path("log")
        for call in calls:
            for number in range(1, 100):
                self.reset()
                got = self.store("second", SECRET, tracer(log, f"{call}:{how}:when={number}"))
                if not struck(log):
                    break
                times += 1
                at = f"{call} {number}, {how}"
                now = self.read()
                if now not in (self.old, self.new):
                    wrong.append(f"{at}: neither the old nor the new file")
                if got.code == 0 and now != self.new:
                    wrong.append(f"{at}: says it is stored, and it is not")
                if "SIGKILL" not in how and self.leftovers():
                    wrong.append(f"{at}: leaves a copy")
                if got.code == 101 or SECRET in got.err:
                    wrong.append(f"{at}: {got}")
                if got.code not in (0, 137, -9) and not self.git and self.folder not in got.err and "memory" not in got.err \
                        and "error" in how and call in ("write", "fsync", "renameat"):
                    wrong.append(f"{at}: the message names no path: {got}")
                again = self.store("second", SECRET)
                if again.code != 0 or self.read() != self.new or self.leftovers():
                    wrong.append(f"{at}: the next store fails: exit {again.code}")
        return times, wrong


def shown(times, wrong):
    if not wrong:
        return f"{times} faults: old or new file, no leftover, next store works"
    return f"{times} faults, {len(wrong)} wrong: {wrong[0]}"


def right(times, wrong, least):
    check(not wrong, f"{len(wrong)} of {times}: {'; '.join(wrong[:3])}")
    check(times >= least, f"only {times} faults struck")
    return shown(times, wrong)


WRITES = ("write", "writev", "openat", "renameat", "renameat2", "rename", "fsync", "fdatasync", "unlinkat", "flock")


def git_f22(box):
    return shown(*Vault(box, git=True).inject(("write", "rename"), "error=ENOSPC"))


@fault("F22", "ENOSPC, EDQUOT, EIO, EFBIG; a full 16 KiB disk", "strace at each opening, write, sync, rename; tmpfs", git_f22)
def f22(box):
    vault, times, wrong = Vault(box), 0, []
    for error in ("ENOSPC", "EDQUOT", "EIO", "EFBIG"):
        one = vault.inject(WRITES if error == "ENOSPC" else ("write", "fsync", "openat"), f"error={error}")
        times, wrong = times + one[0], wrong + one[1]
    line = right(times, wrong, 12)
    if os.geteuid() != 0:
        return line + " (no root: no full disk)"
    full = Vault(box, folder=box.tmpfs("full", "size=16k,mode=0700"))
    filler = os.path.join(full.folder, "filler")
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
        while file.write(b"x" * 512):
            pass
    before = full.read()
    got = full.store("third", "p" * 2000)
    check(got.code == 1 and full.folder in got.err, f"a full disk: {got}")
    check(full.read() == before and ".credentials.git-credential-pat-new" not in os.listdir(full.folder), "a full disk: the file has changed")
    check(full.get("second").out.endswith(SECRET.encode() + b"\n"), "a full disk: not readable")
    os.unlink(filler)
    check(full.store("third", "p" * 2000).code == 0, "does not recover")
    return line + "; full disk too"


@fault("F23", "short writes", "write(2) takes 3 bytes at most (shim), in store and in the answer")
def f23(box):
    env = {"LD_PRELOAD": box.lab.shim(), "SHORT_WRITES": "3"}
    vault = Vault(box)
    vault.reset()
    got = vault.store("second", SECRET, env=env)
    check(got.code == 0 and vault.read() == vault.new, f"{got}")
    answer = box.run(vault.words("get"), entry("second.test"), env=env)
    check(answer.out == f"username=second\npassword={SECRET}\n".encode(), f"{answer}")
    kept = box.store(env=env)
    check(kept.code == 0 and box.get(env=env).out.endswith(b"pass-one\n"), f"memory: {kept}")
    return "completed by going on"


def git_f24(box):
    times, _ = Vault(box, git=True).inject(("fsync", "fdatasync"), "error=EIO")
    return "no fsync at all" if not times else f"{times} calls"


@fault("F24", "fsync fails", "strace, EIO, at the file's and the folder's", git_f24)
def f24(box):
    return right(*Vault(box).inject(("fsync", "fdatasync"), "error=EIO"), 2)


def git_f25(box):
    return shown(*Vault(box, git=True).inject(("rename", "renameat"), "error=EIO"))


@fault("F25", "rename fails", "strace, EIO and EXDEV", git_f25)
def f25(box):
    vault = Vault(box)
    one = vault.inject(("rename", "renameat", "renameat2"), "error=EIO")
    two = vault.inject(("rename", "renameat", "renameat2"), "error=EXDEV")
    return right(one[0] + two[0], one[1] + two[1], 2)


def git_f26(box):
    return shown(*Vault(box, git=True).inject(("write", "rename"), "signal=SIGKILL"))


@fault("F26", "killed at every change", "strace, SIGKILL at each opening, lock, write, sync, rename", git_f26)
def f26(box):
    return right(*Vault(box).inject(WRITES, "signal=SIGKILL"), 8)


def writers(vault, count):
    began = time.monotonic()
    processes = []
    for number in range(count):
        process = vault.box.start(vault.words(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        processes.append((number, process))
    for number, process in processes:
        process.stdin.write(entry(f"w{number}.test", "u", f"p{number}"))
        process.stdin.close()
    failed = sum(process.wait(90) != 0 for _, process in processes)
    text = vault.read()
    if vault.git:
        kept = sum(f"@w{number}.test\n".encode() in text for number in range(count))
    else:
        kept = sum(f"host=w{number}.test\n".encode() in text for number in range(count))
    return failed, kept, time.monotonic() - began


def fill(vault, count):
    with open(vault.file, "ab") as file:
        for number in range(count):
            line = f"https://u:p@big{number}.test\n" if vault.git \
                else f"protocol=https\nhost=big{number}.test\nusername=u\npassword=p\n\n"
            file.write(line.encode())


def git_f27(box):
    vault = Vault(box, git=True)
    failed, kept, took = writers(vault, 128)
    fill(vault, 20_000)
    big = writers(vault, 24)
    return f"small: {kept} of 128 kept, {took:.1f} s; of 20,000 entries: {big[1]} of 24 kept"


@fault("F27", "128 writers at once", "processes; then 24 into a file of 20,000 entries (--long: 256 into 100,000)", git_f27, alone=True)
def f27(box):
    vault = Vault(box)
    failed, kept, took = writers(vault, 128)
    check((failed, kept) == (0, 128), f"{failed} failed, {kept} kept")
    entries, many = (100_000, 256) if box.lab.is_long else (20_000, 24)
    fill(vault, entries)
    big = writers(vault, many)
    check(big[:2] == (0, many), f"with {entries} entries: {big[0]} failed, {big[1]} of {many} kept")
    return f"small: 128 kept, {took:.1f} s; of {entries:,} entries: {many} of {many} kept, {big[2]:.1f} s"


def git_f28(box):
    vault = Vault(box, git=True, folder=box.tmpfs("ro", "size=1m,mode=0700"))
    subprocess.run(["mount", "-o", "remount,ro", vault.folder], check=True)
    return f"get: exit {vault.get('first').code}; store: exit {vault.store('third', 'p').code}"


@fault("F28", "read-only home", "tmpfs remounted read-only", git_f28)
def f28(box):
    vault = Vault(box, folder=box.tmpfs("ro", "size=1m,mode=0700"))
    state = box.tmpfs("state", "size=1m,mode=0700")
    for mount in (vault.folder, state):
        subprocess.run(["mount", "-o", "remount,ro", mount], check=True)
    got, stored = vault.get("second"), vault.store("third", "p")
    check(got.out.endswith(SECRET.encode() + b"\n") and got.code == 0, f"{got}")
    check(stored.code == 1 and vault.folder in stored.err and "ead-only" in stored.err, f"{stored}")
    same = vault.store("second", SECRET)
    return f"get answers; store: exit 1 and says so (an identical one: exit {same.code})"


@fault("F33", "slow disk", "strace: every openat of the store delayed by 0.2 s")
def f33(box):
    vault = Vault(box)
    vault.reset()
    got = vault.store("second", SECRET, tracer(box.path("log"), "openat:delay_enter=200000"))
    check(got.code == 0 and vault.read() == vault.new and got.seconds < 8, f"{got}")
    return f"stored after {got.seconds:.1f} s; a call that hangs in the system is nobody's to bound"


def git_f34(box):
    vault = Vault(box, git=True)
    os.chmod(vault.file, 0o644)
    return "reads it" if vault.get("first").out else "refuses"


@fault("F34", "file open to others, owned by another, a link, a pipe, a folder", "chmod, chown, symlink, mkfifo", git_f34)
def f34(box):
    vault, seen = Vault(box), []

    def refused(what, hint=""):
        for result in (vault.get("second"), vault.store("third", "p"), box.run(vault.words("erase"), entry("second.test"))):
            check(result.code == 1 and result.out == b"" and hint in result.err and result.seconds < 5, f"{what}: {result}")
        seen.append(what)

    os.chmod(vault.file, 0o644)
    refused("mode 0644", "chmod 600")
    os.chmod(vault.file, 0o600)
    os.chmod(vault.folder, 0o777)
    refused("folder 0777")
    os.chmod(vault.folder, 0o700)
    elsewhere = box.path("elsewhere")
    os.rename(vault.file, elsewhere)
    os.symlink(elsewhere, vault.file)
    refused("a link")
    os.unlink(vault.file)
    os.mkfifo(vault.file, 0o600)
    refused("a pipe")
    os.unlink(vault.file)
    os.mkdir(vault.file, 0o700)
    refused("a folder")
    os.rmdir(vault.file)
    shutil.copy(elsewhere, vault.file)
    os.chmod(vault.file, 0o600)
    if os.geteuid() == 0:
        os.chown(vault.file, STRANGER, STRANGER)
        refused("another's file")
        os.chown(vault.file, 0, 0)
        os.chown(vault.folder, STRANGER, STRANGER)
        refused("another's folder")
        os.chown(vault.folder, 0, 0)
    with open(elsewhere, "rb") as file:
        check(file.read() == vault.new == vault.read(), "changed all the same")
    check(vault.get("second").out, "does not recover")
    return "refused: " + ", ".join(seen)


@fault("P8", "links swapped under the writers", "one thread swaps folder and file with links while 8 clients store", alone=True)
def p8(box):
    vault = Vault(box)
    outside = box.path("outside")
    os.mkdir(outside, 0o700)
    victim = os.path.join(outside, "credentials")
    with open(victim, "w", encoding="ascii") as file:
        file.write("untouched")
    os.chmod(victim, 0o600)
    stop = time.monotonic() + (60 if box.lab.is_long else 5)
    swaps, stores = [0], [0]

    def swap():
        aside, away = vault.folder + ".aside", vault.file + ".away"
        while time.monotonic() < stop:
            try:
                os.rename(vault.folder, aside)
                os.symlink(outside, vault.folder)
                os.unlink(vault.folder)
                os.rename(aside, vault.folder)
                os.rename(vault.file, away)
                os.symlink(victim, vault.file)
                os.unlink(vault.file)
                os.rename(away, vault.file)
            except OSError:
                # A client made one of them in between.
                for path in (vault.folder, vault.file):
                    if os.path.islink(path):
                        os.unlink(path)
                if not os.path.isdir(vault.folder):
                    os.rename(aside, vault.folder)
            swaps[0] += 1

    def client(number):
        while time.monotonic() < stop:
            vault.store(f"n{number}", SECRET)
            stores[0] += 1
    threads = [threading.Thread(target=swap)] + [threading.Thread(target=client, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with open(victim, encoding="ascii") as file:
        check(file.read() == "untouched", "the file outside was written")
    check(os.listdir(outside) == ["credentials"], f"written outside: {os.listdir(outside)}")
    return f"{swaps[0]} swaps, {stores[0]} stores: nothing written outside"
