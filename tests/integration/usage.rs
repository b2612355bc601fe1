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
        "list -- -TOKEN",
        "list -- TOKEN",
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
            "token x",
            "unknown command 'token'",
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
            "list one.test",
            "unexpected argument 'one.test'",
            "see 'git credential-pat help list'",
        ),
        (
            "--storage disk list",
            "invalid value 'disk' for '--storage <STORAGE>'",
            "",
        ),
        (
            "completions shh",
            "invalid value 'shh' for '<SHELL>'",
            "bash",
        ),
        (
            "expires one.test soon",
            "invalid value 'soon'",
            "<DATE|DURATION|never>",
        ),
    ] {
        let output = sandbox.ask(words, b"");
        assert_eq!(output.status.code(), Some(2), "{words}: {output:?}");
        let said = &output.stderr;
        assert!(
            said.contains(what) && said.contains(hint),
            "{words}: {said}"
        );
    }
}

#[test]
fn help_is_a_command() {
    let sandbox = Sandbox::new();
    for (words, part) in [
        ("help", "Commands:"),
        ("help login", "--with-token"),
        ("help cache stop", "Usage: git-credential-pat cache stop"),
    ] {
        let output = sandbox.ask(words, b"").succeeded();
        assert!(output.text().contains(part), "{words}: {output:?}");
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
