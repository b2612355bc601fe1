//! A token that was revoked on the server: the command that finds out succeeds all the same.

use std::fs;

use crate::attributes::{Answer, lines};
use crate::flow::{Flow, NEW_TOKEN, TOKEN, ours};
use crate::git::{self, Git};
use crate::keychain::helper_folder;
use crate::process;
use crate::sandbox::Sandbox;
use crate::terminal::Session;

/// The first git that hands `state[]` back.
const KNOWS_STATE: (u32, u32) = (2, 46);

/// Somebody whose kept token was revoked, and who knows the new one.
fn revoked(helper: &str, needs_keyring: bool, git: &Git) -> Flow {
    let flow = Flow::new(helper, needs_keyring, git);
    flow.git(&["clone", "--quiet", &flow.server.url("basic"), "r"])
        .succeeded();
    flow.server.takes(&flow.sandbox, NEW_TOKEN);
    flow.askpass.answers("alice", NEW_TOKEN);
    flow.askpass.forget();
    flow
}

/// One command, one prompt, the new token kept and the dead one gone.
fn the_first_command_succeeds(helper: &str, needs_keyring: bool) {
    for git in git::all().iter().filter(|git| git.version >= KNOWS_STATE) {
        let flow = revoked(helper, needs_keyring, git);
        let fetched = flow.git(&["-C", "r", "fetch"]).succeeded();
        assert!(
            fetched
                .stderr
                .contains("warning: the server rejected the token for alice at https://localhost"),
            "{fetched:?}"
        );
        assert!(fetched.stderr.contains("; removed it from"), "{fetched:?}");
        assert!(!fetched.stderr.contains(TOKEN), "{fetched:?}");
        assert_eq!(flow.passwords_asked(), 1);
        assert_eq!(flow.kept().as_deref(), Some(NEW_TOKEN));
        flow.askpass.forget();
        flow.fetch_and_push();
        assert_eq!(flow.askpass.questions(), [""; 0]);
    }
}

/// The same with a helper that gives no second chance: the command fails, and only the next one asks.
fn the_first_command_fails(helper: &str, needs_keyring: bool, git: &Git) {
    let flow = revoked(helper, needs_keyring, git);
    let fetched = flow.git(&["-C", "r", "fetch"]);
    assert!(!fetched.status.success(), "{fetched:?}");
    assert_eq!(flow.passwords_asked(), 0);
    assert_eq!(flow.kept(), None, "the dead token is still kept");
    flow.git(&["-C", "r", "fetch"]).succeeded();
    assert_eq!(flow.kept().as_deref(), Some(NEW_TOKEN));
}

#[test]
fn memory() {
    the_first_command_succeeds(&ours("memory"), false);
}

#[test]
fn file() {
    the_first_command_succeeds(&ours("file"), false);
}

#[test]
fn keychain() {
    the_first_command_succeeds(&ours("keychain"), true);
}

#[test]
fn gits_own_helpers_give_none() {
    for helper in ["cache", "store"] {
        the_first_command_fails(helper, false, &Git::new());
    }
    if let Some(folder) = helper_folder() {
        let helper = folder.join("git-credential-libsecret");
        the_first_command_fails(helper.to_str().unwrap(), true, &Git::new());
    }
}

#[test]
fn an_older_git_knows_of_none() {
    for git in git::all().iter().filter(|git| git.version < KNOWS_STATE) {
        the_first_command_fails(&ours("memory"), false, git);
    }
}

/// `credential.interactive` is known to git since 2.47; an older one asks all the same.
#[test]
fn no_prompt_is_promised_where_git_cannot_ask() {
    for git in git::all().iter().filter(|git| git.version >= (2, 47)) {
        let flow = revoked(&ours("file"), false, git);
        let fetched = flow.git(&["-C", "r", "-c", "credential.interactive=false", "fetch"]);
        assert!(!fetched.status.success(), "{fetched:?}");
        let host = flow.server.host();
        let hint = format!(
            "hint: save a new one with 'git credential-pat login https://alice@{host}': git cannot ask for it here"
        );
        assert!(fetched.stderr.contains(&hint), "{fetched:?}");
        assert!(!fetched.stderr.contains("below"), "{fetched:?}");
        assert_eq!(flow.passwords_asked(), 0);
    }
}

/// The token is revoked between a command's two requests. git has thanked for it already, and does not hand over what is
/// typed then: the command succeeds, what is said of it is true, and the next one keeps what it asks for.
#[test]
fn refused_in_the_middle_of_a_command() {
    for git in git::all().iter().filter(|git| git.version >= KNOWS_STATE) {
        let flow = Flow::new(&ours("file"), false, git);
        flow.git(&["clone", "--quiet", &flow.server.url("basic"), "r"])
            .succeeded();
        flow.server.takes_in_the_middle(&flow.sandbox, NEW_TOKEN);
        flow.askpass.answers("alice", NEW_TOKEN);
        flow.askpass.forget();
        let fetched = flow.git(&["-C", "r", "fetch"]).succeeded();
        let host = flow.server.host();
        for said in [
            format!(
                "the server rejected the token for alice at https://{host}; removed it from the plaintext file"
            ),
            format!(
                "type a new token below; if git asks again next time, run 'git credential-pat login https://alice@{host}'"
            ),
        ] {
            assert!(fetched.stderr.contains(&said), "{said}: {fetched:?}");
        }
        assert_eq!(flow.passwords_asked(), 1);
        assert_ne!(flow.kept().as_deref(), Some(TOKEN));

        flow.server.takes(&flow.sandbox, NEW_TOKEN);
        flow.git(&["-C", "r", "fetch"]).succeeded();
        assert_eq!(flow.kept().as_deref(), Some(NEW_TOKEN));
        flow.askpass.forget();
        flow.fetch_and_push();
        assert_eq!(flow.askpass.questions(), [""; 0]);
    }
}

/// The same, and another storage has a good one: what git thanked for at first does not take its place, and it is answered.
#[test]
fn refused_in_the_middle_where_another_is_good() {
    if Git::new().version < KNOWS_STATE {
        return;
    }
    let flow = Flow::new(&ours("memory,file"), false, &Git::new());
    let host = flow.server.host();
    for (storage, password) in [("memory", TOKEN), ("file", NEW_TOKEN)] {
        let pairs = [
            ("protocol", "https"),
            ("host", &host[..]),
            ("username", "alice"),
            ("password", password),
        ];
        flow.sandbox
            .ask(&format!("--storage {storage} store"), &lines(&pairs))
            .succeeded();
    }
    flow.server.takes_in_the_middle(&flow.sandbox, NEW_TOKEN);
    let cloned = flow
        .git(&["clone", "--quiet", &flow.server.url("basic"), "r"])
        .succeeded();
    assert!(
        cloned.stderr.contains("; removed it from memory"),
        "{cloned:?}"
    );
    assert!(
        cloned.stderr.contains(
            "hint: git now gets the token for alice from the plaintext file; to replace the rejected one, run"
        ),
        "{cloned:?}"
    );
    assert_eq!(flow.askpass.questions(), [""; 0]);
    assert_eq!(flow.kept().as_deref(), Some(NEW_TOKEN));
    flow.server.takes(&flow.sandbox, NEW_TOKEN);
    flow.fetch_and_push();
    assert_eq!(flow.askpass.questions(), [""; 0]);
}

/// Stale in memory, good in the file: nobody is asked.
#[test]
fn another_storage_answers_next() {
    let flow = Flow::new(&ours("memory,file"), false, &Git::new());
    let host = flow.server.host();
    for (storage, password) in [("memory", "tok-stale"), ("file", TOKEN)] {
        let pairs = [
            ("protocol", "https"),
            ("host", &host),
            ("username", "alice"),
            ("password", password),
        ];
        flow.sandbox
            .ask(&format!("--storage {storage} store"), &lines(&pairs))
            .succeeded();
    }
    if Git::new().version >= KNOWS_STATE {
        flow.git(&["clone", "--quiet", &flow.server.url("basic"), "r"])
            .succeeded();
        assert_eq!(flow.askpass.questions(), [""; 0]);
        assert_eq!(
            flow.kept().as_deref(),
            Some(TOKEN),
            "memory answers first: the stale one is gone from there"
        );
    }
}

/// The one stored last is stale; another user's token is good, and git did not ask for anybody by name.
#[test]
fn another_user_answers_next() {
    let flow = Flow::new(&ours("file"), false, &Git::new());
    let host = flow.server.host();
    for (username, password) in [("alice", TOKEN), ("bob", "tok-stale")] {
        let pairs = [
            ("protocol", "https"),
            ("host", &host),
            ("username", username),
            ("password", password),
        ];
        flow.sandbox
            .ask("--storage file store", &lines(&pairs))
            .succeeded();
    }
    if Git::new().version >= KNOWS_STATE {
        let cloned = flow
            .git(&["clone", "--quiet", &flow.server.url("basic"), "r"])
            .succeeded();
        let hint = format!(
            "hint: git now gets the token for alice from the plaintext file; to replace the rejected one, \
             run 'git credential-pat login https://bob@{host}'"
        );
        assert!(cloned.stderr.contains(&hint), "{cloned:?}");
        assert_eq!(flow.askpass.questions(), [""; 0]);
        let listed = flow
            .sandbox
            .ask("--storage file list", b"")
            .succeeded()
            .text();
        assert!(
            listed.contains("alice") && !listed.contains("bob"),
            "{listed}"
        );
    }
}

/// Somebody for whom the file keeps a token for each of these, the last one first, and who knows the good one.
fn keeping(kept: &[(&str, &str)]) -> Flow {
    let flow = Flow::new(&ours("file"), false, &Git::new());
    let host = flow.server.host();
    for (username, password) in kept {
        let pairs = [
            ("protocol", "https"),
            ("host", &host[..]),
            ("username", username),
            ("password", password),
        ];
        flow.sandbox
            .ask("--storage file store", &lines(&pairs))
            .succeeded();
    }
    flow
}

const AGAIN: &str =
    "hint: run the command again: the next stored token is tried, and then git asks";
const ASKS: &str =
    "hint: run the command again, and git asks; or create a new one with 'git credential-pat login";

/// git asks twice in one command and no third time: the second that is refused ends it. Each that goes is told, and
/// what the next command will do.
#[test]
fn every_refused_one_is_told_and_what_comes_next() {
    if Git::new().version < KNOWS_STATE {
        return;
    }
    let refused = |name: &str| {
        format!("warning: the server rejected the token for {name} at https://localhost")
    };
    for (kept, hint) in [
        (&["alice", "bob", "carol"][..], AGAIN),
        (&["alice", "bob"], ASKS),
    ] {
        let tokens: Vec<String> = kept.iter().map(|name| format!("tok-dead-{name}")).collect();
        let kept: Vec<(&str, &str)> = kept
            .iter()
            .zip(&tokens)
            .map(|(a, b)| (*a, &b[..]))
            .collect();
        let flow = keeping(&kept);
        let clone = || flow.git(&["clone", "--quiet", &flow.server.url("basic"), "r"]);
        let first = clone();
        assert!(!first.status.success(), "{first:?}");
        assert_eq!(flow.askpass.questions(), [""; 0]);
        let (tried, left) = kept.split_at(kept.len() - 2);
        for (name, _) in left {
            assert!(first.stderr.contains(&refused(name)), "{name}: {first:?}");
        }
        for (name, _) in tried {
            assert!(!first.stderr.contains(&refused(name)), "{name}: {first:?}");
        }
        assert!(first.stderr.contains(hint), "{hint}: {first:?}");
        assert!(!first.stderr.contains("tok-dead"), "{first:?}");

        let second = clone().succeeded();
        for (name, _) in tried {
            assert!(second.stderr.contains(&refused(name)), "{name}: {second:?}");
        }
        assert_eq!(flow.passwords_asked(), 1);
        assert_eq!(flow.kept().as_deref(), Some(TOKEN));
    }
}

/// The same dead token for two users, and behind both a good one.
#[test]
fn a_copy_of_the_refused_one_does_not_hide_a_good_one() {
    if Git::new().version < KNOWS_STATE {
        return;
    }
    let flow = keeping(&[("alice", TOKEN), ("bob", "tok-dead"), ("carol", "tok-dead")]);
    flow.git(&["clone", "--quiet", &flow.server.url("basic"), "r"])
        .succeeded();
    assert_eq!(flow.askpass.questions(), [""; 0]);
}

/// The last try of a command is not spent on what is known to be dead: git asks instead, and the command succeeds.
#[test]
fn the_last_try_is_not_spent_on_the_dead() {
    if Git::new().version < KNOWS_STATE {
        return;
    }
    let flow = keeping(&[("bob", "tok-known-dead"), ("alice", "tok-dead")]);
    let host = flow.server.host();
    let pairs = [
        ("protocol", "https"),
        ("host", &host[..]),
        ("username", "bob"),
        ("password", "tok-known-dead"),
    ];
    // git said so while another storage was in use.
    flow.sandbox
        .ask("--storage memory erase", &lines(&pairs))
        .succeeded();
    flow.git(&["clone", "--quiet", &flow.server.url("basic"), "r"])
        .succeeded();
    assert_eq!(flow.passwords_asked(), 1);
    assert_eq!(flow.kept().as_deref(), Some(TOKEN));
}

/// A person who has something forgotten needs no word of it; nor is one said of what is not kept.
#[test]
fn only_a_refusal_is_told() {
    let sandbox = crate::sandbox::Sandbox::new();
    let site = [
        ("protocol", "https"),
        ("host", "one.test"),
        ("username", "alice"),
    ];
    let secret = [&site[..], &[("password", "tok-one")]].concat();
    let ask = |word: &str, pairs: &[(&str, &str)]| {
        sandbox
            .ask(&format!("--storage file {word}"), &lines(pairs))
            .succeeded()
            .stderr
    };
    ask("store", &secret);
    assert_eq!(ask("erase", &site), "");
    assert_eq!(ask("erase", &secret), "", "there is none");
    ask("store", &secret);
    assert_eq!(ask("erase", &secret), "", "a script has what it asked for");
    ask("store", &secret);
    // git hands our state back: a command of its own is running.
    let state = format!("git-credential-pat:1:u{}", "0".repeat(64));
    let by_git = [
        &[("capability[]", "state"), ("state[]", &state)],
        &secret[..],
    ]
    .concat();
    let told = ask("erase", &by_git);
    assert!(
        told.contains("; removed it from the plaintext file") && told.contains(ASKS),
        "{told}"
    );
}

/// A storage that fails keeps nobody from hearing what went from another.
#[test]
fn what_went_is_told_though_another_storage_fails() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = crate::sandbox::Sandbox::new();
    let site = [("protocol", "https"), ("host", "one.test")];
    let secret = [&site[..], &[("username", "alice"), ("password", "tok-one")]].concat();
    let told =
        "the server rejected the token for alice at https://one.test; removed it from memory";
    let file = sandbox.path("data/git-credential-pat/credentials");
    let mode =
        |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    for by_state in [true, false] {
        sandbox
            .ask("--storage file,memory store", &lines(&secret))
            .succeeded();
        let asked = [&[("capability[]", "state")], &site[..]].concat();
        let ask = |pairs: &[(&str, &str)]| sandbox.ask("--storage memory,file get", &lines(pairs));
        let first = Answer::read(&ask(&asked).succeeded().stdout);
        let state = first.get("state[]").unwrap().to_owned();
        mode(0o644);
        let output = if by_state {
            let again = [("username", "alice"), ("state[]", &state[..])];
            ask(&[&asked[..], &again].concat())
        } else {
            let by_git = [&asked[..1], &[("state[]", &state)], &secret[..]].concat();
            sandbox.ask("--storage memory,file erase", &lines(&by_git))
        };
        mode(0o600);
        assert!(output.stderr.contains(told), "{output:?}");
        assert!(
            output.stderr.contains("is open to other users"),
            "{output:?}"
        );
        assert!(!Answer::read(&output.stdout).has_secret());
        let left = sandbox
            .ask("--storage memory get", &lines(&site))
            .succeeded();
        assert_eq!(left.text(), "");
    }
}

/// What git's own libsecret helper left behind years ago goes the first time that the server refuses it, and nobody but
/// us is asked.
#[test]
fn keychain_rids_itself_of_what_gits_own_helper_left() {
    let Some(folder) = helper_folder() else {
        return;
    };
    for git in git::all() {
        let flow = Flow::new(&ours("keychain"), true, git);
        let host = flow.server.host();
        let site = [
            ("protocol", "https"),
            ("host", &host[..]),
            ("username", "alice"),
        ];
        let libsecret = |word: &str, more: &[(&str, &str)]| {
            let mut helper = flow
                .sandbox
                .command(folder.join("git-credential-libsecret"));
            process::run(helper.arg(word), &lines(&[&site[..], more].concat())).succeeded()
        };
        libsecret("store", &[("password", "an old account password")]);
        let cloned = flow.git(&["clone", "--quiet", &flow.server.url("basic"), "r"]);
        if git.version < KNOWS_STATE {
            assert!(!cloned.status.success(), "{cloned:?}");
            assert!(
                !Answer::read(&libsecret("get", &[]).stdout).has_secret(),
                "the old item is still there"
            );
            flow.git(&["clone", "--quiet", &flow.server.url("basic"), "r"])
                .succeeded();
        } else {
            cloned.succeeded();
        }
        assert_eq!(flow.passwords_asked(), 1);
        assert_eq!(
            Answer::read(&libsecret("get", &[]).stdout).get("password"),
            Some(TOKEN)
        );
    }
}

/// The protocol itself, as a client other than git might speak it.
/// A slow server accepts the old token after the new one was stored: what we answered ourselves is no news.
#[test]
fn what_we_answered_ourselves_replaces_nothing_newer() {
    for storage in ["file", "memory"] {
        let sandbox = crate::sandbox::Sandbox::new();
        let site = [("protocol", "https"), ("host", "one.test")];
        let ask = |operation: &str, more: &[(&str, &str)]| {
            let pairs = [&[("capability[]", "state")], &site[..], more].concat();
            let words = format!("--storage {storage} {operation}");
            Answer::read(&sandbox.ask(&words, &lines(&pairs)).succeeded().stdout)
        };
        let alice = |password| [("username", "alice"), ("password", password)];
        ask("store", &alice("tok-one"));
        let state = ask("get", &[]).get("state[]").unwrap().to_owned();
        let approve = || {
            ask(
                "store",
                &[&alice("tok-one")[..], &[("state[]", &state)]].concat(),
            )
        };
        approve();
        assert_eq!(ask("get", &[]).get("password"), Some("tok-one"));
        ask("store", &alice("tok-two"));
        approve();
        assert_eq!(
            ask("get", &[]).get("password"),
            Some("tok-two"),
            "{storage}"
        );
        // Without our state the secret is from elsewhere: it takes the place, unless it was displaced a short time ago.
        ask("store", &alice("tok-one"));
        assert_eq!(ask("get", &[]).get("password"), Some("tok-two"));
        ask("store", &alice("tok-three"));
        assert_eq!(ask("get", &[]).get("password"), Some("tok-three"));
        sandbox.ask("cache stop", b"");
    }
}

/// What `storage` answers to a client that knows states.
fn told(sandbox: &Sandbox, storage: &str, operation: &str, more: &[(&str, &str)]) -> Answer {
    let site = [
        ("capability[]", "state"),
        ("protocol", "https"),
        ("host", "one.test"),
    ];
    let words = format!("--storage {storage} {operation}");
    let output = sandbox.ask(&words, &lines(&[&site[..], more].concat()));
    Answer::read(&output.succeeded().stdout)
}

fn alice(password: &str) -> [(&str, &str); 2] {
    [("username", "alice"), ("password", password)]
}

fn is_not_brought_back(storage: &str) {
    let sandbox = crate::sandbox::Sandbox::new();
    let ask = |operation: &str, more: &[(&str, &str)]| told(&sandbox, storage, operation, more);
    ask("store", &alice("tok-old"));
    let login = format!("--storage {storage} login --with-token https://alice@one.test");
    sandbox.ask(&login, b"tok-new").succeeded();
    // Memory alone would know of nothing.
    sandbox.ask("cache stop", b"");
    ask("store", &alice("tok-old"));
    assert_eq!(ask("get", &[]).get("password"), Some("tok-new"));
    // A person may go back.
    sandbox.ask(&login, b"tok-old").succeeded();
    assert_eq!(ask("get", &[]).get("password"), Some("tok-old"));
    // The user's decision says which of the two is stale.
    let source = sandbox.path("home/.git-credentials");
    fs::write(&source, "https://alice:tok-new@one.test\n").unwrap();
    let clean = format!("--storage {storage} clean --yes");
    sandbox.ask(&clean, b"").succeeded();
    assert!(!fs::read_to_string(&source).unwrap().contains("tok-new"));
    sandbox.ask("cache stop", b"");
}

/// Another helper in front still has the old one, and git hands it on to us.
#[test]
fn what_a_person_has_replaced_is_not_brought_back_by_another_helper() {
    is_not_brought_back("file");
    is_not_brought_back("memory,file");
}

#[test]
fn a_second_question_erases_exactly_what_was_refused() {
    let sandbox = crate::sandbox::Sandbox::new();
    let site = [("protocol", "https"), ("host", "one.test")];
    let store = |password: &str| {
        let pairs = [&site[..], &[("username", "alice"), ("password", password)]].concat();
        sandbox
            .ask("--storage file store", &lines(&pairs))
            .succeeded();
    };
    let ask = |more: &[(&str, &str)]| {
        let output = sandbox.ask(
            "--storage file get",
            &lines(&[&[("capability[]", "state")], &site[..], more].concat()),
        );
        Answer::read(&output.succeeded().stdout)
    };
    store("tok-one");
    let first = ask(&[]);
    let state = first.get("state[]").unwrap().to_owned();
    assert_eq!(
        (first.get("password"), first.get("continue")),
        (Some("tok-one"), Some("1"))
    );
    assert!(
        state.starts_with("git-credential-pat:") && !state.contains("tok-one"),
        "{state}"
    );
    // Somebody stores a new one before the refusal arrives: it stays, and is answered for good.
    store("tok-two");
    let second = ask(&[
        ("username", "alice"),
        ("state[]", "other:1"),
        ("state[]", &state),
    ]);
    assert_eq!(
        (
            second.get("password"),
            second.get("continue"),
            second.get("state[]").is_some()
        ),
        (Some("tok-two"), None, true)
    );
    // What comes with the last answer says nothing of a refusal.
    let last = second.get("state[]").unwrap().to_owned();
    assert_eq!(
        ask(&[("username", "alice"), ("state[]", &last)]).get("password"),
        Some("tok-two")
    );
    // A refusal of what is kept: gone, and nothing is answered.
    let state = ask(&[]).get("state[]").unwrap().to_owned();
    assert!(!ask(&[("username", "alice"), ("state[]", &state)]).has_secret());
    assert!(!ask(&[]).has_secret());
    // A state that is none is no state.
    store("tok-three");
    assert_eq!(
        ask(&[("state[]", "git-credential-pat:1:a00")]).get("password"),
        Some("tok-three")
    );
    // Who does not announce the capability sees nothing of it.
    let plain = process::run(&mut sandbox.helper("--storage file get"), &lines(&site)).succeeded();
    assert_eq!(plain.text(), "username=alice\npassword=tok-three\n");
}

/// A refusal that reached only one storage: what git uses with success afterwards is not dead, and `clean` leaves it.
#[test]
fn what_is_used_again_is_alive() {
    let mut sandbox = Sandbox::new();
    sandbox.start_keyring();
    let site = [("protocol", "https"), ("host", "git.example.test")];
    let alices = [&site[..], &[("username", "alice"), ("password", TOKEN)]].concat();
    let credential = lines(&alices);
    // The one that keeps it, the one where it was refused.
    for (keeps, refused) in [("file", "memory"), ("auto", "file")] {
        let ask = |storage: &str, words: &str| {
            let words = format!("--storage {storage} {words}");
            process::run(&mut sandbox.helper(&words), &credential).succeeded()
        };
        let dead = || ask(keeps, "clean --dry-run --json").text();
        ask(keeps, "store");
        ask(refused, "erase");
        assert!(dead().contains("\"rejected\""), "{keeps}: {}", dead());
        ask(keeps, "store");
        assert!(!dead().contains("\"rejected\""), "{keeps}: {}", dead());
        ask(keeps, "clean --yes");
        let kept = process::run(
            &mut sandbox.helper(&format!("--storage {keeps} get")),
            &lines(&site),
        );
        assert_eq!(
            Answer::read(&kept.stdout).get("password"),
            Some(TOKEN),
            "{keeps}"
        );
        // Where nothing is to be taken back, nothing is written.
        let before = sandbox.files("state");
        let journal = std::fs::metadata(sandbox.path("state/git-credential-pat/journal"));
        let before = (before, journal.unwrap().modified().unwrap());
        ask(keeps, "store");
        let journal = std::fs::metadata(sandbox.path("state/git-credential-pat/journal"));
        assert!(
            (sandbox.files("state"), journal.unwrap().modified().unwrap()) == before,
            "{keeps}"
        );
        ask(keeps, "erase");
    }
    // Memory that took it in while the keychain was away.
    let away = |words: &str| {
        let mut helper = sandbox.helper(words);
        helper.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent");
        process::run(&mut helper, &credential).succeeded()
    };
    away("store");
    away("--storage file erase");
    let dead = || away("clean --dry-run --json").text();
    assert!(dead().contains("\"rejected\""), "{}", dead());
    away("store");
    assert!(!dead().contains("\"rejected\""), "{}", dead());
}

/// A newer token is stored while git waits for the server's word on the old one: here at the moment at which git gives
/// thanks for that, by a helper before ours.
#[test]
fn a_slow_command_leaves_the_newer_token() {
    for git in git::all() {
        for (storage, needs_keyring) in [("file", false), ("memory", false), ("auto", true)] {
            let flow = Flow::new(&ours(storage), needs_keyring, git);
            let url = flow.server.url("basic");
            flow.git(&["ls-remote", &url]).succeeded();
            assert_eq!(flow.kept().as_deref(), Some(TOKEN));
            let (other, newer) = (flow.sandbox.path("other"), flow.sandbox.path("newer"));
            let host = flow.server.host();
            let pairs = [
                ("protocol", "https"),
                ("host", &host[..]),
                ("username", "alice"),
                ("password", NEW_TOKEN),
            ];
            std::fs::write(&newer, lines(&pairs)).unwrap();
            let script = format!(
                "[ \"$1\" != store ] || {} < '{}'\n",
                ours(&format!("{storage} store")),
                newer.display()
            );
            std::fs::write(&other, script).unwrap();
            flow.sandbox.configure_git(&format!(
                "[credential]\n\thelper =\n\thelper = \"!sh '{}'\"\n\thelper = {}\n",
                other.display(),
                ours(storage)
            ));
            flow.git(&["ls-remote", &url]).succeeded();
            assert_eq!(
                flow.kept().as_deref(),
                Some(NEW_TOKEN),
                "{git:?}, {storage}"
            );
        }
    }
}

/// An older git does not tell for whom its command was: the hint says nothing that may be untrue of the next one.
#[test]
fn an_older_git_hears_nothing_untrue_of_the_next_command() {
    const EITHER: &str = "hint: run the command again: git asks if its URL names the user, else another user's token is tried";
    for git in git::all().iter().filter(|git| git.version < KNOWS_STATE) {
        let store = |flow: &Flow, storage: &str, username: &str, password: &str| {
            let host = flow.server.host();
            let pairs = [
                ("protocol", "https"),
                ("host", &host[..]),
                ("username", username),
                ("password", password),
            ];
            let words = format!("--storage {storage} store");
            flow.sandbox.ask(&words, &lines(&pairs)).succeeded();
        };
        // Whose else is kept, and where; what is said then.
        for (left, hint) in [
            (Some(("bob", "file")), EITHER),
            (Some(("alice", "file")), AGAIN),
            (None, ASKS),
        ] {
            for names_user in [true, false] {
                let flow = Flow::new(&ours("memory,file"), false, git);
                store(&flow, "memory", "alice", "tok-dead");
                if let Some((username, storage)) = left {
                    store(&flow, storage, username, TOKEN);
                }
                let url = flow.server.url("basic");
                let url = if names_user {
                    url.replace("https://", "https://alice@")
                } else {
                    url
                };
                // Without a state the removal is told at a terminal only.
                let command = flow.command(&["ls-remote", &url]);
                let (status, shown) = Session::start(&command).finish();
                assert!(!status.success(), "{shown}");
                assert!(
                    shown.contains(hint) && !shown.contains("tok-"),
                    "{left:?}: {shown}"
                );
                // What was said is true.
                flow.git(&["ls-remote", &url]);
                let asks = left.is_none() || (names_user && hint == EITHER);
                assert_eq!(
                    flow.passwords_asked(),
                    usize::from(asks),
                    "{left:?}, {names_user}"
                );
            }
        }
    }
}
