//! Wrong command lines: a person is told what is wrong, a later git meets silence, and no token is shown back.

use std::fs;
use std::process::Stdio;

use crate::process;
use crate::sandbox::{PROGRAM, Sandbox};

#[test]
fn no_usage_error_repeats_a_token() {
    let sandbox = Sandbox::new();
    for words in [
        "import https://u:TOKEN@one.test",
        "expires one.test TOKEN",
        "login one.test --expires TOKEN",
        "rotate one.test --expires TOKEN",
        "completions TOKEN",
        "cache TOKEN",
        "cache status TOKEN",
        "help TOKEN",
        "TOKEN",
        "--storage=TOKEN list",
        "--timeout TOKEN list",
        "--file TOKEN list",
        "cache status -- -TOKEN",
        "cache status -- TOKEN",
        "list --json=TOKEN",
        "login one.test TOKEN",
        "login one.test --TOKEN",
        "login one.test -- --TOKEN",
        "login one.test --token TOKEN",
        "login one.test --token=TOKEN",
        "login one.test --with-token=TOKEN",
        "login one.test -tTOKEN",
    ] {
        for token in ["ghp_madeup", "glpat-madeup", "madeup0123456789abcdef"] {
            let output = sandbox.ask(&words.replace("TOKEN", token), b"");
            assert_eq!(output.status.code(), Some(2), "{words}: {output:?}");
            assert!(!output.stderr.contains("madeup"), "{words}: {output:?}");
        }
    }
}

#[test]
fn a_usage_error_shows_the_wrong_word() {
    let sandbox = Sandbox::new();
    for (words, what, hint) in [
        (
            "chekc",
            "unknown command 'chekc'",
            "did you mean 'git credential-pat check'?",
        ),
        (
            "qqqq x",
            "unknown command 'qqqq'",
            "'git credential-pat help' lists the commands",
        ),
        (
            "help lgin",
            "unknown command 'lgin'",
            "did you mean 'git credential-pat login'?",
        ),
        (
            "cache stat",
            "unknown command 'stat'",
            "did you mean 'git credential-pat cache status'?",
        ),
        (
            "list --jsn",
            "unexpected argument '--jsn'",
            "did you mean '--json'?",
        ),
        (
            "cache status one.test",
            "unexpected argument 'one.test'",
            "see 'git credential-pat help cache status'",
        ),
        (
            "--storage disk list",
            "invalid value 'disk' for '--storage <STORAGE>'",
            "'git credential-pat help list' lists the options",
        ),
        (
            "completions shh",
            "invalid value 'shh' for '<SHELL>'",
            "bash",
        ),
        (
            "expires one.test soon",
            "invalid value 'soon' for '<DATE|DURATION|never>'",
            "'git credential-pat help expires' lists the options",
        ),
        (
            "expires one.test",
            "error: the following required arguments were not provided: <DATE|DURATION|never>",
            "'git credential-pat help expires' lists the options",
        ),
        (
            "setup --local --global",
            "error: the argument '--local' cannot be used with '--global'",
            "'git credential-pat help setup' lists the options",
        ),
    ] {
        let output = sandbox.ask(words, b"");
        assert_eq!(output.status.code(), Some(2), "{words}: {output:?}");
        let said = &output.stderr;
        assert!(
            said.contains(what) && said.contains(hint),
            "{words}: {said}"
        );
        assert_eq!(said.lines().count(), 2, "an error and a hint: {said}");
    }
}

#[test]
fn every_command_has_the_version_of_the_program() {
    let sandbox = Sandbox::new();
    let version = concat!("git-credential-pat ", env!("CARGO_PKG_VERSION"), "\n");
    for words in ["-V", "--version", "setup -V", "cache status --version"] {
        let output = sandbox.ask(words, b"").succeeded();
        assert_eq!(output.text(), version, "{words}");
    }
}

#[test]
fn help_is_a_command() {
    let sandbox = Sandbox::new();
    for (words, part) in [
        ("help", "Commands:"),
        ("help login", "--with-token"),
        ("help cache stop", "Usage: git-credential-pat cache stop"),
        ("help ls", "Usage: git-credential-pat list"),
        ("help rm", "Usage: git-credential-pat logout"),
        ("help", "list         "),
        ("help", "[alias: ls]"),
        ("help", "git-credential-pat(1)"),
        ("help", "guides"),
    ] {
        let output = sandbox.ask(words, b"").succeeded();
        let text = output.text();
        assert!(text.contains(part), "{words}: {text}");
    }
    for (words, what, hint) in [
        (
            "help lst",
            "unknown command 'lst'",
            "'git credential-pat list'",
        ),
        (
            "help cache statos",
            "unknown command 'statos'",
            "'git credential-pat cache status'",
        ),
        (
            "help login extra",
            "login has no command 'extra'",
            "'git credential-pat help login'",
        ),
        (
            "help login ghp_madeup",
            "login has no command '***'",
            "'git credential-pat help login'",
        ),
    ] {
        let output = sandbox.ask(words, b"");
        assert_eq!(output.status.code(), Some(2), "{words}: {output:?}");
        for part in [what, hint] {
            assert!(output.stderr.contains(part), "{words}: {output:?}");
        }
    }
}

/// A typing error in a cron job must not look like success.
#[test]
fn a_mistyped_command_without_a_terminal_fails() {
    let sandbox = Sandbox::new();
    let empty = sandbox.path("empty");
    fs::write(&empty, "").unwrap();
    let run = |redirection: &str| {
        let line = format!("exec \"$0\" --storage memory chekc {redirection}");
        let mut shell = sandbox.command("/bin/sh");
        shell.arg("-c").arg(line).arg(PROGRAM);
        process::run(shell.arg(&empty), b"")
    };
    for redirection in ["</dev/null", "<&-", "<\"$1\"", "</", "</dev/zero", ""] {
        let output = run(redirection);
        assert_eq!(output.status.code(), Some(2), "{redirection}: {output:?}");
        assert!(
            output.stderr.contains("git credential-pat check"),
            "{output:?}"
        );
    }
    for input in [
        "\n",
        "hello\n",
        "=\n",
        "GH_TOKEN=x\n",
        "{\"protocol\": 1}\n",
    ] {
        let output = sandbox.ask("chekc", input.as_bytes());
        assert_eq!(output.status.code(), Some(2), "{input}: {output:?}");
    }
    for input in [
        "capability[]=authtype\nprotocol=https\n",
        "url=https://one.test",
        "host=\r\n",
    ] {
        let output = sandbox.ask("rotate2", input.as_bytes()).succeeded();
        assert_eq!(
            (output.text(), output.stderr),
            Default::default(),
            "{input}"
        );
    }
}

/// A scheduler may leave the pipe open.
#[test]
fn a_mistyped_command_does_not_wait_for_a_silent_pipe() {
    let sandbox = Sandbox::new();
    let (_silent, reader) = {
        let (reader, writer) = std::io::pipe().unwrap();
        (writer, reader)
    };
    let mut command = sandbox.helper("chekc");
    command
        .stdin(reader)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = process::Guard(command.spawn().unwrap());
    let status = process::wait_for(&mut child.0, "the mistyped command");
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_token_in_the_place_of_the_url_is_named_and_written_nowhere() {
    let sandbox = Sandbox::new();
    let before = fs::read(sandbox.path("gitconfig")).unwrap();
    for token in ["ghp_madeup0123456789", "%67hp_madeup0123456789", MADE_UP] {
        for command in ["setup", "login", "doctor", "check", "logout", "rotate"] {
            let said = sandbox.ask(&format!("{command} {token}"), b"");
            assert_eq!(said.status.code(), Some(1), "{command}: {said:?}");
            assert!(
                said.stderr.contains("this is a token, not a URL"),
                "{command}: {said:?}"
            );
            let all = [said.stdout, said.stderr.into_bytes()].concat();
            assert!(
                !String::from_utf8_lossy(&all).contains("madeup0"),
                "{command}"
            );
        }
    }
    assert_eq!(fs::read(sandbox.path("gitconfig")).unwrap(), before);
}

/// As Gitea's: 40 hexadecimal digits.
const MADE_UP: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn a_token_in_the_place_of_a_url_is_not_repeated() {
    let sandbox = Sandbox::new();
    for command in ["list", "list --json", "token", "logout"] {
        for token in ["ghp_madeup", "glpat-madeup", "madeup0123456789abcdef"] {
            let output = sandbox.ask(&format!("--storage file {command} {token}"), b"");
            assert_eq!(output.status.code(), Some(1), "{command}: {output:?}");
            assert!(!output.stderr.contains("madeup"), "{command}: {output:?}");
        }
    }
}
