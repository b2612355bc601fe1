//! Tables as text: columns if they fit the terminal, else paragraphs.

use std::fmt::Write as _;

use anstyle::Style;
use unicode_width::UnicodeWidthChar;

const BAR: usize = 10;
/// Between two columns.
const GAP: usize = 2;
/// The time that a full bar stands for: a tenth of it is three days.
const FULL_BAR: u64 = 30 * 86_400;

/// Lays out a heading and rows in columns as wide as they need to be, without a frame. If `columns`, the width of the terminal,
/// is smaller, each row is a paragraph with a line for each cell. An empty column is left out. `bold`: the style of the heading.
pub(super) fn laid_out(
    heading: &[&str],
    rows: &[Vec<String>],
    columns: Option<usize>,
    bold: Style,
) -> String {
    // A column without any text keeps the width 0, and is left out.
    let mut widths = vec![0; heading.len()];
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = (*widest).max(width(cell));
        }
    }
    for (widest, head) in widths
        .iter_mut()
        .zip(heading)
        .filter(|(widest, _)| **widest > 0)
    {
        *widest = (*widest).max(width(head));
    }
    let shown = widths.iter().filter(|width| **width > 0);
    let whole: usize = shown.map(|width| width + GAP).sum();
    if columns.is_none_or(|columns| whole <= columns + GAP) {
        in_columns(heading, rows, &widths, bold)
    } else {
        in_paragraphs(heading, rows, bold)
    }
}

fn in_columns(heading: &[&str], rows: &[Vec<String>], widths: &[usize], bold: Style) -> String {
    let lay = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, widest) in cells.zip(widths).filter(|(_, widest)| **widest > 0) {
            let gap = " ".repeat(widest.saturating_sub(width(cell)) + GAP);
            let _ = write!(text, "{cell}{gap}");
        }
        text.trim_end().to_owned()
    };
    let head = lay(&mut heading.iter().copied());
    let mut text = format!("{bold}{head}{bold:#}\n");
    for row in rows {
        text.push_str(&lay(&mut row.iter().map(String::as_str)));
        text.push('\n');
    }
    text
}

fn in_paragraphs(heading: &[&str], rows: &[Vec<String>], bold: Style) -> String {
    let widest = heading.iter().map(|head| width(head)).max().unwrap_or(0);
    let mut paragraphs = Vec::new();
    for row in rows {
        let mut text = String::new();
        for (head, cell) in heading.iter().zip(row) {
            if !cell.is_empty() {
                let gap = " ".repeat(widest - width(head) + GAP);
                let _ = writeln!(text, "{bold}{head}{bold:#}{gap}{cell}");
            }
        }
        paragraphs.push(text);
    }
    paragraphs.join("\n")
}

/// The rest of thirty days in ten steps, rounded up: `[####------]`.
pub(super) fn bar(left: u64) -> String {
    let steps = left.min(FULL_BAR).div_ceil(FULL_BAR / BAR as u64);
    let filled = usize::try_from(steps).unwrap_or(BAR);
    format!("[{}{}]", "#".repeat(filled), "-".repeat(BAR - filled))
}

fn width(text: &str) -> usize {
    text.chars()
        .map(|character| character.width().unwrap_or(0))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars() {
        for (left, shown) in [
            (0, "[----------]"),
            (1, "[#---------]"),
            (3 * 86_400, "[#---------]"),
            (3 * 86_400 + 1, "[##--------]"),
            (30 * 86_400, "[##########]"),
            (400 * 86_400, "[##########]"),
        ] {
            assert_eq!(bar(left), shown);
        }
    }
}
