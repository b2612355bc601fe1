//! What is written is read back the same, and no value ever brings a line end, a carriage return or a NUL.
#![no_main]

use git_credential_pat::credential::expiry::Expiry;
use git_credential_pat::credential::host::{is_host, is_path, is_protocol};
use git_credential_pat::credential::key::Key;
use git_credential_pat::credential::username::Username;
use git_credential_pat::credential::{Authorization, Credential};
use git_credential_pat::protocol::read::{self, AttributeLines};
use git_credential_pat::protocol::write::{self, AnswerState};
use git_credential_pat::secret::{Buffer, Secret};
use libfuzzer_sys::fuzz_target;

/// The data in parts, divided by 0xFE: mutations of one part leave the others alone.
fn credential(data: &[u8]) -> Option<Credential> {
    let mut parts = data.split(|byte| *byte == 0xFE).map(<[u8]>::to_vec);
    let flags = *parts.next()?.first()?;
    let has = |bit: u8| flags & 1 << bit != 0;
    let mut part = || parts.next().unwrap_or_default();
    let key = Key {
        protocol: part(),
        host: part(),
        path: has(0).then(&mut part),
        username: has(1).then(&mut part).map(Into::into),
    };
    let password = has(2).then(|| Secret::new(&part()));
    let authorization = has(3).then(|| Authorization {
        scheme: part(),
        parameters: Secret::new(&part()),
    });
    let expiry = has(4).then(|| {
        part()
            .iter()
            .fold(1, |sum: u64, byte| sum * 7 % 999_999_999 + u64::from(*byte))
    });
    Some(Credential {
        key,
        password,
        authorization,
        expiry: expiry.and_then(Expiry::from_unix),
        refresh_token: has(5).then(|| Secret::new(&part())),
    })
}

fn values(credential: &Credential) -> Vec<&[u8]> {
    let Credential {
        key,
        password,
        authorization,
        expiry: _,
        refresh_token,
    } = credential;
    let secrets = [password, refresh_token]
        .into_iter()
        .flatten()
        .map(Secret::expose);
    let pair = authorization
        .iter()
        .flat_map(|pair| [&pair.scheme[..], pair.parameters.expose()]);
    let key = [
        Some(&key.protocol[..]),
        Some(&key.host),
        key.path.as_deref(),
        key.username.as_ref().map(Username::expose),
    ];
    key.into_iter()
        .flatten()
        .chain(secrets)
        .chain(pair)
        .collect()
}

/// Whether every line of `text` is one attribute, none of them twice, and `allowed` are all there are.
fn check_lines(text: &[u8], allowed: &[&str]) {
    let mut seen = Vec::new();
    for line in text
        .strip_suffix(b"\n")
        .unwrap_or(text)
        .split(|byte| *byte == b'\n')
    {
        if text.is_empty() {
            return;
        }
        assert!(!line.contains(&b'\r') && !line.contains(&0));
        let key = line
            .split(|byte| *byte == b'=')
            .next()
            .expect("at least one")
            .to_vec();
        assert!(
            line.contains(&b'=') && allowed.iter().any(|name| name.as_bytes() == key),
            "another attribute"
        );
        assert!(!seen.contains(&key), "the same twice");
        seen.push(key);
    }
}

fuzz_target!(|data: &[u8]| {
    let Some(credential) = credential(data) else {
        return;
    };
    let is_clean = values(&credential)
        .iter()
        .all(|value| !value.iter().any(|byte| b"\n\r\0".contains(byte)));

    let mut entry = Buffer::with_capacity(1);
    let written = write::entry(&credential, &mut entry);
    assert_eq!(
        written.is_ok(),
        is_clean,
        "written if and only if no value could become another attribute"
    );
    if is_clean {
        check_lines(entry.as_slice(), &naive::SINGLE);
        let key = &credential.key;
        let has_path = key.path.as_ref().is_some_and(|path| !path.is_empty());
        let is_nowhere = key.host.is_empty() && key.protocol == b"cert" && has_path;
        let is_entry = is_protocol(&key.protocol)
            && (is_host(&key.host) || is_nowhere)
            && key.host.to_ascii_lowercase() == key.host
            && key.path.as_deref().is_none_or(is_path);
        let back = read::entry(AttributeLines::new(entry.as_slice()));
        if is_entry {
            let back = Credential::partial(back.expect("what is written can be read"))
                .expect("it has a key");
            let expected = Credential {
                // A password without a username is half a credential, and dropped.
                password: credential
                    .password
                    .as_ref()
                    .filter(|_| key.username.is_some())
                    .map(Secret::duplicate),
                ..credential.duplicate()
            };
            assert!(back == expected, "read back as something else");
        }
    }

    let told = [
        "username",
        "password",
        "authtype",
        "credential",
        "password_expiry_utc",
        "oauth_refresh_token",
    ];
    // Any bytes, as git-credential(1) has it; ours are letters and digits.
    let state = data.rsplit(|byte| *byte == 0xFE).next().unwrap_or_default();
    let has_clean_state = !state.iter().any(|byte| b"\n\r\0".contains(byte));
    let state = |is_last| Some(AnswerState { state, is_last });
    for (with_authtype, state) in [
        (false, None),
        (true, None),
        (true, state(false)),
        (true, state(true)),
    ] {
        let mut answer = Buffer::with_capacity(1);
        if write::answer(&credential, with_authtype, state, &mut answer).is_ok() {
            let mut text = answer.as_slice();
            let mut allowed = told.to_vec();
            if with_authtype && credential.authorization.is_some() {
                text = text
                    .strip_prefix(b"capability[]=authtype\n")
                    .expect("announced first");
            } else {
                allowed.retain(|name| !["authtype", "credential"].contains(name));
            }
            if let Some(AnswerState { is_last, .. }) = state {
                text = text
                    .strip_prefix(b"capability[]=state\n")
                    .expect("announced first");
                allowed.push("state[]");
                // git would ask once more, and give up without a word.
                allowed.extend((!is_last).then_some("continue"));
            }
            check_lines(text, &allowed);
            assert!(state.is_none() || has_clean_state);
        } else {
            assert!(!is_clean || !has_clean_state);
        }
    }

    let mut body = Buffer::with_capacity(1);
    if write::body(&credential, &mut body).is_ok() {
        let back = read::body(body.as_slice()).expect("what is written can be read");
        let nothing = Secret::new(b"");
        let password = credential.password.as_ref().unwrap_or(&nothing);
        assert_eq!(back.password.as_ref(), Some(password));
        assert_eq!(back.refresh_token, credential.refresh_token);
        assert_eq!(back.credential.as_ref(), credential.parameters());
        assert_eq!(
            back.authtype,
            credential
                .authorization
                .as_ref()
                .map(|pair| pair.scheme.clone())
        );
        assert_eq!(back.expiry, credential.expiry);
    } else {
        assert!(!is_clean);
    }
});
