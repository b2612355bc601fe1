//! Reads attribute lines: requests of git, entries of the plaintext file, keychain items.

use std::io::{ErrorKind, Read};

use super::{Capabilities, Error, LIMIT};
use crate::credential::expiry::Expiry;
use crate::credential::host::{is_host, is_path, is_protocol};
use crate::credential::query::Query;
use crate::credential::url;
use crate::git::boolean;
use crate::secret::{Buffer, Secret};

/// A request of git.
#[derive(Default)]
pub struct Request {
    pub query: Query,
    /// `capability[]`.
    pub understands: Capabilities,
    /// `state[]`, of all helpers.
    pub state: Vec<Vec<u8>>,
    /// `ephemeral`: never store the credential.
    pub is_ephemeral: bool,
    /// The value of `password_expiry_utc` is not a date.
    pub has_unreadable_expiry: bool,
    /// The realms of the server's `Basic` challenges, from `wwwauth[]` (git 2.41). Untrusted: the server chooses them.
    pub realms: Vec<Vec<u8>>,
}

/// No forge has more realms, or longer ones.
const MOST_REALMS: usize = 4;
const LONGEST_REALM: usize = 64;

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Request({:?}, {:?})", self.query, self.understands)
    }
}

/// Reads bytes up to the first blank line or the end of input: git sends no blank line, other clients keep the input open.
pub fn receive(input: &mut dyn Read) -> Result<Buffer, Error> {
    let mut buffer = Buffer::with_capacity(1024);
    let mut line_start = 0;
    loop {
        let searched = buffer.as_slice().len();
        let read = match buffer.read_from(input, LIMIT + 1 - searched) {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                return Err(Error::TooSlow);
            }
            Err(error) => return Err(Error::Read(error)),
        };
        if read == 0 {
            return Ok(buffer);
        }
        let bytes = buffer.as_slice();
        // Search only the new bytes: a long line may arrive in many pieces.
        let mut from = searched;
        while let Some(length) = bytes[from..].iter().position(|&byte| byte == b'\n') {
            let end = from + length;
            let line = &bytes[line_start..end];
            if line.is_empty() || line == b"\r" {
                return Ok(buffer);
            }
            line_start = end + 1;
            from = line_start;
        }
        if bytes.len() > LIMIT {
            return Err(Error::TooLarge);
        }
    }
}

/// The attribute lines of `bytes`, up to a blank line or the end.
pub struct AttributeLines<'a> {
    rest: &'a [u8],
    number: usize,
}

/// One attribute.
pub struct AttributeLine<'a> {
    /// From 1.
    pub number: usize,
    /// The bytes before the first `=`.
    pub key: &'a [u8],
    /// The bytes after the first `=`.
    pub value: &'a [u8],
}

impl<'a> AttributeLines<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            number: 0,
        }
    }

    /// The bytes after the blank line.
    pub fn rest(self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for AttributeLines<'a> {
    type Item = Result<AttributeLine<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|&byte| byte == b'\n');
        let line = &self.rest[..end.unwrap_or(self.rest.len())];
        self.rest = end.map_or(&[], |end| &self.rest[end + 1..]);
        self.number += 1;
        let number = self.number;
        // A carriage return is part of the line end only before a line feed.
        let line = line
            .strip_suffix(b"\r")
            .filter(|_| end.is_some())
            .unwrap_or(line);
        if line.iter().any(|&byte| byte == 0 || byte == b'\r') {
            return Some(Err(Error::Control { line: number }));
        }
        if line.is_empty() {
            return None;
        }
        Some(match line.iter().position(|&byte| byte == b'=') {
            Some(at) => Ok(AttributeLine {
                number,
                key: &line[..at],
                value: &line[at + 1..],
            }),
            None => Err(Error::NoSeparator {
                line: number,
                length: line.len(),
            }),
        })
    }
}

/// Reads a request of git. Ignores attributes of later versions, as gitcredentials(7) requires.
pub fn request(bytes: &[u8]) -> Result<Request, Error> {
    let mut request = Request::default();
    let mut reader = AttributeReader::default();
    let mut from_url = None;
    let mut ephemeral = None;
    let (mut quits, mut continues) = (None, None);
    for line in AttributeLines::new(bytes) {
        let line = line?;
        match line.key {
            // An empty value empties a list (git-credential(1)).
            b"capability[]" if line.value.is_empty() => {
                request.understands = Capabilities::default();
            }
            b"capability[]" => {
                request.understands.authtype |= line.value == b"authtype";
                request.understands.state |= line.value == b"state";
            }
            b"state[]" if line.value.is_empty() => request.state.clear(),
            b"state[]" => request.state.push(line.value.to_vec()),
            b"wwwauth[]" if line.value.is_empty() => request.realms.clear(),
            b"wwwauth[]" => {
                let realm = realm(line.value).filter(|_| request.realms.len() < MOST_REALMS);
                request.realms.extend(realm.map(<[u8]>::to_vec));
            }
            b"ephemeral" => once(
                &mut ephemeral,
                boolean(&line, "ephemeral")?,
                &line,
                "ephemeral",
            )?,
            // Only helpers send these (git-credential(1)); from git they have no meaning.
            b"quit" => once(&mut quits, (), &line, "quit")?,
            b"continue" => once(&mut continues, (), &line, "continue")?,
            b"url" => {
                let parsed = url::parse(line.value).map_err(|_| Error::Malformed {
                    line: line.number,
                    key: "url",
                })?;
                once(&mut from_url, parsed, &line, "url")?;
            }
            _ => reader.take(&line)?,
        }
    }
    request.is_ephemeral = ephemeral.unwrap_or(false);
    request.has_unreadable_expiry =
        reader.has_expiry_line.is_some() && reader.query.expiry.is_none();
    request.query = reader.query;
    if let Some(from_url) = from_url {
        agree(&mut request.query, from_url)?;
    }
    whole(&request.query)?;
    Ok(request)
}

/// The realm of a `Basic` challenge (RFC 7617 §2): `Basic realm="Gitea"`, with or without other parameters after it.
pub fn realm(challenge: &[u8]) -> Option<&[u8]> {
    const START: &[u8] = b"basic realm=\"";
    let (start, rest) = challenge.split_at_checked(START.len())?;
    let end = rest
        .iter()
        .take(LONGEST_REALM + 1)
        .position(|&byte| byte == b'"')?;
    let realm = &rest[..end];
    let is_plain = realm.iter().all(|byte| matches!(byte, b' '..=b'~')) && !realm.contains(&b'\\');
    (start.eq_ignore_ascii_case(START) && is_plain).then_some(realm)
}

/// Reads one entry of the plaintext file or of the daemon's protocol, as strictly as a request.
pub fn entry(lines: AttributeLines<'_>) -> Result<Query, Error> {
    let mut reader = AttributeReader::default();
    for line in lines {
        reader.take(&line?)?;
    }
    let query = reader.query;
    whole(&query)?;
    Ok(query)
}

/// Reads the text of a keychain item, as git's own keychain helpers write it: the password, a line end, attribute lines. The
/// key is not in the text: the item's attributes hold it.
pub fn body(text: &[u8]) -> Result<Query, Error> {
    let (password, lines) = match text.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &b""[..]),
    };
    let password = password.strip_suffix(b"\r").unwrap_or(password);
    if password.iter().any(|&byte| byte == 0 || byte == b'\r') {
        return Err(Error::Control { line: 1 });
    }
    let mut reader = AttributeReader::default();
    reader.query.password = Some(Secret::new(password));
    // As git's helpers, skip lines that are no attributes: another program wrote them.
    for line in AttributeLines::new(lines).flatten() {
        if matches!(
            line.key,
            b"password_expiry_utc" | b"oauth_refresh_token" | b"authtype" | b"credential"
        ) {
            reader.take(&line)?;
        }
    }
    Ok(reader.query)
}

/// Collects the attributes of a credential and rejects repeated ones.
#[derive(Default)]
struct AttributeReader {
    query: Query,
    has_expiry_line: Option<()>,
}

impl AttributeReader {
    fn take(&mut self, line: &AttributeLine<'_>) -> Result<(), Error> {
        let value = line.value;
        let said = &mut self.query;
        let number = line.number;
        let malformed = |key| Error::Malformed { line: number, key };
        let well_formed =
            |is_well_formed: bool, key| is_well_formed.then_some(()).ok_or_else(|| malformed(key));
        match line.key {
            b"protocol" => {
                well_formed(value.is_empty() || is_protocol(value), "protocol")?;
                once(&mut said.protocol, value.to_vec(), line, "protocol")
            }
            b"host" => {
                well_formed(value.is_empty() || is_host(value), "host")?;
                once(&mut said.host, value.to_ascii_lowercase(), line, "host")
            }
            b"path" => {
                well_formed(is_path(value), "path")?;
                once(&mut said.path, value.to_vec(), line, "path")
            }
            b"username" => once(&mut said.username, value.into(), line, "username"),
            b"password" => once(&mut said.password, Secret::new(value), line, "password"),
            b"authtype" => once(&mut said.authtype, value.to_vec(), line, "authtype"),
            b"credential" => once(&mut said.credential, Secret::new(value), line, "credential"),
            b"password_expiry_utc" => {
                said.expiry = Expiry::parse(value);
                once(&mut self.has_expiry_line, (), line, "password_expiry_utc")
            }
            b"oauth_refresh_token" => once(
                &mut said.refresh_token,
                Secret::new(value),
                line,
                "oauth_refresh_token",
            ),
            _ => Ok(()),
        }
    }
}

/// Fills `slot`. Fails if it is full: git never repeats an attribute with one value, and an attacker who does wants two readers
/// to see different values.
fn once<T>(
    slot: &mut Option<T>,
    value: T,
    line: &AttributeLine<'_>,
    key: &'static str,
) -> Result<(), Error> {
    let line = line.number;
    match slot.replace(value) {
        Some(_) => Err(Error::Repeated { line, key }),
        None => Ok(()),
    }
}

fn boolean(line: &AttributeLine<'_>, key: &'static str) -> Result<bool, Error> {
    boolean::parse(line.value).ok_or(Error::Malformed {
        line: line.number,
        key,
    })
}

/// Fills missing attributes from `url`, and fails on a contradiction. Ignores the path for HTTP unless `path` is given: git
/// sends it only with `credential.useHttpPath`.
fn agree(query: &mut Query, url: Query) -> Result<(), Error> {
    let is_http = matches!(url.protocol.as_deref(), Some(b"http" | b"https"));
    let path = url.path.filter(|_| !is_http || query.path.is_some());
    fill("protocol", &mut query.protocol, url.protocol)?;
    fill("host", &mut query.host, url.host)?;
    fill("username", &mut query.username, url.username)?;
    fill("path", &mut query.path, path)
}

fn fill<T: PartialEq>(
    key: &'static str,
    said: &mut Option<T>,
    in_url: Option<T>,
) -> Result<(), Error> {
    match (&said, in_url) {
        (None, in_url) => *said = in_url,
        (Some(said), Some(in_url)) if *said != in_url => return Err(Error::Disagrees { key }),
        _ => {}
    }
    Ok(())
}

/// Fails without protocol or host: such a request would match every entry. git leaves the host empty only for the password of
/// a client certificate, identified by its path.
fn whole(query: &Query) -> Result<(), Error> {
    let protocol = query.protocol.as_deref().unwrap_or_default();
    let has_path = query.path.as_ref().is_some_and(|path| !path.is_empty());
    match (protocol, query.host.as_deref()) {
        (b"", _) => Err(Error::Missing { key: "protocol" }),
        (_, Some([_, ..])) => Ok(()),
        (b"cert", Some([])) if has_path => Ok(()),
        _ => Err(Error::Missing { key: "host" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &[u8] = b"protocol=https\nhost=victim.test\n";

    fn read(bytes: &[u8]) -> Result<Request, Error> {
        let mut source = bytes;
        request(receive(&mut source)?.as_slice())
    }

    #[test]
    fn reads_what_git_writes() {
        let request = read(
            b"capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=Example.test:8443\npath=a=b\nusername=\n\
              password= p=\xFF \npassword_expiry_utc=1795651200\noauth_refresh_token=r\nwwwauth[]=Basic realm=\"x\"\n\
              state[]=other:1\nfrom_a_later_git=1\n=x\n",
        )
        .unwrap();
        let said = request.query;
        assert!(request.understands.authtype && !request.is_ephemeral);
        assert_eq!(said.host.as_deref(), Some(&b"example.test:8443"[..]));
        assert_eq!(said.path.as_deref(), Some(&b"a=b"[..]));
        assert_eq!(said.username, Some("".into()));
        assert_eq!(said.password.unwrap().expose(), b" p=\xFF ");
        assert_eq!(said.expiry.map(Expiry::unix), Some(1_795_651_200));
        assert_eq!(said.refresh_token.unwrap().expose(), b"r");
    }

    #[test]
    fn a_blank_line_or_the_end_ends_it() {
        for bytes in [
            &b"protocol=https\nhost=victim.test"[..],
            b"protocol=https\nhost=victim.test\n\nhost=evil.test\n",
            b"protocol=https\r\nhost=victim.test\r\n\r\nhost=evil.test",
        ] {
            assert_eq!(
                read(bytes).unwrap().query.host.as_deref(),
                Some(&b"victim.test"[..])
            );
        }
    }

    #[test]
    fn an_open_pipe_is_not_waited_for_after_the_blank_line() {
        struct Once(Option<&'static [u8]>);
        impl Read for Once {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let bytes = self.0.take().expect("read after the blank line");
                buffer[..bytes.len()].copy_from_slice(bytes);
                Ok(bytes.len())
            }
        }
        assert!(receive(&mut Once(Some(b"protocol=https\nhost=victim.test\n\n"))).is_ok());
    }

    #[test]
    fn refuses_what_git_never_writes() {
        let long_host = [&b"protocol=https\nhost="[..], &b"A".repeat(65_530), b"\n"].concat();
        let cases: [&[u8]; 27] = [
            b"",
            b"\n",
            b"protocol=https\n\n",
            b"host=victim.test\n\n",
            b"protocol=https\nhost=\n\n",
            b"protocol=\nhost=victim.test\n\n",
            b"username=victim\n\n",
            b"protocol=https\nhost=evil.test\rhost=victim.test\n\n",
            b"protocol=https\nhost=evil.test\r\r\n\n",
            b"protocol=https\nhost=victim.test\r",
            b"protocol=https\nhost=victim.test\0.evil.test\n\n",
            b"protocol=https\nhost=victim.test\nx\0=1\n\n",
            b"protocol=https\nhost=evil.test\nhost=victim.test\n\n",
            b"protocol=https\nprotocol=https\nhost=victim.test\n\n",
            b"protocol=https\nhost=victim.test\nusername=a\nusername=a\n\n",
            b"protocol=https\nhost=victim.test\npath=a\npath=b\n\n",
            b"protocol=https\nhost=victim.test\nquit=0\nquit=0\n\n",
            b"protocol=https\nhost=victim.test\ncontinue=1\ncontinue=1\n\n",
            b"protocol=https\nhost\n\n",
            b"protocol=https\nhost=victim.test\nephemeral=maybe\n\n",
            b"protocol=https\nhost=good.test@victim.test\n\n",
            b"url=https://evil.test\nprotocol=https\nhost=victim.test\n\n",
            b"url=https://alice@victim.test\nprotocol=https\nhost=victim.test\nusername=bob\n\n",
            b"url=https://victim.test/a\npath=b\n\n",
            b"url=https://u:p@victim.test\n\n",
            b"protocol=cert\nhost=\n\n",
            &long_host,
        ];
        for bytes in cases {
            assert!(
                read(bytes).is_err(),
                "{}",
                bytes[..bytes.len().min(80)].escape_ascii()
            );
        }
    }

    #[test]
    fn errors_hold_no_value() {
        let error = read(b"protocol=https\nhost=victim.test\nmy-password-pasted\n\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 3 of the request has no '=' (18 bytes)"
        );
        assert!(!format!("{error:?}").contains("pasted"));
    }

    #[test]
    fn a_url_fills_in_and_agrees() {
        for bytes in [
            &b"url=https://victim.test\n\n"[..],
            b"url=https://victim.test/some/repo.git\nprotocol=https\nhost=victim.test\n",
            b"protocol=https\nhost=VICTIM.test\nurl=https://Victim.Test\n",
        ] {
            let said = read(bytes).unwrap().query;
            assert_eq!(
                (said.host.as_deref(), said.path),
                (Some(&b"victim.test"[..]), None)
            );
        }
        let cert = read(b"url=cert:///home/u/c.pem\n").unwrap().query;
        assert_eq!(cert.path.as_deref(), Some(&b"home/u/c.pem"[..]));
    }

    #[test]
    fn a_long_foreign_line_is_passed_over_whole() {
        for border in [1024, 4096, 8192, 65_535, 65_536, 102_400, 300_000] {
            let mut bytes = ASKED.to_vec();
            bytes.extend_from_slice(b"wwwauth[]=");
            bytes.resize(bytes.len() + border - 11, b'A');
            bytes.extend_from_slice(b"host=evil.test\n\n");
            assert_eq!(
                read(&bytes).unwrap().query.host.as_deref(),
                Some(&b"victim.test"[..]),
                "{border}"
            );
        }
    }

    #[test]
    fn stops_at_the_limit() {
        struct Endless(usize);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                buffer.fill(b'A');
                self.0 += buffer.len();
                assert!(self.0 <= LIMIT + 1, "read past the limit");
                Ok(buffer.len())
            }
        }
        assert!(matches!(receive(&mut Endless(0)), Err(Error::TooLarge)));
        let many = [ASKED, &b"wwwauth[]=a\n".repeat(100_000)].concat();
        assert!(matches!(read(&many), Err(Error::TooLarge)));
    }

    #[test]
    fn a_long_line_in_small_pieces_is_searched_once() {
        struct Drip(usize);
        impl Read for Drip {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                if self.0 == 0 {
                    return Ok(0);
                }
                self.0 -= 1;
                buffer[0] = b'A';
                Ok(1)
            }
        }
        let begun = std::time::Instant::now();
        assert_eq!(receive(&mut Drip(LIMIT)).unwrap().as_slice().len(), LIMIT);
        assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    }

    #[test]
    fn an_empty_capability_resets_the_list() {
        let asked = |list: &[u8]| read(&[ASKED, list].concat()).unwrap().understands.authtype;
        assert!(asked(b"capability[]=state\ncapability[]=authtype\n"));
        assert!(!asked(b"capability[]=authtype\ncapability[]=\n"));
        assert!(!asked(b"capability[]=state\n"));
    }

    #[test]
    fn keeps_a_few_short_realms() {
        let realms = |lines: &[u8]| {
            let request = read(&[ASKED, lines].concat()).unwrap();
            request
                .realms
                .iter()
                .map(|realm| String::from_utf8(realm.clone()).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            realms(b"wwwauth[]=Basic realm=\"Gitea\"\nwwwauth[]=basic REALM=\"GitLab\", charset=\"UTF-8\"\n"),
            ["Gitea", "GitLab"]
        );
        assert_eq!(
            realms(b"wwwauth[]=Basic realm=\"a\"\nwwwauth[]=\nwwwauth[]=Basic realm=\"b\"\n"),
            ["b"]
        );
        assert_eq!(
            realms(&b"wwwauth[]=Basic realm=\"a\"\n".repeat(1000)).len(),
            MOST_REALMS
        );
        for none in [
            &b"Bearer realm=\"Gitea\""[..],
            b"Basic realm=Gitea",
            b"Basic realm=\"Gitea",
            b"Basic realm=\"Git\\ea\"",
            b"Basic realm=\"Git\x1bea\"",
            b"Basic",
            &[b"Basic realm=\"", &b"A".repeat(70_000)[..], b"\""].concat(),
        ] {
            assert_eq!(realms(&[b"wwwauth[]=", none, b"\n"].concat()), [""; 0]);
        }
    }

    #[test]
    fn states_are_a_list_of_their_own() {
        let asked = |list: &[u8]| read(&[ASKED, list].concat()).unwrap();
        let request = asked(b"capability[]=state\nstate[]=a:1\nstate[]=b:2\n");
        assert!(request.understands.state && !request.understands.authtype);
        assert_eq!(request.state, [b"a:1", b"b:2"]);
        let reset =
            asked(b"capability[]=state\ncapability[]=\nstate[]=a:1\nstate[]=\nstate[]=c:3\n");
        assert!(!reset.understands.state);
        assert_eq!(reset.state, [b"c:3"]);
    }

    #[test]
    fn an_unreadable_expiry_is_none_and_said() {
        let request = read(&[ASKED, b"password_expiry_utc=12abc\n"].concat()).unwrap();
        assert!(request.has_unreadable_expiry && request.query.expiry.is_none());
        assert!(!read(ASKED).unwrap().has_unreadable_expiry);
    }

    #[test]
    fn keychain_bodies() {
        let said =
            body(b"p=w\npassword_expiry_utc=5\r\noauth_refresh_token=r\nnonsense\n").unwrap();
        assert_eq!(said.password.unwrap().expose(), b"p=w");
        assert_eq!(said.expiry.map(Expiry::unix), Some(5));
        assert_eq!(said.refresh_token.unwrap().expose(), b"r");
        assert_eq!(body(b"").unwrap().password.unwrap().expose(), b"");
        assert!(body(b"a\rb").is_err() && body(b"a\0b").is_err());
    }
}
