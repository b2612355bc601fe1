//! Tokens that hold their own expiry: JSON web tokens (RFC 7519).

use serde::Deserialize;
use zeroize::Zeroizing;

use super::expiry::Expiry;

/// In bytes: longer than any token in a header.
const LONGEST: usize = 16 * 1024;
/// In Unix seconds: later than any [`Expiry`].
const LATEST: f64 = 1e15;

#[derive(Deserialize)]
struct JwtHeader {
    #[serde(rename = "alg")]
    _algorithm: String,
}

#[derive(Deserialize)]
struct Claims {
    /// Seconds since 1970; not always whole ones (RFC 7519 §2, `NumericDate`).
    exp: Option<f64>,
}

/// Returns the `exp` of a JSON web token, which may stand after a prefix that ends with `_`. The signature is not verified: a
/// wrong expiry only harms the owner of the token.
pub fn end_of(token: &[u8]) -> Option<Expiry> {
    if token.len() > LONGEST {
        return None;
    }
    // A JSON object begins with `{"`, in this encoding `eyJ`.
    let start = token.windows(3).position(|window| window == b"eyJ")?;
    if start > 0 && token[start - 1] != b'_' {
        return None;
    }
    let mut parts = token[start..].split(|&byte| byte == b'.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || from_base64url(signature).is_none() {
        return None;
    }
    serde_json::from_slice::<JwtHeader>(&from_base64url(header)?).ok()?;
    let claims: Claims = serde_json::from_slice(&from_base64url(claims)?).ok()?;
    let exp = claims.exp.filter(|exp| (0.0..LATEST).contains(exp))?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // The range is checked above.
    Expiry::from_unix(exp as u64)
}

/// base64url without padding (RFC 4648 §5).
pub(crate) fn from_base64url(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    let (mut bits, mut held) = (0_u32, 0);
    for byte in text {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held).to_le_bytes()[0]);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "eyJhbGciOiJIUzI1NiJ9";

    #[test]
    fn tells_its_end() {
        // {"exp":1795651200}
        let claims = "eyJleHAiOjE3OTU2NTEyMDB9";
        let end = Expiry::from_unix(1_795_651_200);
        assert_eq!(end_of(format!("{HEADER}.{claims}.c2ln").as_bytes()), end);
        assert_eq!(
            end_of(format!("ghs_1234_{HEADER}.{claims}.c2ln").as_bytes()),
            end
        );
        // {"exp":1795651200.5}
        let part = "eyJleHAiOjE3OTU2NTEyMDAuNX0";
        assert_eq!(end_of(format!("{HEADER}.{part}.c2ln").as_bytes()), end);
        for other in [
            // {"exp":-1.0}
            format!("{HEADER}.eyJleHAiOi0xLjB9.c2ln"),
            format!("{HEADER}.{claims}"),
            format!("{HEADER}.{claims}.c2ln.x"),
            format!("x{HEADER}.{claims}.c2ln"),
            format!("{HEADER}.{HEADER}.c2ln"),
            format!("{claims}.{claims}.c2ln"),
            format!("{HEADER}.{claims}.c=ln"),
            // {"exp":"soon"}
            format!("{HEADER}.eyJleHAiOiJzb29uIn0.c2ln"),
            format!("{HEADER}.{claims}.{}", "a".repeat(LONGEST)),
            "eyJ".to_owned(),
            "ghp_made_up".to_owned(),
            String::new(),
        ] {
            assert_eq!(end_of(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn decodes_what_base64url_is() {
        assert_eq!(&from_base64url(b"-_8").unwrap()[..], b"\xfb\xff");
        assert_eq!(&from_base64url(b"").unwrap()[..], b"");
        assert!(from_base64url(b"a b").is_none() && from_base64url(b"a+b").is_none());
    }
}
