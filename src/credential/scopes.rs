//! Scopes of a token: a check before they are saved and shown.

use super::host::consists_of;

/// No forge has more scopes, or longer ones.
const MOST_SCOPES: usize = 64;
const LONGEST_SCOPE: usize = 64;

/// Reads scopes separated by commas or spaces; `None` if one is invalid.
pub fn scopes_of(text: &str) -> Option<Vec<String>> {
    let words = text
        .split([',', ' '])
        .map(str::trim)
        .filter(|word| !word.is_empty());
    checked_scopes(words.map(str::to_owned).collect())
}

/// Returns `scopes` if each of them is valid.
pub fn checked_scopes(scopes: Vec<String>) -> Option<Vec<String>> {
    let is_scope =
        |scope: &String| scope.len() <= LONGEST_SCOPE && consists_of(scope.as_bytes(), b":_-./*");
    (scopes.len() <= MOST_SCOPES && scopes.iter().all(is_scope)).then_some(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_words() {
        let found = |text: &str| scopes_of(text).map(|scopes| scopes.join("+"));
        assert_eq!(
            found("repo, workflow,read:org").unwrap(),
            "repo+workflow+read:org"
        );
        assert_eq!(found("").unwrap(), "");
        for wrong in ["a\nb=c", "re\u{202e}po", "a=b", &"x".repeat(65)] {
            assert_eq!(found(wrong), None, "{wrong}");
        }
        assert_eq!(found(&"a,".repeat(65)), None);
    }
}
