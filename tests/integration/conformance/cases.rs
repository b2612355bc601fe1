//! What git expects of every helper, one function for each expectation.

use std::time::Duration;

use super::bench::{Bench, Found, Way};

/// A case, by the name that the lists of known failures use.
pub struct Case {
    pub name: &'static str,
    pub check: fn(&Bench) -> Result<(), String>,
}

macro_rules! cases {
    ($($check:ident)*) => { &[$(Case { name: stringify!($check), check: $check }),*] };
}

/// Every one of them.
pub const ALL: &[Case] = cases![
    nothing_is_known_at_first
    stores_without_a_word
    returns_what_was_stored
    protocol_must_match
    host_must_match
    username_must_match
    path_must_match
    a_new_password_replaces_the_old
    forgets_a_host
    keeps_several_users
    keeps_what_has_another_password
    forgets_a_user
    remembers_the_other_user
    empty_username_and_password_are_values
    forgets_all_that_match
    a_long_line_is_not_read_as_two
    stores_an_expiry
    returns_the_expiry
    a_new_expiry_replaces_the_old
    stores_a_refresh_token
    returns_the_refresh_token
    forgets_in_time
    stores_an_authorization
    returns_the_authorization
    returns_no_authorization_unasked
    stores_an_authorization_with_username
    returns_the_authorization_of_a_user
    returns_no_authorization_of_another_user
    keeps_no_ephemeral_authorization
    keeps_no_ephemeral_password
];

const AUTHTYPE: (&str, &str) = ("capability[]", "authtype");
/// In the year 2255, when this will not run.
const FAR: &str = "9000000000";
const FARTHER: &str = "9000000001";

fn login<'a>(host: &'a str, username: &'a str, password: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("protocol", "https"),
        ("host", host),
        ("username", username),
        ("password", password),
    ]
}

fn question(host: &str) -> Vec<(&str, &str)> {
    vec![("protocol", "https"), ("host", host)]
}

fn with<'a>(
    mut pairs: Vec<(&'a str, &'a str)>,
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    pairs.extend_from_slice(more);
    pairs
}

fn bearer<'a>(host: &'a str, credential: &'a str) -> Vec<(&'a str, &'a str)> {
    let secret = [("authtype", "Bearer"), ("credential", credential)];
    with(
        vec![AUTHTYPE, ("protocol", "https"), ("host", host)],
        &secret,
    )
}

fn known(found: &Found, expected: &[(&str, &str)]) -> Result<(), String> {
    for (key, value) in expected {
        if found.known(key) != Some(value) {
            return Err(format!("{key} should be {value:?} in {found:?}"));
        }
    }
    Ok(())
}

fn nothing(found: &Found) -> Result<(), String> {
    match found {
        Found::Nothing(answer) if answer.get("credential").is_none() => Ok(()),
        _ => Err(format!("should have found nothing: {found:?}")),
    }
}

fn nothing_is_known_at_first(bench: &Bench) -> Result<(), String> {
    nothing(&bench.get(&question(&bench.host()))?)
}

fn stores_without_a_word(bench: &Bench) -> Result<(), String> {
    bench.store(&login(&bench.host(), "alice", "token"))
}

fn returns_what_was_stored(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&login(&host, "alice", "token"))?;
    known(
        &bench.get(&question(&host))?,
        &[("username", "alice"), ("password", "token")],
    )
}

fn protocol_must_match(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&login(&host, "alice", "token"))?;
    nothing(&bench.get(&[("protocol", "http"), ("host", &host)])?)
}

fn host_must_match(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&login(&host, "alice", "token"))?;
    nothing(&bench.get(&question(&format!("other-{host}")))?)?;
    nothing(&bench.get(&question(&format!("{host}:8443")))?)
}

fn username_must_match(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&login(&host, "alice", "token"))?;
    nothing(&bench.get(&with(question(&host), &[("username", "bob")]))?)?;
    let found = bench.get(&with(question(&host), &[("username", "alice")]))?;
    known(&found, &[("password", "token")])
}

fn path_must_match(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&with(
        login(&host, "alice", "token"),
        &[("path", "one.git")],
    ))?;
    nothing(&bench.get(&with(question(&host), &[("path", "two.git")]))?)?;
    let found = bench.get(&with(question(&host), &[("path", "one.git")]))?;
    known(&found, &[("username", "alice"), ("password", "token")])
}

fn a_new_password_replaces_the_old(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&login(&host, "alice", "token-1"))?;
    bench.store(&login(&host, "alice", "token-2"))?;
    known(
        &bench.get(&question(&host))?,
        &[("username", "alice"), ("password", "token-2")],
    )?;
    bench.erase(&login(&host, "alice", "token-2"))?;
    nothing(&bench.get(&question(&host))?)
}

fn forgets_a_host(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    let other = bench.host();
    bench.store(&login(&host, "alice", "token"))?;
    bench.store(&login(&other, "alice", "other"))?;
    bench.erase(&question(&host))?;
    nothing(&bench.get(&question(&host))?)?;
    known(&bench.get(&question(&other))?, &[("password", "other")])
}

fn keeps_several_users(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&login(&host, "alice", "token-a"))?;
    bench.store(&login(&host, "bob", "token-b"))?;
    for (username, password) in [("alice", "token-a"), ("bob", "token-b")] {
        let found = bench.get(&with(question(&host), &[("username", username)]))?;
        known(&found, &[("username", username), ("password", password)])?;
    }
    Ok(())
}

fn keeps_what_has_another_password(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&login(&host, "alice", "token"))?;
    bench.erase(&login(&host, "alice", "stale"))?;
    known(&bench.get(&question(&host))?, &[("password", "token")])
}

fn forgets_a_user(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&login(&host, "alice", "token"))?;
    bench.erase(&with(question(&host), &[("username", "alice")]))?;
    nothing(&bench.get(&with(question(&host), &[("username", "alice")]))?)
}

fn remembers_the_other_user(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&login(&host, "alice", "token-a"))?;
    bench.store(&login(&host, "bob", "token-b"))?;
    bench.erase(&with(question(&host), &[("username", "alice")]))?;
    known(
        &bench.get(&question(&host))?,
        &[("username", "bob"), ("password", "token-b")],
    )
}

fn empty_username_and_password_are_values(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&login(&host, "", ""))?;
    known(
        &bench.get(&question(&host))?,
        &[("username", ""), ("password", "")],
    )
}

fn forgets_all_that_match(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&login(&host, "alice", "token-a"))?;
    bench.store(&login(&host, "bob", "token-b"))?;
    bench.erase(&question(&host))?;
    nothing(&bench.get(&question(&host))?)
}

/// A server may send a line of any length; a reader with a buffer of a fixed size takes up in its middle.
fn a_long_line_is_not_read_as_two(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&login(&host, "alice", "token"))?;
    for border in [1024, 4096, 8192, 65536] {
        for slack in 0..3 {
            let filler = "a".repeat(border - "wwwauth[]=".len() - slack);
            let challenge = format!("{filler}host={host}");
            let asked = [
                ("protocol", "https"),
                ("host", "elsewhere.test"),
                ("wwwauth[]", &challenge),
            ];
            let found = bench.get(&asked)?;
            nothing(&found)?;
            // It proves something only if the helper was sent the line.
            if bench.way == Way::ThroughGit && found.printed().get("wwwauth[]") != Some(&challenge)
            {
                return Err("git drops the attribute".to_owned());
            }
        }
    }
    Ok(())
}

fn stores_an_expiry(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&with(
        login(&host, "alice", "token"),
        &[("password_expiry_utc", FAR)],
    ))?;
    known(
        &bench.get(&question(&host))?,
        &[("username", "alice"), ("password", "token")],
    )
}

fn returns_the_expiry(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&with(
        login(&host, "alice", "token"),
        &[("password_expiry_utc", FAR)],
    ))?;
    known(
        &bench.get(&question(&host))?,
        &[("password", "token"), ("password_expiry_utc", FAR)],
    )
}

fn a_new_expiry_replaces_the_old(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    for expiry in [FAR, FARTHER] {
        bench.store(&with(
            login(&host, "alice", "token"),
            &[("password_expiry_utc", expiry)],
        ))?;
    }
    known(
        &bench.get(&question(&host))?,
        &[("password", "token"), ("password_expiry_utc", FARTHER)],
    )
}

fn stores_a_refresh_token(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&with(
        login(&host, "alice", "token"),
        &[("oauth_refresh_token", "renew")],
    ))?;
    known(
        &bench.get(&question(&host))?,
        &[("username", "alice"), ("password", "token")],
    )
}

fn returns_the_refresh_token(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&with(
        login(&host, "alice", "token"),
        &[("oauth_refresh_token", "renew")],
    ))?;
    known(
        &bench.get(&question(&host))?,
        &[("password", "token"), ("oauth_refresh_token", "renew")],
    )
}

fn forgets_in_time(bench: &Bench) -> Result<(), String> {
    if !bench.subject.forgets() {
        return Ok(());
    }
    let (short, long) = (bench.host(), bench.host());
    bench.store_with("--timeout 600", &login(&long, "alice", "token"))?;
    bench.store_with("--timeout 1", &login(&short, "alice", "token"))?;
    // Asking would be using it, and renew its time: there is nothing to poll.
    std::thread::sleep(Duration::from_secs(2));
    nothing(&bench.get(&question(&short))?)?;
    known(&bench.get(&question(&long))?, &[("password", "token")])
}

fn stores_an_authorization(bench: &Bench) -> Result<(), String> {
    bench.store(&bearer(&bench.host(), "blob"))
}

fn returns_the_authorization(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&bearer(&host, "blob"))?;
    let found = bench.get(&with(vec![AUTHTYPE], &question(&host)))?;
    known(&found, &[("authtype", "Bearer"), ("credential", "blob")])
}

fn returns_no_authorization_unasked(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&bearer(&host, "blob"))?;
    nothing(&bench.get(&question(&host))?)
}

fn stores_an_authorization_with_username(bench: &Bench) -> Result<(), String> {
    bench.store(&with(
        bearer(&bench.host(), "blob"),
        &[("username", "alice")],
    ))
}

fn returns_the_authorization_of_a_user(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&with(bearer(&host, "blob"), &[("username", "alice")]))?;
    let asked = with(vec![AUTHTYPE, ("username", "alice")], &question(&host));
    known(
        &bench.get(&asked)?,
        &[("authtype", "Bearer"), ("credential", "blob")],
    )
}

fn returns_no_authorization_of_another_user(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&with(bearer(&host, "blob"), &[("username", "alice")]))?;
    nothing(&bench.get(&with(vec![AUTHTYPE, ("username", "bob")], &question(&host)))?)
}

fn keeps_no_ephemeral_authorization(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    bench.store(&with(bearer(&host, "blob"), &[("ephemeral", "1")]))?;
    nothing(&bench.get(&with(vec![AUTHTYPE], &question(&host)))?)
}

fn keeps_no_ephemeral_password(bench: &Bench) -> Result<(), String> {
    let host = bench.host();
    let stored = with(
        vec![AUTHTYPE, ("ephemeral", "1")],
        &login(&host, "alice", "token"),
    );
    bench.store(&stored)?;
    nothing(&bench.get(&with(vec![AUTHTYPE], &question(&host)))?)
}
