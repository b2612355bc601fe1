//! git's settings for TLS and proxies: a server that git refuses gets no token from a look-up either, and one that git accepts
//! is asked, or the reason is said.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::work::{STORAGE, Work, in_days};
use super::{Certificate, Event, Proxy, Speaks, Token};
use crate::alone::{alone, children};
use crate::process::{self, Output};
use crate::terminal::Session;
use crate::tool;

/// For a look-up that gives up, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(20);
const WRONG: &str = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A setting, how the server is, and what must come of it.
struct Row {
    name: &'static str,
    value: String,
    server: Server,
    git: Git,
    /// A part of what `check` says; empty: the look-up works.
    says: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Server {
    Usual,
    Shows(Certificate),
    OnlyTls12,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Git {
    Accepts,
    Refuses,
    /// That depends on its TLS library.
    Either,
}

fn row(name: &'static str, value: &str, git: Git, says: &'static str) -> Row {
    Row {
        name,
        value: value.to_owned(),
        server: Server::Usual,
        git,
        says,
    }
}

fn with(server: Server, row: Row) -> Row {
    Row { server, ..row }
}

/// The digest of the key in `certificate`, as `http.pinnedPubkey` has it; and the key in a file.
fn pin(work: &Work, certificate: &Path) -> (String, String) {
    let key = work.sandbox.path("pinned.pem");
    let (certificate, file) = (certificate.display(), key.display());
    let script = format!(
        "openssl x509 -in {certificate} -pubkey -noout >{file} && openssl pkey -pubin -in {file} -outform der |
        openssl dgst -sha256 -binary | openssl base64"
    );
    let mut shell = work.sandbox.command(tool::need("sh"));
    let digest = process::run(shell.args(["-c", &script]), b"").succeeded();
    (
        format!("sha256//{}", digest.text().trim()),
        file.to_string(),
    )
}

// A table is as long as it is.
#[allow(clippy::too_many_lines)]
fn rows(work: &Work, proxy: &Proxy) -> Vec<Row> {
    use Git::{Accepts, Either, Refuses};
    let (right, file) = pin(work, &work.sandbox.path("certificates/good.pem"));
    let authority = work.forge.authority().display().to_string();
    let own = work.forge.own_authority().display().to_string();
    let bundle = work
        .forge
        .other_authority(&work.sandbox)
        .display()
        .to_string();
    let either_pin = format!("{WRONG};{right}");
    let stranger = Server::Shows(Certificate::Stranger);
    let not_pinned = "the server's key is none of those in http.pinnedPubkey";
    vec![
        row("pinnedPubkey", &right, Accepts, ""),
        row("pinnedPubkey", &either_pin, Accepts, ""),
        row("pinnedPubkey", &file, Accepts, ""),
        row("pinnedPubkey", WRONG, Refuses, not_pinned),
        row("pinnedPubkey", "/no/such/key", Refuses, not_pinned),
        row("pinnedPubkey", "", Refuses, not_pinned),
        row("sslVersion", "tlsv1.3", Accepts, ""),
        with(
            Server::OnlyTls12,
            row(
                "sslVersion",
                "tlsv1.3",
                Refuses,
                "cannot agree with the forge on TLS",
            ),
        ),
        with(Server::OnlyTls12, row("sslVersion", "tlsv1.2", Accepts, "")),
        row(
            "sslVersion",
            "tlsv9",
            Accepts,
            "not asked: http.sslVersion has a value that this program does not understand",
        ),
        row(
            "sslCipherList",
            "AES256-SHA",
            Either,
            "not asked: http.sslCipherList is set",
        ),
        row("sslCipherList", "", Accepts, ""),
        row("proxy", &proxy.url(), Accepts, ""),
        row(
            "proxy",
            "http://127.0.0.1:1",
            Refuses,
            "cannot go through the proxy",
        ),
        row(
            "proxy",
            "socks9://127.0.0.1:1",
            Refuses,
            "cannot go through the proxy",
        ),
        with(stranger, row("sslVerify", "false", Accepts, "")),
        with(
            stranger,
            row("sslVerify", "true", Refuses, "is signed with another key"),
        ),
        row("sslVerify", "maybe", Refuses, "http.sslVerify has a value"),
        row("sslCAInfo", &authority, Accepts, ""),
        row("sslCAInfo", &bundle, Refuses, "is signed with another key"),
        row(
            "sslCAInfo",
            "/no/such/file",
            Refuses,
            "cannot read the certificates",
        ),
        row("sslCAInfo", "", Refuses, "cannot read the certificates"),
        with(
            Server::Shows(Certificate::OwnAuthority),
            row("sslCAInfo", &own, Accepts, ""),
        ),
        with(
            Server::Shows(Certificate::OwnAuthority),
            row(
                "sslCAInfo",
                &authority,
                Refuses,
                "is a certificate authority's own",
            ),
        ),
        row(
            "sslBackend",
            "no-such",
            Refuses,
            "not asked: http.sslBackend is set",
        ),
        row(
            "sslCert",
            "/no/such/file",
            Refuses,
            "not asked: http.sslCert is set",
        ),
        row(
            "curloptResolve",
            &format!("{}:127.0.0.9", work.forge.host()),
            Refuses,
            "not asked: http.curloptResolve is set",
        ),
    ]
}

/// In an environment where only git's configuration names trusted authorities.
fn plain(work: &Work, words: &str) -> Command {
    let mut command = work.sandbox.helper(&format!("{STORAGE} {words}"));
    command.env("GIT_ASKPASS", work.askpass.program());
    command
}

fn git(work: &Work) -> Output {
    let mut git = work.sandbox.git(&["-c", "credential.helper=", "ls-remote"]);
    git.arg(work.forge.repository());
    git.env("GIT_ASKPASS", work.askpass.program());
    process::run(&mut git, b"")
}

/// How many requests came with a token of ours.
fn signed(work: &Work) -> usize {
    let all = work.forge.record().into_iter();
    all.filter(|entry| matches!(&entry.event, Event::Asked { token, .. } if token != "nobody"))
        .count()
}

impl Server {
    fn start(self, work: &Work) {
        match self {
            Self::Usual => work.forge.show(&work.sandbox, Certificate::Good),
            Self::Shows(certificate) => work.forge.show(&work.sandbox, certificate),
            Self::OnlyTls12 => work.forge.speak_only_tls12(&work.sandbox),
        }
    }
}

/// One row, with its setting under `key`.
fn holds(work: &Work, row: &Row, key: &str, secret: &str) {
    let shown = format!("{key}={}", row.value);
    work.forge
        .issue(Token::new(secret, secret).ends(in_days(100)));
    work.askpass.answers("alice", secret);
    row.server.start(work);
    work.git(&["config", "--global", key, &row.value])
        .succeeded();
    let accepted = git(work);
    let is_accepted = accepted.status.success();
    if row.git != Git::Either {
        assert_eq!(
            is_accepted,
            row.git == Git::Accepts,
            "{shown}: {accepted:?}"
        );
    }
    let before = signed(work);
    let credential = work.credential("alice", secret);
    process::run(&mut plain(work, "store"), &credential).succeeded();
    assert!(process::until_within(PATIENCE, || children().is_empty()));
    let works = row.says.is_empty();
    assert_eq!(
        signed(work) - before,
        usize::from(works),
        "{shown}: behind git's back"
    );
    let checked = process::run(&mut plain(work, "check"), b"");
    assert!(checked.text().contains(row.says), "{shown}: {checked:?}");
    assert_eq!(checked.status.success(), works, "{shown}: {checked:?}");
    if !works {
        let url = format!("https://alice@{}", work.forge.host());
        let login = format!("login --with-token {url}");
        let said = process::run(&mut plain(work, &login), secret.as_bytes()).succeeded();
        assert!(said.stderr.contains(row.says), "{shown}: {said:?}");
        let said = process::run(&mut plain(work, &format!("rotate {url}")), b"");
        assert!(said.stderr.contains(row.says), "{shown}: {said:?}");
        let repository = work.forge.repository();
        let said = process::run(&mut plain(work, &format!("doctor {repository}")), b"");
        assert!(said.text().contains(row.says), "{shown}: {said:?}");
        assert_eq!(signed(work), before, "{shown}: a token was sent");
    }
    assert!(
        works || !is_accepted || !checked.text().is_empty(),
        "{shown}"
    );
    process::run(
        &mut plain(work, &format!("logout https://{}", work.forge.host())),
        b"",
    );
    work.git(&["config", "--global", "--unset", key])
        .succeeded();
}

fn check_all(at: impl Fn(&Work, &Row) -> String) {
    let work = Work::with(Speaks::GitLab);
    let proxy = Proxy::start();
    let trust = format!(
        "[http]\n\tsslCAInfo = {}\n",
        work.forge.authority().display()
    );
    let settings = fs::read_to_string(work.sandbox.path("gitconfig")).unwrap();
    work.forge.show(&work.sandbox, Certificate::OwnAuthority);
    for (number, row) in rows(&work, &proxy).iter().enumerate() {
        let is_of_trust = row.name == "sslCAInfo";
        let before = if is_of_trust { "" } else { &trust };
        fs::write(
            work.sandbox.path("gitconfig"),
            format!("{settings}{before}"),
        )
        .unwrap();
        holds(
            &work,
            row,
            &at(&work, row),
            &format!("glpat-row{number}.0123456789"),
        );
    }
}

#[test]
fn what_git_refuses_gets_no_token() {
    alone(
        "forge::git_settings::what_git_refuses_gets_no_token",
        || {
            check_all(|_, row| format!("http.{}", row.name));
        },
    );
}

#[test]
fn what_git_refuses_at_one_host_gets_no_token() {
    let name = "forge::git_settings::what_git_refuses_at_one_host_gets_no_token";
    alone(name, || {
        check_all(|work, row| format!("http.{}.{}", work.forge.url(), row.name));
    });
}

/// A token for github.com, whose API is at another host. Each of the two has a proxy that leads to the test forge, whose
/// certificate is for neither.
struct GitHub {
    work: Work,
    api: Proxy,
    web: Proxy,
}

const CLASSIC: &str = "ghp_classic0123456789";

impl GitHub {
    fn start(api_verifies: bool, web_verifies: bool) -> Self {
        let work = Work::without_lookups(Speaks::GitHub);
        let lead = || Proxy::leading_to(Some(work.forge.host()));
        let (api, web) = (lead(), lead());
        let stored =
            format!("protocol=https\nhost=github.com\nusername=alice\npassword={CLASSIC}\n\n");
        work.ask("store", stored.as_bytes()).succeeded();
        work.forge
            .issue(Token::new("t", CLASSIC).ends(in_days(100)));
        for (host, proxy, verifies) in [
            ("api.github.com", &api, api_verifies),
            ("github.com", &web, web_verifies),
        ] {
            work.sandbox.configure_git(&format!(
                "[http \"https://{host}\"]\n\tproxy = {}\n\tsslVerify = {verifies}\n",
                proxy.url()
            ));
        }
        Self { work, api, web }
    }
}

#[test]
fn the_settings_of_the_host_that_is_called_count() {
    let GitHub { work, api, web } = &GitHub::start(false, true);
    work.ask("check", b"").succeeded();
    work.ask("doctor https://github.com", b"");
    assert_eq!(work.forge.asked().len(), 2);
    assert_eq!(web.asked(), [""; 0]);
    let to_api = |head: &String| head.starts_with("CONNECT api.github.com:443");
    assert!(api.asked().len() == 2 && api.asked().iter().all(to_api));
    // A new token is asked about, and the old one revoked.
    work.forge
        .issue(Token::new("new", "ghp_new").ends(in_days(90)));
    let mut session = Session::start(&work.command("rotate --no-browser github.com"));
    session.answer("Token (not shown): ", "ghp_new");
    session.answer("[y/N]", "y");
    let (status, shown) = session.finish();
    assert!(status.success(), "{shown}");
    assert!(shown.contains("the old token is revoked"), "{shown}");
    assert_eq!(web.asked(), [""; 0]);
    // git's own endpoint is at the other host.
    let said = work.ask("doctor https://github.com/r.git", b"");
    let to_web = |head: &String| head.starts_with("CONNECT github.com:443");
    assert!(!web.asked().is_empty() && web.asked().iter().all(to_web));
    assert!(
        said.text().contains("github.com: the forge's certificate"),
        "{said:?}"
    );
}

#[test]
fn a_host_that_is_not_verified_opens_no_other() {
    let GitHub { work, api, web } = &GitHub::start(true, false);
    let checked = work.ask("check", b"");
    assert_eq!(checked.status.code(), Some(5), "{checked:?}");
    assert!(
        checked.text().contains("is for another name"),
        "{checked:?}"
    );
    assert!(!work.ask("rotate github.com", b"").status.success());
    assert_eq!(web.asked(), [""; 0]);
    work.ask("doctor https://github.com", b"");
    assert!(!api.asked().is_empty());
    assert_eq!(signed(work), 0);
}

/// git itself stops at such a configuration.
#[test]
fn a_configuration_that_cannot_be_read_sends_no_token() {
    let work = Work::keeping(Speaks::GitHub, Token::new("t", CLASSIC));
    for settings in ["[http]\n\tsslVerify = maybe\n", "[http\n"] {
        fs::write(work.sandbox.path("gitconfig"), settings).unwrap();
        assert!(!git(&work).status.success());
        let checked = work.ask("check", b"");
        assert_eq!(checked.status.code(), Some(5), "{checked:?}");
        assert!(checked.text().contains("not asked"), "{checked:?}");
        assert!(checked.stderr.contains("hint: git config"), "{checked:?}");
    }
    assert_eq!(work.forge.asked(), []);
}

/// Which remotes go to a host is not known.
#[test]
fn a_persons_proxy_for_a_remote_keeps_look_ups_away() {
    let work = Work::keeping(Speaks::GitHub, Token::new("t", CLASSIC));
    let key = "remote.origin.proxy";
    work.git(&["config", "--global", key, "http://127.0.0.1:1"])
        .succeeded();
    let checked = work.ask("check", b"");
    assert!(
        checked
            .text()
            .contains("not asked: remote.<name>.proxy is set"),
        "{checked:?}"
    );
    let hint = "hint: git config --show-origin --get-regexp '^remote.*proxy'";
    assert!(checked.stderr.contains(hint), "{checked:?}");
    assert_eq!(work.forge.asked(), []);
}

/// A repository's settings do not count; those of one command make a look-up no laxer.
#[test]
fn settings_for_one_command_send_no_token_past_them() {
    let work = Work::keeping(Speaks::GitHub, Token::new("t", CLASSIC));
    let check = |name: &str, value: &str| {
        let mut command = work.command("check");
        command.env("GIT_CONFIG_COUNT", "1");
        command.env("GIT_CONFIG_KEY_0", name);
        command.env("GIT_CONFIG_VALUE_0", value);
        process::run(&mut command, b"")
    };
    for (name, value) in [
        ("http.pinnedPubkey", WRONG),
        ("http.proxy", "http://127.0.0.1:1"),
        ("http.sslCert", "/no/such/file"),
        ("http.sslVerify", "false"),
    ] {
        let checked = check(name, value);
        assert_eq!(checked.status.code(), Some(5), "{name}: {checked:?}");
        assert!(checked.text().contains("not asked"), "{name}: {checked:?}");
    }
    assert_eq!(work.forge.asked(), []);
    check("core.editor", "true").succeeded();
    assert_eq!(work.forge.asked().len(), 1);
}

/// git refuses the repository, or only some repositories of the host or of the folder: a look-up cannot know for which one it is.
#[test]
fn what_git_refuses_for_a_part_of_the_host_keeps_look_ups_away() {
    let work = Work::keeping(Speaks::GitHub, Token::new("t", CLASSIC));
    let (url, host) = (work.forge.url(), work.forge.host());
    work.sandbox.git(&["init", "--quiet"]).status().unwrap();
    let included = work.sandbox.path("included");
    fs::write(&included, format!("[http]\n\tpinnedPubkey = {WRONG}\n")).unwrap();
    let settings = fs::read_to_string(work.sandbox.path("gitconfig")).unwrap();
    let pinned = format!("pinnedPubkey = {WRONG}");
    let include = format!("path = {}", included.display());
    let here = work.sandbox.path("work").display().to_string();
    for (section, line, says) in [
        (
            format!("http \"{url}/r.git\""),
            &pinned[..],
            "for a path or a user",
        ),
        (
            format!("http \"https://alice@{host}\""),
            &pinned,
            "for a path or a user",
        ),
        (
            format!("http \"https://ghp_madeup@{host}\""),
            &pinned,
            "for a path or a user",
        ),
        (
            format!("includeIf \"gitdir:{here}/\""),
            &include,
            "by a conditional include",
        ),
        (
            "protocol \"https\"".to_owned(),
            "allow = never",
            "protocol.https.allow is set",
        ),
        (
            "protocol".to_owned(),
            "allow = Never",
            "protocol.allow is set",
        ),
    ] {
        fs::write(
            work.sandbox.path("gitconfig"),
            format!("{settings}[{section}]\n\t{line}\n"),
        )
        .unwrap();
        let user = if section.contains("ghp_") {
            "ghp_madeup"
        } else {
            "alice"
        };
        let repository = work
            .forge
            .repository()
            .replace("https://", &format!("https://{user}@"));
        assert!(
            !work.git(&["ls-remote", &repository]).status.success(),
            "{section}"
        );
        let checked = work.ask("check", b"");
        assert_eq!(checked.status.code(), Some(5), "{section}: {checked:?}");
        assert!(checked.text().contains(says), "{section}: {checked:?}");
        assert_eq!(checked.text().matches(says).count(), 1, "{checked:?}");
    }
    let mut barred = work.command("check");
    let barred = process::run(barred.env("GIT_ALLOW_PROTOCOL", "ssh:file"), b"");
    assert!(
        barred.text().contains("GIT_ALLOW_PROTOCOL is set"),
        "{barred:?}"
    );
    assert_eq!(signed(&work), 0);
    // For other hosts, folders and protocols they do not count.
    fs::write(
        work.sandbox.path("gitconfig"),
        format!(
            "{settings}[http \"https://one.test/r.git\"]\n\t{pinned}\n[includeIf \"gitdir:/nowhere/\"]\n\t{include}\n\
             [protocol \"http\"]\n\tallow = never\n"
        ),
    )
    .unwrap();
    work.ask("check", b"").succeeded();
    assert_eq!(signed(&work), 1);
}

/// curl takes `*` for every host only where nothing else is in the list.
#[test]
fn no_look_up_goes_around_a_proxy_that_git_uses() {
    let work = Work::keeping(Speaks::GitHub, Token::new("t", CLASSIC));
    let proxy = Proxy::start();
    work.git(&["config", "--global", "http.proxy", &proxy.url()])
        .succeeded();
    for (list, is_used) in [
        ("one.test,*", true),
        ("..localhost", true),
        ("host", true),
        ("one.test localhost.", false),
        ("*", false),
    ] {
        let mut git = work.trusting(work.sandbox.git(&["-c", "credential.helper=", "ls-remote"]));
        git.arg(work.forge.repository()).env("no_proxy", list);
        for command in [&mut git, work.command("check").env("no_proxy", list)] {
            let before = proxy.asked().len();
            process::run(command, b"");
            assert_eq!(proxy.asked().len() > before, is_used, "{list}: {command:?}");
        }
    }
}
