//! `--verbose`, `--quiet` and `GIT_CREDENTIAL_PAT_TRACE`: each step, no secret, and no change of anything else.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use git_credential_pat::cli::command_line;

use crate::attributes::{Answer, lines};
use crate::flow::{Flow, NEW_TOKEN, ours};
use crate::forge::work::{Work, in_days};
use crate::forge::{Speaks, Token};
use crate::git;
use crate::process::{self, Output};
use crate::sandbox::Sandbox;
use crate::terminal::Session;
use crate::tool;

const VARIABLE: &str = "GIT_CREDENTIAL_PAT_TRACE";
/// The first git that hands `state[]` back.
const KNOWS_STATE: (u32, u32) = (2, 46);
/// A part of every secret.
const MARKER: &str = "MARKER";

const SITE: [(&str, &str); 2] = [("protocol", "https"), ("host", "one.test")];
const CAPABILITIES: [(&str, &str); 2] = [("capability[]", "state"), ("capability[]", "authtype")];

/// The lines of a trace without time, process and elapsed time, which every line must have.
#[track_caller]
fn steps(trace: &str) -> Vec<String> {
    let mut steps = Vec::new();
    for line in trace.lines() {
        let mut words = line.splitn(5, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (time, process, elapsed, unit, step) = (word(), word(), word(), word(), word());
        let is_time = time.len() == "12:03:04.123456".len()
            && time
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b":.".contains(&byte));
        let number = process
            .strip_prefix('[')
            .and_then(|word| word.strip_suffix(']'));
        let is_process = number.is_some_and(|number| number.parse::<u32>().is_ok());
        let elapsed = elapsed.strip_prefix('+').map(str::parse::<f64>);
        let is_elapsed = matches!(elapsed, Some(Ok(_))) && unit == "ms";
        assert!(
            is_time && is_process && is_elapsed,
            "not a line of a trace: {line}"
        );
        steps.push(step.to_owned());
    }
    steps
}

/// Finds each of `expected` in `trace`, one after the other.
#[track_caller]
fn tells_in_order(trace: &str, expected: &[&str]) {
    let steps = steps(trace);
    let mut rest = steps.iter();
    for text in expected {
        let is_there = rest.any(|step| step.contains(text));
        assert!(is_there, "not told, or not in this order: {text}\n{trace}");
    }
}

/// The server rejects the token of `bob`; the same command gets that of `alice`. Returns the trace of the second `get`.
fn second_chance(sandbox: &Sandbox, host: &str) -> String {
    let trace = sandbox.path("trace");
    let site = [("protocol", "https"), ("host", host)];
    for (username, password) in [("alice", "made-up-1"), ("bob", "made-up-2")] {
        let named = [("username", username), ("password", password)];
        let request = lines(&[&site[..], &named].concat());
        sandbox.ask("--storage file store", &request).succeeded();
    }
    let ask = |more: &[(&str, &str)]| {
        let request = lines(&[&site, &CAPABILITIES, more].concat());
        let mut get = sandbox.helper("--storage memory,file get");
        let answer = process::run(get.env(VARIABLE, &trace), &request).succeeded();
        assert!(!answer.stderr.contains("] +"), "{answer:?}");
        Answer::read(&answer.stdout)
    };
    let first = ask(&[]);
    assert_eq!(first.get("username"), Some("bob"));
    let state = first.get("state[]").unwrap();
    fs::write(&trace, "").unwrap();
    let second = ask(&[("username", "bob"), ("state[]", state)]);
    assert_eq!(second.get("username"), Some("alice"));
    fs::read_to_string(trace).unwrap()
}

#[test]
fn the_trace_of_a_second_chance_tells_what_happened() {
    let sandbox = Sandbox::new();
    let trace = second_chance(&sandbox, "one.test");
    tells_in_order(
        &trace,
        &[
            "start: git-credential-pat ",
            "config.toml does not exist",
            "settings: storage memory,file, by the option --storage",
            "get: request: protocol=https host=one.test username=present",
            "get: capability[]: authtype, state; state[]: our first answer in this command",
            "get: our first answer came back: the server has rejected it, so it is removed",
            "memory: asked for https://one.test (one user): no entry (",
            "file: asked for https://one.test (one user): bob, expiry unknown (",
            "journal: marks 1 secret as rejected",
            "journal: written (",
            "file: removed 1 entry with this secret for https://one.test (one user) (",
            "get: the first query was for any user, so an entry of any user may answer now",
            "file: asked for https://one.test (any user): alice, expiry unknown (",
            "get: the answer is alice at https://one.test, expiry unknown",
            "get: the last answer: if the server rejects it, the command fails",
            "end: the command succeeded",
        ],
    );
}

/// The steps without the time that each took.
fn untimed(trace: &str) -> Vec<String> {
    let mut untimed = steps(trace);
    for step in &mut untimed {
        if let Some((text, _)) = step
            .rsplit_once(" (")
            .filter(|(_, end)| end.ends_with(" ms)"))
        {
            *step = text.to_owned();
        }
    }
    untimed
}

#[test]
fn the_example_in_the_manual_is_a_real_trace() {
    let manual = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/manual.md"));
    let manual = manual.unwrap();
    let (_, section) = manual.split_once("\n## Tracing\n").unwrap();
    let (_, example) = section.split_once("```text\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let sandbox = Sandbox::new();
    let trace = second_chance(&sandbox, "example.com");
    let folder = sandbox.path("config").display().to_string();
    let trace = trace.replace(&folder, "/home/octocat/.config");
    let trace = trace.replace(env!("CARGO_PKG_VERSION"), "0.1.0");
    assert_eq!(untimed(example), untimed(&trace));
}

/// git itself, with a token that was revoked, and a new one that is typed.
#[test]
fn the_trace_of_gits_own_calls_goes_to_a_file() {
    for git in git::all().iter().filter(|git| git.version >= KNOWS_STATE) {
        let flow = Flow::new(&ours("memory"), false, git);
        flow.git(&["clone", "--quiet", &flow.server.url("basic"), "r"])
            .succeeded();
        flow.server.takes(&flow.sandbox, NEW_TOKEN);
        flow.askpass.answers("alice", NEW_TOKEN);
        let trace = flow.sandbox.path("trace");
        let mut fetch = flow.command(&["-C", "r", "fetch"]);
        process::run(fetch.env(VARIABLE, &trace), b"").succeeded();
        let trace = fs::read_to_string(trace).unwrap();
        tells_in_order(
            &trace,
            &[
                " get --storage memory",
                "get: the answer is alice at https://localhost",
                "get: the first answer: if the server rejects it, git asks again",
                "end: the command succeeded",
                " get --storage memory",
                "get: our first answer came back",
                "journal: marks 1 secret as rejected",
                "memory: removed 1 entry with this secret",
                "get: no other entry can be answered: git asks the next helper or the user",
                " store --storage memory",
                "username=alice password=present",
                "git confirms it, and its source is unknown; no other valid secret is stored; so it is stored",
                "memory: has stored alice at https://localhost",
            ],
        );
    }
}

/// The requests of git with a marker in each place that may hold a secret.
fn secret_requests() -> Vec<Vec<u8>> {
    let bearer = format!("Bearer realm=\"{MARKER}\"");
    let basic = format!("Basic realm=\"{MARKER}\"");
    let start = [
        ("protocol", "https"),
        ("host", "one.test"),
        ("capability[]", "state"),
        ("capability[]", "authtype"),
        ("wwwauth[]", &bearer),
        ("wwwauth[]", &basic),
        ("state[]", MARKER),
    ];
    let mut requests = Vec::new();
    for rest in [
        &[("username", "alice"), ("password", MARKER)][..],
        &[
            ("username", "alice"),
            ("password", MARKER),
            ("oauth_refresh_token", MARKER),
        ],
        &[
            ("username", "bob"),
            ("password", MARKER),
            ("password_expiry_utc", "1000"),
        ],
        &[
            ("username", "bob"),
            ("password", MARKER),
            ("password_expiry_utc", MARKER),
        ],
        &[
            ("username", "ghp_MARKERmadeup0123456789"),
            ("password", "x-oauth-basic"),
        ],
        &[("username", MARKER), ("password", "x-oauth-basic")],
        &[("authtype", "Bearer"), ("credential", MARKER)],
        &[
            ("authtype", "Bearer"),
            ("credential", MARKER),
            ("ephemeral", "1"),
        ],
    ] {
        requests.push(lines(&[&start[..], rest].concat()));
    }
    requests.push(format!("url=https://alice:{MARKER}@two.test\n\n").into_bytes());
    requests.push(format!("url=https://ghp_{MARKER}madeup0123456789@two.test\n\n").into_bytes());
    requests.push(format!("protocol=https\nhost=one.test\n{MARKER}\n\n").into_bytes());
    requests
}

/// After the operations for git, every command. With `--show`, at a terminal.
const COMMANDS: [&str; 40] = [
    "capability",
    "status",
    "status --json",
    "status https://one.test",
    "list --json",
    "check",
    "check --json",
    "check --notify",
    "expires https://one.test 40d",
    "list https://one.test --storage all --sort used --json",
    "import --dry-run",
    "import --yes --replace git-store",
    "import --yes env:MADE_UP --url https://three.test",
    "rotate https://one.test",
    "clean --dry-run",
    "clean --yes",
    "doctor",
    "doctor https://one.test",
    "setup --dry-run",
    "setup --reminder --dry-run",
    "setup --undo --dry-run",
    "cache status",
    "login --with-token https://alice@four.test",
    "token https://four.test",
    "token https://four.test --show",
    "account add https://four.test/acme ghp_MARKERmadeup0123456789",
    "account add https://four.test/acme alice",
    "account list",
    "account list --json",
    "account remove https://four.test/acme",
    "completions bash",
    "help list",
    "logout --dry-run https://one.test",
    "logout --yes https://one.test",
    "logout --dry-run --all",
    "logout --all --yes",
    "check",
    "status",
    "cache clear",
    "cache stop",
];

/// Gives each command line and its input to `ask`.
fn every_command(mut ask: impl FnMut(&str, &[u8])) {
    for request in secret_requests() {
        for operation in ["store", "get", "store", "store", "erase", "get", "store"] {
            ask(operation, &request);
        }
        ask("list", b"");
    }
    ask("expires https://one.test 2020-01-01", b"");
    ask("get", &lines(&SITE));
    let token = format!("{MARKER}-typed-0123456789\n");
    for command in COMMANDS {
        ask(command, token.as_bytes());
    }
}

/// The names of all commands without subcommands, such as `account add`.
fn leaves(command: &clap::Command, name: &str, all: &mut Vec<String>) {
    for inner in command.get_subcommands() {
        let name = format!("{name}{}", inner.get_name());
        if inner.has_subcommands() {
            leaves(inner, &format!("{name} "), all);
        } else {
            all.push(name);
        }
    }
}

#[test]
fn every_command_is_traced_here() {
    let mut missing = Vec::new();
    leaves(&command_line(), "", &mut missing);
    assert!(missing.contains(&"account add".to_owned()), "{missing:?}");
    every_command(|words, _| {
        missing.retain(|name| words != name && !words.starts_with(&format!("{name} ")));
    });
    assert!(missing.is_empty(), "{missing:?}");
}

#[track_caller]
fn no_trace_has_a_secret(storage: &str) {
    let mut sandbox = Sandbox::new();
    if storage == "keychain" {
        sandbox.start_keyring();
    }
    let trace = sandbox.path("trace");
    let kept =
        format!("https://alice:{MARKER}@five.test\nhttps://{MARKER}:x-oauth-basic@six.test\n");
    fs::write(sandbox.path("home/.git-credentials"), kept).unwrap();
    every_command(|words, input| {
        let option = if words.contains("--storage") {
            String::new()
        } else {
            format!("--storage {storage}")
        };
        let mut helper = sandbox.helper(&format!("-v {option} {words}"));
        helper.env("MADE_UP", format!("{MARKER}-variable-0123456789"));
        helper.env(VARIABLE, &trace);
        let (printed, shown) = if words.contains("--show") {
            let (_, shown) = Session::start(&helper).finish();
            (shown.clone(), shown)
        } else {
            let output = process::run(&mut helper, input);
            (
                String::from_utf8_lossy(&output.stdout).into(),
                output.stderr,
            )
        };
        let told: String = shown
            .lines()
            .filter(|line| line.contains("] +"))
            .map(|line| format!("{line}\n"))
            .collect();
        assert!(!told.contains(MARKER), "{words}:\n{told}");
        assert!(!steps(&told).is_empty(), "{words}: {shown}");
        if words.starts_with("token ") {
            assert!(printed.contains(MARKER), "{words}: {shown}");
        }
    });
    let text = fs::read_to_string(trace).unwrap();
    assert!(!text.contains(MARKER), "{text}");
    assert!(steps(&text).len() > 100);
    for told in [
        &format!("{storage}: has stored alice at https://one.test")[..],
        "choice: skips ",
        "username=***",
        "password=present",
        "source: read git-store: 2 credentials",
        "not stored: ",
    ] {
        assert!(text.contains(told), "{told}:\n{text}");
    }
}

#[test]
fn a_secret_is_in_no_trace_of_memory() {
    no_trace_has_a_secret("memory");
}

#[test]
fn a_secret_is_in_no_trace_of_the_file() {
    no_trace_has_a_secret("file");
}

#[test]
fn a_secret_is_in_no_trace_of_the_keychain() {
    no_trace_has_a_secret("keychain");
}

/// A sandbox with a token in the file storage, and `get` for it with the variable set to `value`.
fn get_with(sandbox: &Sandbox, value: &Path) -> Output {
    let mut get = sandbox.helper("--storage file get");
    process::run(get.env(VARIABLE, value), &lines(&SITE))
}

fn with_token() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.store_in_file("https://one.test", "alice");
    sandbox
}

#[test]
fn an_unsuitable_file_gets_no_trace() {
    let sandbox = with_token();
    let place = |name: &str| sandbox.path(name);
    fs::write(place("target"), "").unwrap();
    symlink(place("target"), place("link")).unwrap();
    symlink(place("nothing"), place("dangling")).unwrap();
    fs::create_dir(place("folder")).unwrap();
    fs::write(place("readable"), "before\n").unwrap();
    fs::set_permissions(place("readable"), fs::Permissions::from_mode(0o644)).unwrap();
    let mkfifo = tool::need("mkfifo");
    let mut make = sandbox.command(mkfifo);
    process::run(make.arg("-m").arg("600").arg(place("fifo")), b"").succeeded();
    let without = sandbox.ask("--storage file get", &lines(&SITE)).succeeded();
    for (value, reason) in [
        (place("link"), "is a link, not a file"),
        (place("dangling"), "is a link, not a file"),
        (place("folder"), "is not a plain file"),
        (place("fifo"), "is not a plain file"),
        (PathBuf::from("/dev/null"), "is not a plain file"),
        (place("readable"), "is open to other users"),
        (place("nowhere/trace"), "cannot open"),
        (PathBuf::from("trace"), "is neither 1 nor an absolute path"),
        (PathBuf::from("yes"), "is neither 1 nor an absolute path"),
    ] {
        let output = get_with(&sandbox, &value).succeeded();
        assert_eq!(output.stdout, without.stdout, "{value:?}");
        let warnings: Vec<&str> = output.stderr.lines().collect();
        assert_eq!(warnings.len(), 2, "{value:?}: {output:?}");
        assert!(
            warnings[0].starts_with("warning: no trace is written: "),
            "{output:?}"
        );
        assert!(warnings[0].contains(reason), "{value:?}: {output:?}");
        assert!(warnings[1].starts_with("hint: "), "{output:?}");
    }
    assert_eq!(fs::read_to_string(place("target")).unwrap(), "");
    assert_eq!(fs::read_to_string(place("readable")).unwrap(), "before\n");
    assert!(!place("nothing").exists());
    assert!(!place("work/trace").exists());
}

/// A pipe with a reader could be opened; no line goes into it.
#[test]
fn a_pipe_with_a_reader_gets_no_trace() {
    let sandbox = with_token();
    let fifo = sandbox.path("fifo");
    let mut make = sandbox.command(tool::need("mkfifo"));
    process::run(make.arg("-m").arg("600").arg(&fifo), b"").succeeded();
    let reader = fs::File::options()
        .read(true)
        .write(true)
        .open(&fifo)
        .unwrap();
    let output = get_with(&sandbox, &fifo).succeeded();
    assert!(output.stderr.contains("is not a plain file"), "{output:?}");
    drop(reader);
}

#[test]
fn a_new_file_is_closed_to_others_and_an_old_one_grows() {
    let sandbox = with_token();
    let trace = sandbox.path("trace");
    get_with(&sandbox, &trace).succeeded();
    let mode = fs::metadata(&trace).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let first = fs::read_to_string(&trace).unwrap();
    get_with(&sandbox, &trace).succeeded();
    let both = fs::read_to_string(&trace).unwrap();
    assert!(both.starts_with(&first) && both.len() > first.len());
    steps(&both);
}

#[test]
fn lines_of_processes_at_once_stay_whole() {
    let sandbox = with_token();
    let trace = sandbox.path("trace");
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    get_with(&sandbox, &trace).succeeded();
                }
            });
        }
    });
    let text = fs::read_to_string(&trace).unwrap();
    let all = steps(&text);
    for step in [
        "start: ",
        "get: the answer is alice",
        "end: the command succeeded",
    ] {
        let count = all.iter().filter(|line| line.starts_with(step)).count();
        assert_eq!(count, 40, "{step}");
    }
}

#[test]
fn without_the_variable_nothing_is_traced() {
    let sandbox = with_token();
    for value in [None, Some(""), Some("0"), Some("false")] {
        let mut get = sandbox.helper("--storage file get");
        if let Some(value) = value {
            get.env(VARIABLE, value);
        }
        let output = process::run(&mut get, &lines(&SITE)).succeeded();
        assert_eq!(output.stderr, "", "{value:?}");
    }
}

#[test]
fn the_variable_and_verbose_tell_the_same_and_change_nothing_else() {
    let sandbox = with_token();
    let plain = sandbox.ask("--storage file get", &lines(&SITE)).succeeded();
    let mut by_variable = sandbox.helper("--storage file get");
    let by_variable = process::run(by_variable.env(VARIABLE, "1"), &lines(&SITE)).succeeded();
    assert_eq!(by_variable.stdout, plain.stdout);
    for words in [
        "-v --storage file get",
        "--storage file --verbose get",
        "--storage file get -v",
    ] {
        let verbose = sandbox.ask(words, &lines(&SITE)).succeeded();
        assert_eq!(verbose.stdout, plain.stdout, "{words}");
        assert_eq!(
            untimed(&verbose.stderr),
            untimed(&by_variable.stderr),
            "{words}"
        );
    }
    let wrong = sandbox.ask("-v logout https://nowhere.test", b"");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        wrong.stderr.contains("end: the command failed: "),
        "{wrong:?}"
    );
}

/// A terminal that shows nothing more, such as after Ctrl-S, or a reader that has stopped.
#[test]
fn a_reader_that_has_stopped_holds_up_nothing() {
    let sandbox = with_token();
    let (_reader, mut full) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&full, true).unwrap();
    while full.write(&[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&full, false).unwrap();
    let mut get = sandbox.helper("-v --storage file get");
    get.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(full);
    let mut child = get.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&lines(&SITE))
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(Answer::read(&output.stdout).get("username"), Some("alice"));
}

#[test]
fn quiet_leaves_out_warnings_hints_and_confirmations() {
    let sandbox = with_token();
    let soon = [
        ("username", "bob"),
        ("password", "made-up"),
        ("password_expiry_utc", "1000"),
    ];
    let past = lines(&[&SITE[..], &soon].concat());
    let told = sandbox.ask("--storage file store", &past).succeeded();
    assert!(told.stderr.contains("warning: "), "{told:?}");
    for words in ["-q --storage file store", "--storage file store --quiet"] {
        let quiet = sandbox.ask(words, &past).succeeded();
        assert_eq!((quiet.text(), quiet.stderr), (String::new(), String::new()));
    }
    let list = sandbox.ask("--storage file list", b"").succeeded().text();
    assert_eq!(
        sandbox
            .ask("-q --storage file list", b"")
            .succeeded()
            .text(),
        list
    );
    let expires = "--storage file expires https://one.test 40d";
    assert!(
        sandbox
            .ask(expires, b"")
            .succeeded()
            .text()
            .contains("expires on")
    );
    let quiet = sandbox.ask(&format!("{expires} -q"), b"").succeeded();
    assert_eq!((quiet.text(), quiet.stderr), (String::new(), String::new()));
    let quiet = sandbox
        .ask("-q --storage file logout https://one.test", b"")
        .succeeded();
    assert_eq!((quiet.text(), quiet.stderr), (String::new(), String::new()));
    let wrong = sandbox.ask("-q --storage file logout https://one.test", b"");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(wrong.stderr.starts_with("error: "), "{wrong:?}");
    assert!(!wrong.stderr.contains("hint: "), "{wrong:?}");
}

#[test]
fn verbose_and_quiet_together_are_an_error() {
    let sandbox = Sandbox::new();
    for words in [
        "-v -q list",
        "-v list -q",
        "list -q -v",
        "-v -q get",
        "--quiet get --verbose",
    ] {
        let output = sandbox.ask(words, &lines(&SITE));
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(output.stderr.contains("cannot be used with"), "{output:?}");
    }
}

#[test]
fn they_are_no_options_of_the_helper() {
    let sandbox = Sandbox::new();
    sandbox.configure_git(&format!("[credential]\n\thelper = {} -q\n", ours("file")));
    sandbox.store_in_file("https://one.test", "alice");
    // With git's options, the file storage: neither option here replaces them.
    for words in ["list --json", "list --json -v", "-q list --json"] {
        assert!(sandbox.ask(words, b"").text().contains("alice"), "{words}");
    }
    let setup = Sandbox::new().ask("-v --storage file setup --dry-run", b"");
    let line = setup.succeeded().text();
    assert!(line.contains("--storage"), "{line}");
    for option in ["-v", "verbose"] {
        assert!(!line.contains(option), "{line}");
    }
}

/// The look-up in the background writes to the same file, and `check` to standard error.
#[test]
fn a_request_to_a_forge_is_told_without_its_query_and_the_token() {
    let secret = format!("ghp_{MARKER}madeup0123456789");
    let work = Work::with(Speaks::GitHub);
    let token = Token::new("classic", &secret).ends(in_days(100));
    let ends = token.ends.unwrap();
    work.forge.issue(token);
    let trace = work.sandbox.path("trace");
    let request = work.credential("alice", &secret);
    process::run(work.command("store").env(VARIABLE, &trace), &request).succeeded();
    work.wait_for_end(ends);
    let is_done = process::until_within(process::DEADLINE, || {
        fs::read_to_string(&trace).is_ok_and(|text| text.contains("set the expiry"))
    });
    let text = fs::read_to_string(&trace).unwrap();
    assert!(is_done && !text.contains(MARKER), "{text}");
    tells_in_order(
        &text,
        &[
            "look-up: a background process asks the forge for the expiry",
            "with the token: status 200 (",
            "the token works (",
            "file: has set the expiry of alice",
        ],
    );
    let checked = work.ask("-v check", b"").succeeded();
    assert!(!checked.stderr.contains(MARKER), "{checked:?}");
    tells_in_order(
        &checked.stderr,
        &["look-up: asked GitHub about alice", "end: "],
    );
}
