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
fn a_token_typed_ahead_at_the_username_is_not_shown() {
    let work = with_token();
    let words = format!("login --no-browser {}", work.forge.url());
    let mut session = Session::start(&work.command(&words));
    session.answer(USERNAME, &format!("alice\n{CLASSIC}"));
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert!(shown.contains("alice"), "the name is shown: {shown}");
    assert!(!shown.contains(CLASSIC), "{shown}");
    assert_eq!(work.kept().as_deref(), Some(CLASSIC));
    assert_eq!(work.only_one()["username"], "alice");
}

#[test]
fn the_username_is_shown_as_it_is_edited() {
    let work = with_token();
    let words = format!("login --no-browser {}", work.forge.url());
    let mut session = Session::start(&work.command(&words));
    let keys = "wrong\x15\x1b[200~bj\u{f6}r\u{6f22}\x7f\0n\x1b[201~\x1b[D\r";
    session.press(USERNAME, keys.as_bytes());
    session.answer(PROMPT, CLASSIC);
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    let erased = "\x08 \x08";
    let echo = format!(
        ": wrong{}bj\u{f6}r\u{6f22}{}n\r\n",
        erased.repeat(5),
        erased.repeat(2)
    );
    assert!(shown.contains(&echo), "{shown:?}");
    assert_eq!(work.only_one()["username"], "bj\u{f6}rn");
}

#[test]
fn a_token_is_no_username() {
    let work = with_token();
    let words = format!("login --no-browser {}", work.forge.url());
    let mut shelled = Shelled::start(&work, &words);
    shelled
        .session
        .answer(USERNAME, &format!("{CLASSIC}\n{CLASSIC}"));
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
    // The token is the first question: what was typed is the answer.
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
    session.type_ahead(format!("{CLASSIC}\n").as_bytes());
    let_go();
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
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
    // More than a terminal holds at a time.
    let early = format!("{CLASSIC}{}\n", "x".repeat(6000));
    session.type_ahead(early.as_bytes());
    let_go();
    session.answer(USERNAME, "alice");
    session.answer(PROMPT, CLASSIC);
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert!(!shown.contains(CLASSIC) && !shown.contains("xx"), "{shown}");
    assert_eq!(work.only_one()["username"], "alice");
}

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
            let mut shelled = Shelled::start(&work, &words);
            shelled.session.press(question, b"");
            assert!(is_quiet(&shelled.session.modes()));
            shelled.session.type_ahead(key);
            let shown = shelled.ends(status);
            assert!(shown.contains("nothing was changed"), "{shown}");
            assert!(!shown.contains("typed-on"), "{shown}");
            let is_shown = question == USERNAME && key.starts_with(b"half");
            assert_eq!(shown.contains("half-typed"), is_shown, "{shown}");
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
            assert!(is_quiet(&shelled.session.modes()));
            kill_process(pid, signal).unwrap();
            let shown = shelled.ends(status);
            assert!(!shown.contains("half-typed") || *question == USERNAME);
        }
    }
    assert_eq!(work.listed().len(), 1);
}

/// Whatever ends a process that does nothing about it, be it a clock, a limit or somebody's script.
#[test]
fn every_signal_that_ends_it_leaves_the_terminal_as_it_was() {
    let work = Work::with(Speaks::GitHub);
    let words = format!("login --no-browser --username a {}", work.forge.url());
    for (signal, status) in [
        (Signal::USR1, 138),
        (Signal::USR2, 140),
        (Signal::ALARM, 142),
        (Signal::VTALARM, 154),
        (Signal::PROF, 155),
        (Signal::XCPU, 152),
        (Signal::XFSZ, 153),
        (Signal::SYS, 159),
        (Signal::TRAP, 133),
        (Signal::ABORT, 134),
        #[cfg(target_os = "linux")]
        (Signal::STKFLT, 144),
        #[cfg(target_os = "linux")]
        (Signal::IO, 157),
        #[cfg(target_os = "linux")]
        (Signal::POWER, 158),
    ] {
        let mut shelled = Shelled::start(&work, &words);
        let pid = shelled.pid();
        shelled.session.press(PROMPT, b"half-typed");
        assert!(is_quiet(&shelled.session.modes()));
        kill_process(pid, signal).unwrap();
        let shown = shelled.ends(status);
        assert!(!shown.contains("half-typed"), "{shown}");
    }
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
fn it_is_not_suspended_and_hides_again_if_it_was_stopped() {
    let work = with_token();
    let words = format!("login --no-browser --username alice {}", work.forge.url());
    let mut shelled = Shelled::start(&work, &words);
    let pid = shelled.pid();
    shelled.session.press(PROMPT, b"\x1a");
    let is = |wanted: &[&str]| {
        let path = format!("/proc/{}/status", pid.as_raw_nonzero());
        let status = fs::read_to_string(path).unwrap();
        wanted.iter().all(|line| status.contains(line))
    };
    let none = "0000000000000000\n";
    let none_comes = [&format!("SigPnd:\t{none}"), &format!("ShdPnd:\t{none}")];
    kill_process(pid, Signal::TSTP).unwrap();
    assert!(until(|| is(&[none_comes[0], none_comes[1], "State:\tS"])));
    kill_process(pid, Signal::STOP).unwrap();
    assert!(until(|| is(&["State:\tT"])));
    // As a shell that has the terminal in the meantime.
    let mut modes = shelled.session.modes();
    modes.local_modes |= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
    shelled.session.set_modes(&modes);
    kill_process(pid, Signal::CONT).unwrap();
    assert!(until(|| is_quiet(&shelled.session.modes())));
    // The question is shown again.
    shelled.session.answer(PROMPT, CLASSIC);
    let shown = shelled.ends(0);
    assert!(!shown.contains(CLASSIC), "{shown}");
    assert_eq!(work.kept().as_deref(), Some(CLASSIC));
}

/// What comes last is to read away what nobody asked for; that does not wait for more.
#[test]
fn going_on_at_the_end_keeps_nobody() {
    let work = Work::with(Speaks::GitHub);
    let words = format!("login --no-browser --username alice {}", work.forge.url());
    let mut shelled = Shelled::start(&work, &words);
    let pid = shelled.pid();
    shelled.session.press(PROMPT, b"\x03");
    let place = format!("/proc/{}", pid.as_raw_nonzero());
    assert!(until(|| {
        let _ = kill_process(pid, Signal::CONT);
        !Path::new(&place).exists()
    }));
    shelled.ends(130);
}

/// The rest of a long paste that a signal breaks off is for nobody else.
#[test]
fn a_signal_in_a_long_paste() {
    let work = Work::with(Speaks::GitHub);
    let words = format!("login --no-browser --username alice {}", work.forge.url());
    let mut shelled = Shelled::start(&work, &words);
    let pid = shelled.pid();
    shelled.session.press(PROMPT, b"");
    kill_process(pid, Signal::STOP).unwrap();
    let paste = format!("ghp_{}\n", "z".repeat(20_000));
    shelled.session.paste(paste.into_bytes());
    kill_process(pid, Signal::TERM).unwrap();
    kill_process(pid, Signal::CONT).unwrap();
    let shown = shelled.ends(143);
    assert!(!shown.contains("zz"), "{shown}");
}

/// As a program that crashed has left it: no echo, no lines, no Enter, and reads that do not wait.
#[test]
fn a_terminal_in_disorder_is_left_in_the_same() {
    let work = with_token();
    let words = format!("login --no-browser {}", work.forge.url());
    let first = "stty raw -echo igncr min 0 time 1 intr ^X;";
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

#[test]
fn a_long_paste_is_refused_and_nothing_of_it_is_left() {
    let work = Work::with(Speaks::GitHub);
    let words = format!("login --no-browser --username alice {}", work.forge.url());
    for (paste, said) in [
        (format!("ghp_{}\n", "x".repeat(70_000)), "far longer"),
        (
            format!("ghp_a\0b\n{}", "x\n".repeat(4000)),
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
fn a_long_paste_is_no_username() {
    let work = Work::with(Speaks::GitHub);
    let words = format!("login --no-browser {}", work.forge.url());
    let mut shelled = Shelled::start(&work, &words);
    shelled
        .session
        .press(USERNAME, "x".repeat(70_000).as_bytes());
    let shown = shelled.ends(1);
    assert!(shown.contains("far too long"), "{shown}");
    assert!(shown.matches('x').count() < 1100, "{shown}");
}

#[test]
fn a_pasted_token_has_no_marks() {
    let work = with_token();
    let words = format!("login --no-browser --username alice {}", work.forge.url());
    let mut session = Session::start(&work.command(&words));
    session.press(PROMPT, format!("\x1b[200~{CLASSIC}\x1b[201~\r").as_bytes());
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert_eq!(work.kept().as_deref(), Some(CLASSIC));
}

/// A look-up is given up after three seconds: on a machine with other things to do, what is typed meanwhile may come too
/// late, and then it is tried again. `attempt` says whether it came in time.
fn in_time(attempt: impl Fn() -> bool) {
    assert!((0..6).any(|_| attempt()), "each time the look-up was over");
}

/// Whoever thinks that nothing happens types it again.
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
