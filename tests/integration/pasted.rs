//! A token as people paste it: decoration is left out, and a text that cannot be sent replaces no good token.

use crate::attributes::{Answer, lines};
use crate::process::{self, Output};
use crate::sandbox::Sandbox;
use crate::terminal::Session;

const GOOD: &str = "ghp_madeupGood";
const NEW: &str = "ghp_madeupNew";
const LOGIN: &str = "--storage file login --with-token https://alice@one.test";

fn keeping_good() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ask(LOGIN, GOOD.as_bytes()).succeeded();
    sandbox
}

fn kept(sandbox: &Sandbox) -> String {
    let asked = lines(&[("protocol", "https"), ("host", "one.test")]);
    let answer = sandbox.ask("--storage file get", &asked).succeeded();
    let answer = Answer::read(&answer.stdout);
    answer.get("password").unwrap_or_default().to_owned()
}

fn shows_nothing(output: &Output) {
    for text in [output.text(), output.stderr.clone()] {
        assert!(!text.contains("madeup"), "{text}");
    }
}

#[test]
fn login_takes_the_token_out_of_what_surrounds_it() {
    let sandbox = keeping_good();
    for pasted in [
        format!("\u{feff}{NEW}\u{200b}\n"),
        format!("\u{a0}{NEW}\u{a0}"),
        format!("Bearer {NEW}\r\n"),
        format!("token {NEW}"),
        format!("Authorization: Bearer {NEW}"),
        format!("export GH_TOKEN=\"{NEW}\"\n"),
        format!("KEY={NEW}"),
        format!("'{NEW}'"),
    ] {
        sandbox.ask(LOGIN, GOOD.as_bytes()).succeeded();
        let said = sandbox.ask(LOGIN, pasted.as_bytes()).succeeded();
        assert_eq!(kept(&sandbox), NEW, "{pasted:?}");
        shows_nothing(&said);
    }
    let said = sandbox.ask(LOGIN, b"Bearer ghp_madeupNew").succeeded();
    assert!(said.stderr.contains("left out the text around the token"));
}

#[test]
fn a_text_that_cannot_be_sent_replaces_no_token() {
    let sandbox = keeping_good();
    for pasted in [
        "",
        "\u{feff}\n",
        "ghp_made up",
        "ghp_madeup\u{200b}New",
        "ghp_madeup\nNew",
        "ghp_madeup\0New",
        "ghp_madeup\x1bNew",
        "https://one.test/madeup",
        "ssh-ed25519 AAAAmadeup alice@home",
        "git push madeup",
        "$GH_TOKEN",
        "YOUR_TOKEN",
        "/home/alice/madeup.txt",
        "0123456789abcdef0123456789abcdefmadeup67,",
        "alice:0123456789abcdef0123456789abcdefmadeup67",
        "token=0123456789abcdef0123456789abcdefmadeup67&a=b",
        "--token=ghp_madeupNew",
        "ghp_madeupNewghp_madeupNew",
    ] {
        let said = sandbox.ask(LOGIN, pasted.as_bytes());
        assert_eq!(said.status.code(), Some(1), "{pasted:?}: {said:?}");
        assert!(said.stderr.contains("nothing was changed"), "{said:?}");
        shows_nothing(&said);
        assert_eq!(kept(&sandbox), GOOD, "{pasted:?}");
    }
}

/// A server of one's own may have passwords of any kind.
#[test]
fn force_saves_what_git_can_carry() {
    let sandbox = keeping_good();
    let forced = format!("{LOGIN} --force");
    for pasted in ["pass phrase", "p\u{e4}ss", "it's;a:b!"] {
        let refused = sandbox.ask(LOGIN, pasted.as_bytes());
        assert!(refused.stderr.contains("--force"), "{refused:?}");
        sandbox.ask(&forced, pasted.as_bytes()).succeeded();
        assert_eq!(kept(&sandbox), pasted);
    }
    for pasted in ["", "two\nlines", "nul\0"] {
        let refused = sandbox.ask(&forced, pasted.as_bytes());
        assert_eq!(refused.status.code(), Some(1), "{pasted:?}");
        assert!(!refused.stderr.contains("--force"), "{refused:?}");
    }
}

#[test]
fn a_typed_token_is_read_like_a_piped_one_at_the_terminal() {
    let sandbox = keeping_good();
    let type_token = |typed: &str| {
        let words = "--storage file login --no-browser https://alice@one.test";
        let mut session = Session::start(&sandbox.helper(words));
        session.answer("Token (not shown): ", typed);
        session.finish()
    };
    let (status, shown) = type_token("ghp_made up");
    assert_eq!(status.code(), Some(1), "{shown}");
    assert!(shown.contains("it holds a space"), "{shown}");
    assert_eq!(kept(&sandbox), GOOD);
    let (status, shown) = type_token(&format!("Bearer {NEW}"));
    assert!(status.success(), "{shown}");
    assert_eq!(kept(&sandbox), NEW);
}

#[test]
fn a_variable_is_read_like_a_pasted_token() {
    let sandbox = keeping_good();
    let import = |value: &str| {
        let words =
            "--storage file import env:MADE_UP --url https://alice@one.test --yes --replace";
        let mut command = sandbox.helper(words);
        process::run(command.env("MADE_UP", value), b"")
    };
    for value in ["https://one.test/madeup", "alice:madeup", "--token=madeup"] {
        let said = import(value);
        assert_eq!(said.status.code(), Some(1), "{said:?}");
        assert!(said.stderr.contains("MADE_UP holds no token"), "{said:?}");
        shows_nothing(&said);
        assert_eq!(kept(&sandbox), GOOD);
    }
    import(&format!("\u{feff}\"{NEW}\"")).succeeded();
    assert_eq!(kept(&sandbox), NEW);
}
