//! Hosts and URLs: what is taken reads the same by a naive reading, and no host holds what ends or divides one.
#![no_main]

use git_credential_pat::credential::host::{is_host, is_protocol};
use git_credential_pat::credential::url;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if is_host(data) {
        assert!(naive::is_plain_host(data));
        assert!(is_host(&data.to_ascii_lowercase()) && is_host(&data.to_ascii_uppercase()));
        // What is a host says the same within a URL, unless it holds an encoding.
        if !data.contains(&b'%') {
            let parsed = url::parse(&[b"https://u@", data, b"/p"].concat())
                .expect("a host can stand in a URL");
            assert_eq!(parsed.host.as_deref(), Some(&data.to_ascii_lowercase()[..]));
            assert_eq!(parsed.username, Some("u".into()));
            assert_eq!(parsed.path.as_deref(), Some(&b"p"[..]));
        }
    }
    let Ok(parsed) = url::parse(data) else {
        return;
    };
    let naive = naive::url(data).expect("taken, but by the naive reading it must be refused");
    let same =
        |name: &str, value: &Option<Vec<u8>>| assert_eq!(naive.get(name), value.as_ref(), "{name}");
    same("protocol", &parsed.protocol);
    same("host", &parsed.host);
    same("path", &parsed.path);
    let username = parsed.username.as_ref().map(|name| name.expose().to_vec());
    same("username", &username);
    assert!(parsed.password.is_none() && parsed.credential.is_none());
    let protocol = parsed.protocol.as_deref().expect("named");
    let host = parsed.host.as_deref().expect("named");
    assert!(is_protocol(protocol));
    assert!(naive::is_plain_host(host) || host.is_empty() && protocol == b"cert");
    let path = parsed.path.as_deref().unwrap_or_default();
    assert!(!path.iter().any(u8::is_ascii_control));
    let name = username.as_deref().unwrap_or_default();
    assert!(!name.iter().any(|byte| b"\0\r\n".contains(byte)));
    // Said as a URL, without the user, it is the same place, unless an encoding was undone in it.
    let key = parsed.key().expect("both are named");
    let plain = key.url();
    if !plain.iter().any(|byte| b"%?#\\".contains(byte)) {
        let again = url::parse(&plain);
        let is_path_trimmed = key
            .path
            .as_deref()
            .is_some_and(|path| path.starts_with(b"/") || path.ends_with(b"/"));
        let again = again.expect("what was read can be read again");
        assert_eq!((again.protocol, again.host), (parsed.protocol, parsed.host));
        assert!(is_path_trimmed || again.path == key.path);
    }
});
