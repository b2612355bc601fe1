//! The URLs that may be called.

use std::net::Ipv6Addr;

use ureq::http::Uri;

use super::Error;
use crate::credential::host::consists_of;

/// Reads a URL as the HTTP library does, and fails if that reads another host or port. The library accepts odd hosts, and uses
/// the default port in place of one that is too large.
pub(crate) fn address(url: &str) -> Result<Uri, Error> {
    let uri: Uri = url.parse().map_err(|_| Error::Address)?;
    let rest = url.strip_prefix("https://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (authority, None),
    };
    let is_port = |port: &str| {
        let number = port.parse::<u16>().unwrap_or(0);
        number > 0 && number.to_string() == port
    };
    let is_host = match name.strip_prefix('[') {
        Some(rest) => {
            let address = rest.strip_suffix(']').map(str::parse::<Ipv6Addr>);
            address.is_some_and(|address| address.is_ok())
        }
        None => consists_of(name.as_bytes(), b"-._"),
    };
    let is_read_alike = uri
        .authority()
        .is_some_and(|read| read.as_str() == authority)
        && uri.host() == Some(name);
    if is_read_alike && is_host && port.is_none_or(is_port) {
        Ok(uri)
    } else {
        Err(Error::Address)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::credential::key::Key;
    use crate::forge::ForgeSite;

    #[test]
    fn only_hosts_and_ports_that_there_are_can_be_asked() {
        for host in [
            "github.com",
            "one.test:1",
            "one.test:65535",
            "127.0.0.1:8443",
            "[::1]",
            "[::1]:8443",
            "a_b.test.",
        ] {
            assert!(address(&format!("https://{host}/x?y#z")).is_ok(), "{host}");
        }
        for host in [
            "github.com:99999",
            "github.com:65536",
            "github.com:0",
            "github.com:",
            "github.com:+443",
            "github.com:0443",
            "github.com:443:443",
            "alice@github.com",
            "m\u{fc}nchen.test",
            "[fe80::1%25lo]",
            "[::1]x",
            "a%2eb",
            "a\\b",
            "",
            ":443",
        ] {
            let asked = address(&format!("https://{host}/x")).err();
            assert_eq!(asked, Some(Error::Address), "{host}");
        }
        assert_eq!(address("http://one.test/").err(), Some(Error::Address));
    }

    proptest! {
        /// Host and port, with the default port of HTTPS.
        #[test]
        fn the_very_host_and_port_are_called(
            host in r"[a-z0-9.\[:\]@%\-]{1,12}(:[0-9+]{0,6})?|\PC{1,12}"
        ) {
            let key = Key {
                protocol: b"https".to_vec(),
                host: host.clone().into_bytes(),
                path: None,
                username: None,
            };
            let Some(site) = ForgeSite::of(&key) else { return Ok(()) };
            if let Ok(uri) = address(&site.url("/api/v4/x?y=z")) {
                prop_assert_eq!(uri.path(), "/api/v4/x");
                let port = uri.port_u16().map_or(String::new(), |port| format!(":{port}"));
                prop_assert_eq!(format!("{}{port}", uri.host().unwrap()), host);
            }
        }
    }
}
