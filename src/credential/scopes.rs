//! Scopes of a token: short words, which are written down and shown.

/// More scopes, or longer ones, than any forge has are no scopes.
const MOST_SCOPES: usize = 64;
const LONGEST_SCOPE: usize = 64;

/// Reads a list of scopes with commas or blanks between; `None` if it is none.
pub fn scopes_of(text: &str) -> Option<Vec<String>> {
    let words = text
        .split([',', ' '])
        .map(str::trim)
        .filter(|word| !word.is_empty());
    checked_scopes(words.map(str::to_owned).collect())
}

/// `scopes`, if they can be scopes: they are written down and shown.
pub fn checked_scopes(scopes: Vec<String>) -> Option<Vec<String>> {
    let is_scope = |scope: &String| {
        !scope.is_empty()
            && scope.len() <= LONGEST_SCOPE
            && scope
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b":_-./*".contains(&byte))
    };
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
