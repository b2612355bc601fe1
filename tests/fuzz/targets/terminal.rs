//! Foreign text made safe for a terminal: nothing in it controls, nothing turns the direction, nothing is left out.
#![no_main]

use git_credential_pat::terminal::escape::safe;
use libfuzzer_sys::fuzz_target;

/// Taken from Unicode's tables: Bidi_Control (PropList.txt), and line ends beyond ASCII.
const TURNING: [char; 14] = [
    '\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
    '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}', '\u{2028}', '\u{2029}',
];

fuzz_target!(|data: &[u8]| {
    let shown = safe(data);
    for c in shown.chars() {
        // Cc is C0, DEL and C1.
        assert!(
            !c.is_control() && !TURNING.contains(&c),
            "{:x}",
            u32::from(c)
        );
    }
    assert!(shown.chars().count() <= 256);
    assert_eq!(
        safe(shown.as_bytes()),
        shown,
        "what is safe is shown as it is"
    );
    if data.len() < 256 && data.iter().all(|byte| (32..127).contains(byte)) {
        assert_eq!(shown.as_bytes(), data);
    }
    assert_eq!(shown.is_empty(), data.is_empty());
});
