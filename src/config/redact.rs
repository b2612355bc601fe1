//! Removes values from messages about `config.toml`: a value may be a token in the wrong place.

/// The value stands in backticks or quotes, before the expected type. It stays if it looks like a setting's name or a number.
pub(super) fn without_values(message: &str) -> String {
    let delimiters = ['`', '"'];
    let end = message
        .rfind(", expected")
        .or_else(|| message.rfind(", there are no fields"))
        .unwrap_or(message.len());
    let Some(start) = message[..end].find(delimiters) else {
        return message.to_owned();
    };
    let value = message[start..end].trim_matches(delimiters);
    let is_name = (1..=32).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_name || value.len() <= 3 || value.parse::<i32>().is_ok() {
        message.to_owned()
    } else {
        format!("{}…{}", &message[..start], &message[end..])
    }
}
