//! Writes `docs/benchmarks.md`: machine and versions, all tables with their explanations, and `tests/bench/notes.md`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use time::OffsetDateTime;

use crate::keychain::version;
use crate::programs::Options;
use crate::report::Report;
use crate::table::Table;

pub fn write(options: &Options, report: &Report) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let notes = fs::read_to_string(root.join("tests/bench/notes.md")).unwrap_or_default();
    let mut page = format!(
        "{HEAD}\n{}\n{BUDGETS}\n{}\n{BUILDS}\n",
        machine(options),
        report.budgets()
    );
    for section in &report.sections {
        write!(
            page,
            "## {}\n\n{}\n\n{}\n",
            section.title, section.text, section.table
        )
        .unwrap();
    }
    page.push_str(&notes);
    let page = page.trim_end().to_owned() + "\n";
    fs::write(root.join("docs/benchmarks.md"), page).unwrap();
    fs::write(
        root.join("docs/images/benchmarks.svg"),
        crate::chart::draw(&report.figures),
    )
    .unwrap();
    println!("wrote docs/benchmarks.md and docs/images/benchmarks.svg");
}

/// Where and when it was measured, and with which versions.
fn machine(options: &Options) -> Table {
    let mut table = Table::new(&["", "measured with"]);
    let mut row = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            table.row([name.to_owned(), value.trim().to_owned()]);
        }
    };
    let now = OffsetDateTime::now_utc();
    row(
        "date",
        Some(format!("{} {} {}", now.day(), now.month(), now.year())),
    );
    row("processors", processors());
    row(
        "memory",
        field("/proc/meminfo", "MemTotal:").and_then(|size| gibibytes(&size)),
    );
    row(
        "system",
        field("/etc/os-release", "PRETTY_NAME=").map(|name| name.replace('"', "")),
    );
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    row(
        "kernel",
        kernel
            .split('-')
            .next()
            .map(|number| format!("Linux {number}")),
    );
    row(
        "file system of the test files",
        output(
            "findmnt",
            &[
                "--noheadings",
                "--output",
                "FSTYPE",
                "--target",
                options.folder.to_str().unwrap(),
            ],
        ),
    );
    row("git-credential-pat", Some(commit()));
    row("Rust", output("rustc", &["--version"]));
    row("git", version("git"));
    let libsecret = options
        .libsecret
        .as_ref()
        .and_then(|program| fs::read_to_string(program.with_file_name("version")).ok());
    row(
        "git-credential-libsecret",
        libsecret.map(|version| version.replace("git_", "from git ")),
    );
    row("gnome-keyring", version("gnome-keyring-daemon"));
    row("gh", version("gh"));
    row("valgrind", version("valgrind"));
    table
}

/// The version of the program, and the commit if there is one.
fn commit() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let commit = output(
        "git",
        &[
            "-C",
            env!("CARGO_MANIFEST_DIR"),
            "rev-parse",
            "--short=10",
            "HEAD",
        ],
    );
    commit.map_or_else(
        || version.to_owned(),
        |commit| format!("{version}, commit {commit}"),
    )
}

fn processors() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let count = text
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let model = text.lines().find(|line| line.starts_with("model name"));
    let model = model
        .and_then(|line| line.split(": ").nth(1))
        .unwrap_or("unknown model");
    Some(format!("{count} × {model}"))
}

/// The rest of the first line that begins with `name`.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(rest.trim().to_owned())
}

fn gibibytes(kibibytes: &str) -> Option<String> {
    let kibibytes: f64 = kibibytes.strip_suffix(" kB")?.parse().ok()?;
    Some(format!("{:.0} GiB", kibibytes / f64::from(1 << 20)))
}

fn output(program: &str, words: &[&str]) -> Option<String> {
    let output = Command::new(program).args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

const HEAD: &str = "\
# Benchmarks

<!-- tests/bench/run writes this page. Change the texts in tests/bench, not here. -->

git starts the helper once for every question, so the whole process counts. `tests/bench/run` builds the release programs,
measures them beside git's own helpers, and writes this page.

    tests/bench/run                # all of it; the machine should have nothing else to do
    tests/bench/run --quick        # fewer runs; prints the tables, writes nothing
    tests/bench/guard              # only instructions and page faults, compared with tests/bench/limits

The programs take turns in every round, and each round begins with another one. A busy moment then affects all of them alike.
Times differ from machine to machine. Ratios of medians differ less, and counts of instructions and page faults least.

![Bars: the time of git-credential-pat as a part of the time of git's own helper](images/benchmarks.svg)
";

const BUDGETS: &str = "\
## Figures and budgets

A ratio is the median time of git-credential-pat over the median time of git's own helper, measured in the same run.
At 0.50, git-credential-pat takes half of the time. The budgets are for the static musl build; two of them are also for the
static gnu build.
";

const BUILDS: &str = "\
`install.sh` makes the static musl build where Rust's musl target and `musl-gcc` are installed, and otherwise the static gnu
build. Neither needs the dynamic loader, whose work takes longer than the rest of a `get`. The difference between the two is
their C library: glibc's code is larger, and it sets up more before `main`. From there on, both run the same code.
";
