"""The checks of .ci/supply-chain that need nothing but Python's own library."""

import contextlib
import datetime
import io
import json
import re
import sys
import tempfile
import tomllib
from pathlib import Path

REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"
# An older copy of the database says little about today.
OLDEST = datetime.timedelta(days=180)


def fail(problems):
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    return 1 if problems else 0


# Dependencies


def direct(metadata):
    """The root package's own dependencies, as (kind, name)."""
    (package,) = metadata["packages"]
    return {(dependency["kind"] or "normal", dependency["name"]) for dependency in package["dependencies"]}


def allowed(path):
    lines = (line.split("#")[0].split() for line in Path(path).read_text().splitlines())
    return {tuple(line) for line in lines if line}


def dependencies(metadata, path):
    found, may = direct(metadata), allowed(path)
    problems = [f"{name} ({kind}) is not in {path}" for kind, name in sorted(found - may)]
    problems += [f"{name} ({kind}) is in {path} and not needed" for kind, name in sorted(may - found)]
    (package,) = metadata["packages"]
    for dependency in package["dependencies"]:
        if dependency["source"] != REGISTRY:
            problems.append(f"{dependency['name']} comes from elsewhere than crates.io")
        if dependency["req"].strip() in ("*", ""):
            problems.append(f"{dependency['name']} may be of any version")
    print(f"{len(found)} direct dependencies, as decided" if not problems else f"{len(found)} direct dependencies")
    return problems


def packages(lock):
    return tomllib.loads(Path(lock).read_text()).get("package", [])


def sources(locks):
    problems = []
    for lock in locks:
        found = packages(lock)
        for package in found:
            source = package.get("source")
            # Without a source it is this tree's own.
            if source is not None and (source != REGISTRY or "checksum" not in package):
                problems.append(f"{lock}: {package['name']} is not from crates.io with a checksum")
        names = [package["name"] for package in found]
        twice = sorted({name for name in names if names.count(name) > 1})
        print(f"{lock}: {len(found)} packages" + (f"; in several versions: {', '.join(twice)}" if twice else ""))
    return problems


def licences(metadata, config):
    decided = tomllib.loads(Path(config).read_text())["licenses"]
    exceptions = {one["crate"]: set(one["allow"]) for one in decided.get("exceptions", [])}
    problems = []
    for package in metadata["packages"]:
        may = exceptions.get(package["name"], set()).union(decided["allow"])
        said = (package.get("license") or "none").replace("/", " OR ")
        # "A AND (B OR C)": every part of AND needs one of its own OR.
        parts = [re.split(r"\s+OR\s+", part.strip("() ")) for part in re.split(r"\s+AND\s+", said)]
        if not all(any(name.strip("() ") in may for name in part) for part in parts):
            problems.append(f"{package['name']}: {said}")
    print(f"licences of {len(metadata['packages'])} packages")
    return problems


# Advisories


def version(text):
    """As SemVer orders it: a pre-release comes before its release."""
    core, _, _ = text.partition("+")
    core, _, pre = core.partition("-")
    numbers = [int(part) for part in core.split(".")]
    identifiers = [(0, int(i), "") if i.isdigit() else (1, 0, i) for i in pre.split(".")] if pre else []
    return numbers + [0] * (3 - len(numbers)), not pre, identifiers


def satisfies(said, requirement):
    """Whether a version is within `>= 1.2, < 2`, `^1.2`, `~1.2`, `=1.2`, `1.2.*`: all parts must hold."""
    return all(satisfies_part(said, part.strip()) for part in requirement.split(",") if part.strip())


def satisfies_part(said, part):
    operator, text = re.fullmatch(r"(>=|<=|>|<|=|\^|~)?\s*(\S+)", part).groups()
    if text in ("*", "x"):
        return True
    text = re.sub(r"(\.[*x])+$", "", text)
    here, there = version(said), version(text)
    given = len(text.partition("-")[0].split("."))
    if operator in (None, "^", "~", "=") and (operator != "=" or given < 3):
        fixed = given
        if operator in (None, "^") and part[-1] not in "*x":
            significant = [i for i, number in enumerate(there[0][:given]) if number]
            fixed = significant[0] + 1 if significant else given
        elif operator == "~":
            fixed = min(given, 2)
        return here >= there and here[0][:fixed] == there[0][:fixed]
    return {
        ">=": here >= there,
        "<=": here <= there,
        ">": here > there,
        "<": here < there,
        "=": here == there,
    }[operator]


def front_matter(path):
    """The TOML block that an advisory begins with."""
    text = path.read_text()
    found = re.match(r"\s*```toml\n(.*?)\n```", text, re.DOTALL)
    if not found:
        raise ValueError(f"{path.name} does not begin as an advisory does")
    return tomllib.loads(found[1])


def database(folder):
    """Every advisory by the package it is about, and the date of the newest."""
    by_package, newest, count = {}, "", 0
    for path in sorted(Path(folder).glob("crates/*/*.md")):
        advisory = front_matter(path)
        about = advisory["advisory"]
        by_package.setdefault(about["package"], []).append(advisory)
        newest = max(newest, about["date"])
        count += 1
    return by_package, newest, count


def matches(advisories, package):
    for advisory in advisories.get(package["name"], []):
        about, versions = advisory["advisory"], advisory.get("versions", {})
        ranges = versions.get("patched", []) + versions.get("unaffected", [])
        if "withdrawn" not in about and not any(satisfies(package["version"], one) for one in ranges):
            yield about


def advisories(folder, locks, own, today=None):
    by_package, newest, count = database(folder)
    if not count:
        return [f"{folder} holds no advisories"]
    print(f"{count} advisories, the newest of {newest}")
    problems = []
    age = (today or datetime.date.today()) - datetime.date.fromisoformat(newest)
    if age > OLDEST:
        problems.append(f"the copy of the database is {age.days} days old: get a newer one")
    for lock in locks:
        for package in packages(lock):
            if package.get("source") is None:
                continue
            for about in matches(by_package, package):
                kind = about.get("informational")
                title = f"{lock}: {package['name']} {package['version']}: {about['id']} ({kind or 'vulnerability'})"
                # Others' unmaintained packages are theirs to replace.
                if kind is None or kind == "unsound" or kind == "unmaintained" and package["name"] in own:
                    problems.append(title)
                else:
                    print(f"note: {title}")
    if not problems:
        print("no finding")
    return problems


# That all of it can fail


ADVISORY = """```toml
[advisory]
id = "RUSTSEC-2026-{number}"
package = "{package}"
date = "2026-01-0{number}"
{more}

[versions]
patched = {patched}
{unaffected}
```

# Made up
"""


def self_test():
    for said, requirement, expected in [
        ("0.3.36", ">= 0.3.47", False),
        ("0.3.47", ">= 0.3.47", True),
        ("1.2.3", ">= 1.0, < 1.2.3", False),
        ("1.2.2", ">= 1.0, < 1.2.3", True),
        ("1.9.0", "^1.2", True),
        ("2.0.0", "^1.2", False),
        ("0.2.9", "^0.2.3", True),
        ("0.3.0", "^0.2.3", False),
        ("0.0.4", "^0.0.3", False),
        ("1.2.9", "~1.2.3", True),
        ("1.3.0", "~1.2", False),
        ("0.2.0", "=0.2.0", True),
        ("0.2.1", "=0.2.0", False),
        ("1.2.7", "1.2.*", True),
        ("1.3.0", "1.2.*", False),
        ("1.0.0-rc.1", ">= 1.0.0", False),
        ("1.0.0-rc.2", "> 1.0.0-rc.1", True),
        ("1.0.0-rc.10", "> 1.0.0-rc.9", True),
        ("1.0.0+build", "=1.0.0", True),
    ]:
        assert satisfies(said, requirement) is expected, (said, requirement)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        planted = [
            ("time", "", '[">= 0.3.47"]', 'unaffected = ["< 0.3.6"]'),
            ("quiet", 'informational = "unsound"', "[]", ""),
            ("gone", 'withdrawn = "2026-02-01"', "[]", ""),
            ("old", 'informational = "unmaintained"', "[]", ""),
        ]
        for number, (package, more, patched, unaffected) in enumerate(planted, 1):
            place = folder / "crates" / package
            place.mkdir(parents=True)
            text = ADVISORY.format(number=number, package=package, more=more, patched=patched, unaffected=unaffected)
            (place / "RUSTSEC.md").write_text(text)
        lock = folder / "Cargo.lock"

        def found(own, *locked, day=1):
            lock.write_text(
                "version = 4\n"
                + "".join(
                    f'[[package]]\nname = "{name}"\nversion = "{number}"\nsource = "{REGISTRY}"\nchecksum = "0"\n'
                    for name, number in locked
                )
            )
            return len(advisories(folder, [lock], own, datetime.date(2026, 3, 1) + datetime.timedelta(days=day)))

        assert found([], ("time", "0.3.36")) == 1, "a vulnerable version"
        assert found([], ("time", "0.3.47"), ("time", "0.3.5"), ("other", "1.0.0")) == 0, "others"
        assert found([], ("quiet", "1.0.0")) == 1, "an unsound one"
        assert found([], ("gone", "1.0.0")) == 0, "a withdrawn advisory"
        assert found([], ("old", "1.0.0")) == 0 and found(["old"], ("old", "1.0.0")) == 1, "an unmaintained one"
        assert found([], day=400) == 1, "an old database"
        lock.write_text('[[package]]\nname = "x"\nversion = "1.0.0"\nsource = "git+https://example.test/x"\n')
        assert len(sources([lock])) == 1, "another source"
        list_file = folder / "dependencies"
        list_file.write_text("# Why.\nnormal serde\ndev tempfile\n")
        wanted = {"kind": None, "name": "serde", "source": REGISTRY, "req": "^1"}

        def wrong(*found):
            return len(dependencies({"packages": [{"dependencies": found}]}, list_file))

        tempfile_ = {**wanted, "kind": "dev", "name": "tempfile"}
        assert wrong(wanted, tempfile_) == 0
        assert wrong(wanted) == 1, "one that is not needed"
        assert wrong(wanted, tempfile_, {**wanted, "name": "serde_jsom"}) == 1, "one that was not decided"
        assert wrong({**wanted, "source": "git+https://example.test/x"}, tempfile_) == 1, "one from elsewhere"
        assert wrong({**wanted, "req": "*"}, tempfile_) == 1, "one of any version"


def main(command, *arguments):
    if command == "dependencies":
        return fail(dependencies(json.load(sys.stdin), *arguments))
    if command == "sources":
        return fail(sources(arguments))
    if command == "licences":
        return fail(licences(json.load(sys.stdin), *arguments))
    if command == "advisories":
        own = {name for _, name in direct(json.load(sys.stdin))}
        return fail(advisories(arguments[0], arguments[1:], own))
    with contextlib.redirect_stdout(io.StringIO()):
        self_test()
    print("self-test: ok")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
