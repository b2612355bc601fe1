//! Commands that are shown, pasted into the shells that people use.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{SystemTime, UNIX_EPOCH};

use git_credential_pat::terminal::escape::shell_word;

use crate::attributes::lines;
use crate::process;
use crate::sandbox::Sandbox;
use crate::tool;

/// Each in interactive mode: history expansion is on if the shell has it.
const SHELLS: [&[&str]; 4] = [
    &["sh"],
    &["bash", "--norc", "--noprofile", "-i"],
    &["zsh", "-f", "-i"],
    &["fish", "--no-config"],
];

/// What each shell makes of `line`, typed after a word that separates it from its prompts.
#[track_caller]
fn typed(sandbox: &Sandbox, line: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut results = Vec::new();
    for shell in SHELLS {
        let [program, options @ ..] = shell else {
            continue;
        };
        let result = sandbox.path("result");
        let _ = fs::remove_file(&result);
        let mut command = sandbox.command(tool::need(program));
        command.args(options);
        command.env("RESULT", &result).env("TERM", "dumb");
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", sandbox.path("bin").display()));
        let script = format!("{line}\nexit\n");
        process::run(&mut command, script.as_bytes());
        results.push((*program, fs::read(&result).unwrap_or_default()));
    }
    results
}

/// Puts a `git` before the real one that writes down how it is called.
fn record_git(sandbox: &Sandbox) {
    let folder = sandbox.path("bin");
    fs::create_dir(&folder).unwrap();
    let git = folder.join("git");
    fs::write(&git, "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$RESULT\"\n").unwrap();
    fs::set_permissions(&git, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn every_shell_reads_a_shown_word_back() {
    let sandbox = Sandbox::new();
    let every_mark: String = (' '..='~').collect();
    for word in [
        every_mark.as_bytes(),
        b"https://v@a'b&c;$(touch x)`id`!!.test/",
        b"https://[::1]:8443/a*b?c",
        b"~root/x",
        b"~",
        b"=ls",
        b"%1",
        b"-x{a,b}",
        b"#no comment",
        b"it's \"here\" \\",
        b"!x",
        b"two\nlines\tand \x1b[31m",
        b"\xff\xfe1",
        "büro 漢字 → 😀".as_bytes(),
        "hidden\u{3164}\u{200b}1".as_bytes(),
        b"",
    ] {
        let line = format!("printf '%s|' {} >\"$RESULT\"", shell_word(word));
        let expected = [word, b"|"].concat();
        for (shell, read) in typed(&sandbox, &line) {
            assert_eq!(
                read.escape_ascii().to_string(),
                expected.escape_ascii().to_string(),
                "{shell}: {line}"
            );
        }
    }
}

/// The command between the quotes of a hint.
#[track_caller]
fn shown_command(stderr: &str) -> String {
    let start = stderr.find("'git ").unwrap() + 1;
    let end = stderr.rfind('\'').unwrap();
    stderr[start..end].to_owned()
}

#[test]
fn the_command_of_a_hint_can_be_pasted() {
    let sandbox = Sandbox::new();
    record_git(&sandbox);
    for (host, user, path, argument) in [
        (
            "[::1]:8443",
            "it's; $(touch pwned) & !x",
            "a b/c'd`id`.git",
            "https://it%27s%3B%20%24%28touch%20pwned%29%20%26%20%21x@[::1]:8443/a%20b/c%27d%60id%60.git",
        ),
        (
            "a\u{3164}b.test",
            "v\u{fe0f}",
            "x\u{1160}",
            "https://v%EF%B8%8F@a%E3%85%A4b.test/x%E1%85%A0",
        ),
        (
            "a=b,*.test",
            "~root",
            "=ls/%1",
            "https://%7Eroot@a%3Db%2C%2A.test/%3Dls/%251",
        ),
    ] {
        let soon = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs()
            + 5000;
        let soon = soon.to_string();
        let mut pairs = vec![
            ("protocol", "https"),
            ("host", host),
            ("path", path),
            ("username", user),
        ];
        let question = lines(&pairs);
        pairs.extend([("password", "made-up"), ("password_expiry_utc", &soon)]);
        sandbox
            .ask("--storage memory store", &lines(&pairs))
            .succeeded();
        let output = sandbox.ask("--storage memory get", &question).succeeded();
        let command = shown_command(&output.stderr);
        for (shell, called) in typed(&sandbox, &command) {
            assert_eq!(
                String::from_utf8_lossy(&called),
                format!("credential-pat\nlogin\n{argument}\n"),
                "{shell}: {command}"
            );
        }
        assert!(!sandbox.path("work/pwned").exists());
    }
}

#[test]
fn the_remedy_for_a_remote_can_be_pasted() {
    let sandbox = Sandbox::new();
    record_git(&sandbox);
    process::run(&mut sandbox.git(&["init", "-q"]), b"").succeeded();
    let name = "--x y';$(touch pwned)!!";
    let set = [
        "config",
        &format!("remote.{name}.url"),
        "git@one.test:a'b/c&d.git",
    ];
    process::run(&mut sandbox.git(&set), b"").succeeded();
    let output = sandbox.ask("--storage memory doctor", b"").text();
    let remedy = output
        .lines()
        .find_map(|line| {
            line.trim()
                .strip_prefix("try")?
                .trim()
                .strip_prefix("git remote")
        })
        .unwrap();
    for (shell, called) in typed(&sandbox, &format!("git remote{remedy}")) {
        assert_eq!(
            String::from_utf8_lossy(&called),
            format!("remote\nset-url\n--\n{name}\nhttps://one.test/a'b/c&d.git\n"),
            "{shell}: {remedy}"
        );
    }
    assert!(!sandbox.path("work/pwned").exists());
}

#[test]
fn a_host_with_a_shells_marks_is_refused() {
    let sandbox = Sandbox::new();
    for mark in "!$&'();".chars() {
        let host = format!("a{mark}b.test");
        let pairs = [
            ("protocol", "https"),
            ("host", &host),
            ("username", "v"),
            ("password", "made-up"),
        ];
        let output = sandbox.ask("--storage memory store", &lines(&pairs));
        assert!(!output.status.success(), "{host}: {output:?}");
        assert!(!output.stderr.contains(&host), "{output:?}");
    }
}
