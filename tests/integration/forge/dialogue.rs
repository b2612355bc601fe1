//! Questions at a real terminal: what shows while somebody types, and how the terminal is left, whatever happens.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, SpecialCodeIndex, Termios};

use super::work::Work;
use super::{Manner, Speaks, Token};
use crate::process::until;
use crate::sandbox::PROGRAM;
use crate::terminal::Session;
use crate::tool;

const CLASSIC: &str = "ghp_classic0123456789";
const USERNAME: &str = "Username for https://";
const PROMPT: &str = "Token (not shown): ";

/// The program with `words` in a shell that outlives it: "status N" is the last thing shown.
struct Shelled {
    session: Session,
}

impl Shelled {
    fn start(work: &Work, words: &str) -> Self {
        Self::under(work, "", words)
    }

    /// `first`: what the shell does before.
    fn under(work: &Work, first: &str, words: &str) -> Self {
        let line = format!(
            "{first} sh -c 'echo \"pid $$.\"; exec \"$@\"' sh '{PROGRAM}' --storage file {words}; echo \"status $?.\"; \
             read rest; echo \"rest [$rest]\""
        );
        let mut command = work.trusting(work.sandbox.command(tool::need("sh")));
        command.args(["-c", &line]);
        Self {
            session: Session::start(&command),
        }
    }

    fn pid(&mut self) -> Pid {
        assert!(until(
            || self.session.shown().contains("pid ") && self.session.shown().contains('.')
        ));
        let shown = self.session.shown();
        let (_, rest) = shown.split_once("pid ").unwrap();
        let number = rest.split('.').next().unwrap();
        Pid::from_raw(number.parse().unwrap()).unwrap()
    }

    /// The program ends so, the terminal is as it was, and nothing that was typed is left. Returns all that was shown.
    #[track_caller]
    fn ends(mut self, status: u8) -> String {
        let last = format!("status {status}.");
        self.session.press(&last, b"");
        assert_eq!(
            shown_modes(&self.session.modes()),
            shown_modes(self.session.before())
        );
        self.session.type_ahead(b"\n");
        let (_, shown) = self.session.finish();
        assert!(shown.contains("rest []"), "{shown}");
        shown
    }
}

fn shown_modes(modes: &Termios) -> String {
    format!("{modes:?}")
}

fn is_quiet(modes: &Termios) -> bool {
    !modes
        .local_modes
        .intersects(LocalModes::ECHO | LocalModes::ECHONL)
}

/// A `git` that says that it was started, and goes on when it may. Returns how to let it.
fn slow_git(work: &Work) -> (String, impl Fn() -> bool, impl Fn()) {
    let folder = work.sandbox.path("slow");
    fs::create_dir(&folder).unwrap();
    let (began, may_go) = (folder.join("began"), folder.join("go"));
    let script = format!(
        "#!/bin/sh\n: > '{}'\nwhile [ ! -e '{}' ]; do sleep 0.01; done\nexec '{}' \"$@\"\n",
        began.display(),
        may_go.display(),
        tool::need("git").display(),
    );
    fs::write(folder.join("git"), script).unwrap();
    fs::set_permissions(folder.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let has_begun = move || began.exists();
    (path, has_begun, move || fs::write(&may_go, "").unwrap())
}

fn with_token() -> Work {
    let work = Work::with(Speaks::GitHub);
    work.forge.issue(Token::new("new", CLASSIC));
    work
}

#[test]
fn the_username_is_shown_as_it_is_edited() {
    let work = with_token();
    let words = format!("login --no-browser {}", work.forge.url());
    let mut session = Session::start(&work.command(&words));
    session.press(USERNAME, "wrong\x15bj\u{f6}rx\x7fn\r".as_bytes());
    session.answer(PROMPT, CLASSIC);
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert!(shown.contains("bj\u{f6}rx\x08 \x08n\r\n"), "{shown:?}");
    assert_eq!(work.only_one()["username"], "bj\u{f6}rn");
}

#[test]
fn a_username_holds_no_escape_sequence() {
    let work = with_token();
    let words = format!("login --no-browser {}", work.forge.url());
    for keys in [&b"alice\x1b[D\r"[..], b"alice\xff\r"] {
        let mut shelled = Shelled::start(&work, &words);
        shelled.session.press(USERNAME, keys);
        let shown = shelled.ends(1);
        assert!(shown.contains("does not show"), "{shown}");
    }
    assert_eq!(work.listed().len(), 0);
}

#[test]
fn a_token_is_no_username() {
    let work = with_token();
    let words = format!("login --no-browser {}", work.forge.url());
    let mut shelled = Shelled::start(&work, &words);
    shelled.session.answer(USERNAME, CLASSIC);
    let shown = shelled.ends(1);
    assert!(shown.contains("this is a token"), "{shown}");
    assert_eq!(shown.matches(CLASSIC).count(), 1, "{shown}");
    assert_eq!(work.listed().len(), 0);
    let mut session = Session::start(&work.command(&words));
    session.answer(USERNAME, "fan-of-ghp_");
    session.answer(PROMPT, CLASSIC);
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert_eq!(work.only_one()["username"], "fan-of-ghp_");
}

#[test]
fn what_is_typed_before_the_first_question_is_not_shown() {
    let work = with_token();
    let (path, has_begun, let_go) = slow_git(&work);
    let config = work.sandbox.path("config/git-credential-pat/config.toml");
    let settings = fs::read_to_string(&config).unwrap();
    fs::write(config, format!("storage = \"file\"\n{settings}")).unwrap();
    let url = work.forge.url();
    let mut command = work.trusting(
        work.sandbox
            .helper(&format!("login --no-browser --username alice {url}")),
    );
    command.env("PATH", &path);
    let mut session = Session::start(&command);
    assert!(until(&has_begun));
    assert!(is_quiet(&session.modes()));
    session.type_ahead(b"ghp_early\n");
    let_go();
    // A line that was typed before the question is no answer to it.
    session.answer(PROMPT, CLASSIC);
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert!(!shown.contains("ghp_early"), "{shown}");
    assert!(!shown.contains(CLASSIC), "{shown}");
    assert_eq!(work.kept().as_deref(), Some(CLASSIC));
}

#[test]
fn what_is_typed_before_the_username_is_asked_is_no_username() {
    let work = with_token();
    let (path, has_begun, let_go) = slow_git(&work);
    let config = work.sandbox.path("config/git-credential-pat/config.toml");
    let settings = fs::read_to_string(&config).unwrap();
    fs::write(config, format!("storage = \"file\"\n{settings}")).unwrap();
    let url = work.forge.url();
    let mut command = work.trusting(work.sandbox.helper(&format!("login --no-browser {url}")));
    command.env("PATH", &path);
    let mut session = Session::start(&command);
    assert!(until(&has_begun));
    session.type_ahead(format!("{CLASSIC}\n").as_bytes());
    let_go();
    session.answer(USERNAME, "alice");
    session.answer(PROMPT, CLASSIC);
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert!(!shown.contains(CLASSIC), "{shown}");
    assert_eq!(work.only_one()["username"], "alice");
}

/// Ctrl-C and Ctrl-\ are signals, which reach the shell, too.
#[test]
fn keys_that_end_it_leave_the_terminal_as_it_was() {
    let work = Work::with(Speaks::GitHub);
    let url = work.forge.url();
    for (key, status) in [
        (&b"half-typed\x03typed-on"[..], 130),
        (b"half-typed\x1ctyped-on", 131),
        (b"\x04typed-on", 130),
    ] {
        for (words, question) in [
            (format!("login --no-browser {url}"), USERNAME),
            (format!("login --no-browser --username a {url}"), PROMPT),
        ] {
            let mut shelled = Shelled::under(&work, "trap : INT QUIT;", &words);
            shelled.session.press(question, b"");
            assert_eq!(is_quiet(&shelled.session.modes()), question == PROMPT);
            shelled.session.type_ahead(key);
            let shown = shelled.ends(status);
            let is_end = key.starts_with(b"\x04");
            assert_eq!(shown.contains("nothing was changed"), is_end, "{shown}");
            assert!(question == USERNAME || !shown.contains("typed"), "{shown}");
        }
    }
    assert_eq!(work.listed().len(), 0);
}

#[test]
fn signals_that_end_it_leave_the_terminal_as_it_was() {
    let work = Work::with(Speaks::GitHub);
    work.store("old", "ghp_old");
    let url = work.forge.url();
    let asking = [
        (
            format!("login --no-browser https://bob@{}", work.forge.host()),
            PROMPT,
        ),
        ("login --no-browser https://other.test".to_owned(), USERNAME),
        (format!("rotate --no-browser {url}"), PROMPT),
    ];
    for (words, question) in &asking {
        for (signal, status) in [
            (Signal::HUP, 129),
            (Signal::INT, 130),
            (Signal::QUIT, 131),
            (Signal::TERM, 143),
        ] {
            let mut shelled = Shelled::start(&work, words);
            let pid = shelled.pid();
            shelled.session.press(question, b"half-typed");
            assert_eq!(is_quiet(&shelled.session.modes()), *question == PROMPT);
            kill_process(pid, signal).unwrap();
            let shown = shelled.ends(status);
            assert!(!shown.contains("half-typed") || *question == USERNAME);
        }
    }
    assert_eq!(work.listed().len(), 1);
}

/// In the middle of what is done between two questions, too.
#[test]
fn signals_between_questions() {
    let work = Work::with(Speaks::GitHub);
    for (signal, status) in [(Some(Signal::TERM), 143), (None, 130)] {
        let (path, has_begun, _) = slow_git(&work);
        let line = format!("PATH='{path}' GIT_CONFIG_COUNT=0");
        let words = "login --no-browser --username alice";
        let mut shelled = Shelled::under(&work, &line, words);
        let pid = shelled.pid();
        assert!(until(&has_begun));
        assert!(is_quiet(&shelled.session.modes()));
        shelled.session.type_ahead(b"typed-ahead");
        let shown = if let Some(signal) = signal {
            kill_process(pid, signal).unwrap();
            shelled.ends(status)
        } else {
            // Ctrl-C is a signal then, which reaches the shell, too.
            shelled.session.type_ahead(b"\x03");
            let (_, shown) = shelled.session.finish();
            assert!(!Path::new(&format!("/proc/{}", pid.as_raw_nonzero())).exists());
            shown
        };
        assert!(!shown.contains("typed-ahead"), "{shown}");
        fs::remove_dir_all(work.sandbox.path("slow")).unwrap();
    }
}

#[test]
fn a_terminal_that_closes_ends_it() {
    let work = Work::with(Speaks::GitHub);
    let url = work.forge.url();
    for first in ["", "trap '' HUP;"] {
        let words = format!("login --no-browser --username alice {url}");
        let mut shelled = Shelled::under(&work, first, &words);
        let pid = shelled.pid();
        shelled.session.press(PROMPT, b"half-typed");
        shelled.session.close();
        let place = format!("/proc/{}", pid.as_raw_nonzero());
        assert!(until(|| !Path::new(&place).exists()), "{first}");
    }
    assert_eq!(work.listed().len(), 0);
}

#[test]
fn ctrl_z_leaves_the_terminal_as_it_was_and_fg_hides_again() {
    let work = with_token();
    let url = work.forge.url();
    let line = format!(
        "set -m; '{PROGRAM}' --storage file login --no-browser --username alice {url}; echo stopped; read line; \
         fg; echo \"status $?.\"; read rest; echo \"rest [$rest]\""
    );
    let mut command = work.trusting(work.sandbox.command(tool::need("sh")));
    command.args(["-c", &line]);
    let mut session = Session::start(&command);
    session.press(PROMPT, b"half-typed\x1a");
    session.press("stopped", b"");
    assert_eq!(shown_modes(&session.modes()), shown_modes(session.before()));
    session.type_ahead(b"\n");
    assert!(until(|| is_quiet(&session.modes())));
    session.type_ahead(format!("{CLASSIC}\n").as_bytes());
    session.answer("status 0.", "");
    let (_, shown) = session.finish();
    assert!(
        !shown.contains(CLASSIC) && !shown.contains("half"),
        "{shown}"
    );
    assert!(shown.contains("rest []"), "{shown}");
    assert_eq!(work.kept().as_deref(), Some(CLASSIC));
}

/// As a program that crashed has left it: no echo, no lines, no Enter, and reads that do not wait.
#[test]
fn a_terminal_in_disorder_is_left_in_the_same() {
    let work = with_token();
    let words = format!("login --no-browser {}", work.forge.url());
    let first = "trap : INT; stty raw -echo igncr min 0 time 1 intr ^X;";
    let mut session = Shelled::under(&work, &format!("{first} stty -a;"), &words);
    session.session.press(USERNAME, b"");
    session.session.type_ahead(b"alice\r");
    session.session.press(PROMPT, b"half-typed\x18");
    session.session.press("status 130.", b"");
    let modes = session.session.modes();
    assert!(is_quiet(&modes) && !modes.local_modes.contains(LocalModes::ICANON));
    assert_eq!(modes.special_codes[SpecialCodeIndex::VMIN], 0);
    assert_eq!(modes.special_codes[SpecialCodeIndex::VINTR], 0x18);
}

/// A terminal drops the bytes of a line after the 4,095th: a part of a token is never taken for the token.
#[test]
fn a_long_paste_is_refused_and_nothing_of_it_is_left() {
    let work = Work::with(Speaks::GitHub);
    let words = format!("login --no-browser --username alice {}", work.forge.url());
    for (paste, said) in [
        (format!("ghp_{}\n", "x".repeat(70_000)), "--with-token"),
        (format!("ghp_{}\n", "x".repeat(4092)), "--with-token"),
        (
            format!("ghp_a\0b\n{}", "x\n".repeat(1000)),
            "control character",
        ),
        (format!("\n{}", "x\n".repeat(10)), "is empty"),
    ] {
        let mut shelled = Shelled::start(&work, &words);
        shelled.session.press(PROMPT, paste.as_bytes());
        let shown = shelled.ends(1);
        assert!(shown.contains(said), "{shown}");
        assert!(!shown.contains("xx") && !shown.contains("x\r\n"), "{shown}");
    }
    assert_eq!(work.listed().len(), 0);
}

#[test]
fn the_longest_line_of_a_terminal_is_read_whole() {
    let work = Work::with(Speaks::GitHub);
    let token = format!("ghp_{}", "x1".repeat(2045));
    work.forge.issue(Token::new("new", &token));
    let words = format!("login --no-browser --username alice {}", work.forge.url());
    let mut session = Session::start(&work.command(&words));
    session.answer(PROMPT, &token);
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert_eq!(work.kept(), Some(token));
}

#[test]
fn a_long_paste_is_no_username() {
    let work = Work::with(Speaks::GitHub);
    let words = format!("login --no-browser {}", work.forge.url());
    let mut shelled = Shelled::start(&work, &words);
    shelled.session.answer(USERNAME, &"x".repeat(5000));
    let shown = shelled.ends(1);
    assert!(shown.contains("at most 4094 bytes"), "{shown}");
}

/// A look-up is given up after three seconds: on a machine with other things to do, what is typed meanwhile may come too
/// late, and then it is tried again. `attempt` says whether it came in time.
fn in_time(attempt: impl Fn() -> bool) {
    assert!((0..6).any(|_| attempt()), "each time the look-up was over");
}

/// A person who sees nothing happen may type the token again.
#[test]
fn what_is_typed_while_the_forge_is_asked_is_not_shown() {
    in_time(|| {
        let work = with_token();
        work.forge.answer(Manner::Held);
        let words = format!("login --no-browser --username alice {}", work.forge.url());
        let mut shelled = Shelled::start(&work, &words);
        shelled.session.answer(PROMPT, CLASSIC);
        work.forge.wait_until_asked(1);
        let is_quiet = is_quiet(&shelled.session.modes());
        shelled
            .session
            .type_ahead(format!("{CLASSIC}\n").as_bytes());
        let is_late = shelled.session.shown().contains("status ");
        work.forge.answer(Manner::Honest);
        if is_late || !is_quiet {
            return false;
        }
        let shown = shelled.ends(0);
        assert!(!shown.contains(CLASSIC), "{shown}");
        assert_eq!(work.kept().as_deref(), Some(CLASSIC));
        true
    });
}

/// Ctrl-C is a signal there, and ends it at once.
#[test]
fn ctrl_c_while_the_forge_is_asked() {
    in_time(|| {
        let work = with_token();
        work.forge.answer(Manner::Silent);
        let words = format!("login --no-browser --username alice {}", work.forge.url());
        let mut shelled = Shelled::under(&work, "trap : INT;", &words);
        shelled.session.answer(PROMPT, CLASSIC);
        work.forge.wait_until_asked(1);
        shelled.session.type_ahead(b"\x03");
        shelled.session.press("status ", b"");
        if shelled.session.shown().contains("status 0.") {
            return false;
        }
        assert_eq!(shelled.session.shown().matches("status 130.").count(), 1);
        assert_eq!(
            shown_modes(&shelled.session.modes()),
            shown_modes(shelled.session.before())
        );
        assert_eq!(work.listed().len(), 0);
        true
    });
}

#[test]
fn a_terminal_that_is_held_by_ctrl_s_keeps_nobody() {
    let work = Work::with(Speaks::GitHub);
    let words = format!("login --no-browser --username alice {}", work.forge.url());
    let mut shelled = Shelled::start(&work, &words);
    let pid = shelled.pid();
    shelled.session.press(PROMPT, b"\x13");
    kill_process(pid, Signal::TERM).unwrap();
    let place = format!("/proc/{}", pid.as_raw_nonzero());
    assert!(until(|| !Path::new(&place).exists()));
    shelled.session.type_ahead(b"\x11");
    shelled.ends(143);
}

/// A job in the background is stopped before it asks, and asks when it is brought to the front.
#[test]
fn a_job_in_the_background_leaves_the_terminal_alone() {
    let work = with_token();
    let url = work.forge.url();
    let line = format!(
        "set -m; '{PROGRAM}' --storage file login --no-browser --username alice {url} & sleep 1; stty -a; \
         echo ready; read line; fg; echo \"status $?.\"; stty -a; read rest; echo \"rest [$rest]\""
    );
    let mut command = work.trusting(work.sandbox.command(tool::need("sh")));
    command.args(["-c", &line]);
    let mut session = Session::start(&command);
    session.press("ready", b"");
    assert!(!is_quiet(&session.modes()));
    session.type_ahead(b"\n");
    session.answer(PROMPT, CLASSIC);
    session.answer("status 0.", "");
    let (_, shown) = session.finish();
    assert!(!shown.contains(CLASSIC), "{shown}");
    assert!(shown.contains("rest []"), "{shown}");
    assert_eq!(work.kept().as_deref(), Some(CLASSIC));
}

/// Success is not said where nothing was done.
#[test]
fn an_output_that_nobody_reads() {
    let work = with_token();
    let url = work.forge.url();
    let line = format!(
        "{{ trap '' PIPE; while echo 2>&-; do sleep 0.05; done; '{PROGRAM}' --storage file login --no-browser --username alice {url}; echo \"status $?.\" >&2; }} | true"
    );
    let mut command = work.trusting(work.sandbox.command(tool::need("sh")));
    command.args(["-c", &line]);
    let mut session = Session::start(&command);
    session.press("status 1.", b"");
    let (_, shown) = session.finish();
    assert!(!shown.contains(PROMPT), "{shown}");
    assert_eq!(work.listed().len(), 0);
}

/// The terminal is asked, wherever the standard streams lead; and without one it is said what to do.
#[test]
fn the_terminal_of_the_session_is_asked() {
    let work = with_token();
    let url = work.forge.url();
    for streams in ["</dev/null", "<&- >&-", "</dev/null >/dev/null 2>&1"] {
        let line = format!("'{PROGRAM}' --storage file login --no-browser {url} {streams}");
        let mut command = work.trusting(work.sandbox.command(tool::need("sh")));
        command.args(["-c", &line]);
        let mut session = Session::start(&command);
        session.answer(USERNAME, "alice");
        session.answer(PROMPT, CLASSIC);
        let (status, shown) = session.finish();
        assert!(status.success(), "{streams}: {shown}");
        assert!(!shown.contains(CLASSIC), "{shown}");
        work.ask(&format!("logout {url}"), b"").succeeded();
    }
    // A session of its own has none.
    let mut command = work.trusting(work.sandbox.command(tool::need("setsid")));
    command.args(["--wait", PROGRAM, "--storage", "file", "login", &url]);
    let output = crate::process::run(&mut command, CLASSIC.as_bytes());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stderr.contains("no terminal"), "{output:?}");
    assert!(output.stderr.contains("--with-token"), "{output:?}");
    assert_eq!(work.listed().len(), 0);
}

/// Nothing is hidden there, and nothing is to be put back.
#[test]
fn yes_or_no_is_asked_in_the_open() {
    let work = Work::with(Speaks::GitHub);
    let store = "https://alice:made-up-one@one.test\n";
    fs::write(work.sandbox.path("home/.git-credentials"), store).unwrap();
    work.store("bob", "ghp_bobs");
    let url = work.forge.url();
    work.ask(&format!("expires {url} 2020-01-01"), b"")
        .succeeded();
    for (words, question) in [
        ("import", "Import 1 credential? [y/N]"),
        ("clean", "Remove 1 credential? [y/N"),
    ] {
        for (signal, status) in [
            (Signal::HUP, 129),
            (Signal::INT, 130),
            (Signal::QUIT, 131),
            (Signal::TERM, 143),
        ] {
            let mut shelled = Shelled::start(&work, words);
            let pid = shelled.pid();
            shelled.session.press(question, b"");
            kill_process(pid, signal).unwrap();
            shelled.ends(status);
        }
        let mut shelled = Shelled::start(&work, words);
        let pid = shelled.pid();
        shelled.session.press(question, b"");
        shelled.session.close();
        let place = format!("/proc/{}", pid.as_raw_nonzero());
        assert!(until(|| !Path::new(&place).exists()), "{words}");
    }
    assert_eq!(work.listed().len(), 1);
}
