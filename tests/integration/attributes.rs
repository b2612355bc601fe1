//! Attribute lines, as the tests write and read them: a reader of their own, so that the one under test is not its own judge.

/// Joins `key=value` pairs into lines, with the blank line that scripts send.
pub fn lines(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in pairs {
        bytes.extend_from_slice(format!("{key}={value}\n").as_bytes());
    }
    bytes.push(b'\n');
    bytes
}

/// The attributes of an answer, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer(Vec<(String, String)>);

impl Answer {
    /// Reads what a helper or `git credential fill` printed.
    pub fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Self(
            pairs
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// The value of `key`, if it is there.
    pub fn get(&self, key: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(known, _)| known == key);
        found.next_back().map(|(_, value)| &value[..])
    }

    /// Whether there is a password or an authorization in it.
    pub fn has_secret(&self) -> bool {
        self.get("password").is_some() || self.get("credential").is_some()
    }
}
