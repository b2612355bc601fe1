//! Tables as text: columns that fit the terminal, or a block for each entry.
//!
//! A table that is too wide gives way by the steps of its layout, one after the other: `("SCOPES", 12)` shortens that column
//! as far as necessary, but not below 12, and `("SCOPES", 0)` leaves it out. What the last step leaves free goes back to shortened
//! columns. A shortened cell is its longest short form that fits, or has `…` at its end. A wrapped one has several lines. Before the
//! first step the URLs lose `https://`. A shortened URL keeps its host and the end of its path.

pub(super) mod cell;
mod shorten;

use std::fmt::Write as _;

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use self::cell::{Cell, Tone};

const BAR: usize = 10;
/// Between two columns.
const GAP: usize = 2;
/// A narrower terminal shows a block for each entry.
const NARROWEST: usize = 60;
/// The time that a full bar stands for: a tenth of it is three days.
const FULL_BAR: u64 = 30 * 86_400;

/// The columns of a table in their order, and the steps by which they give way. A step names a column and its new width.
pub(super) struct Layout {
    pub(super) headings: &'static [&'static str],
    pub(super) steps: &'static [(&'static str, usize)],
}

/// Lays out `rows` for a terminal with `columns` columns; `None`: everything is shown in full, as in a pipe. A column without text
/// is left out. `style` gives the style of a tone.
pub(super) fn laid_out(
    layout: &Layout,
    rows: &[Vec<Cell>],
    columns: Option<usize>,
    style: impl Fn(Tone) -> Style,
) -> String {
    if columns.is_some_and(|columns| columns < NARROWEST) {
        return in_blocks(layout, rows, style);
    }
    let columns = columns.unwrap_or(usize::MAX);
    let headings = layout.headings.iter();
    let headings = headings.map(|heading| Cell::toned(*heading, Tone::Heading));
    let mut all = vec![headings.collect::<Vec<_>>()];
    all.extend_from_slice(rows);
    let mut widths = full_widths(&all);
    if excess(&widths, columns) > 0 {
        all.iter_mut().flatten().for_each(Cell::drop_https);
        widths = shrunk_widths(layout, &all, columns);
    }
    let mut text = String::new();
    for row in &all {
        write_row(&mut text, row, &widths, &style);
    }
    text
}

fn write_row(text: &mut String, row: &[Cell], widths: &[usize], style: impl Fn(Tone) -> Style) {
    let cells = row.iter().zip(widths).filter(|(_, width)| **width > 0);
    let cells: Vec<_> = cells
        .map(|(cell, &width)| (cell.lines(width), style(cell.tone), width))
        .collect();
    let height = cells.iter().map(|(lines, ..)| lines.len()).max();
    for line in 0..height.unwrap_or(0) {
        let mut pending = 0;
        for (lines, style, width) in &cells {
            let shown = lines.get(line).map_or("", String::as_str);
            if !shown.is_empty() {
                let _ = write!(text, "{:pending$}{style}{shown}{style:#}", "");
                pending = 0;
            }
            pending += width - shown.width() + GAP;
        }
        text.push('\n');
    }
}

/// The width of each column; zero: no cell of the column has text.
fn full_widths(all: &[Vec<Cell>]) -> Vec<usize> {
    let mut widths = Vec::new();
    for (index, heading) in all[0].iter().enumerate() {
        let cells = all[1..].iter().map(|row| row[index].text.width());
        let widest = cells.max().filter(|width| *width > 0);
        widths.push(widest.map_or(0, |widest| widest.max(heading.text.width())));
    }
    widths
}

/// By how much columns of these widths are too wide together.
fn excess(widths: &[usize], columns: usize) -> usize {
    let shown = widths.iter().filter(|width| **width > 0);
    let whole: usize = shown.map(|width| width + GAP).sum();
    whole.saturating_sub(columns.saturating_add(GAP))
}

/// The width of each column after as many steps as necessary; zero: the column is left out.
fn shrunk_widths(layout: &Layout, all: &[Vec<Cell>], columns: usize) -> Vec<usize> {
    let mut widths = full_widths(all);
    // Hosts are shortened only if nothing else can give way.
    for keeps_hosts in [true, false] {
        for (heading, least) in layout.steps {
            let excess = excess(&widths, columns);
            let at = layout.headings.iter().position(|known| known == heading);
            let Some(at) = at.filter(|_| excess > 0) else {
                continue;
            };
            let floors = all.iter().map(|row| row[at].floor());
            let floor = floors.max().filter(|_| keeps_hosts).unwrap_or(0);
            let needed = widths[at].saturating_sub(excess);
            widths[at] = match *least {
                0 => 0,
                least => least.max(floor).max(needed).min(widths[at]),
            };
        }
    }
    give_back(layout, all, &mut widths, columns);
    widths
}

/// Gives the columns that are still free to shortened cells, those first that the last steps shortened.
fn give_back(layout: &Layout, all: &[Vec<Cell>], widths: &mut [usize], columns: usize) {
    let full = full_widths(all);
    let used = |at: usize, width: usize| {
        let cells = all.iter().map(|row| row[at].width_in(width));
        cells.max().unwrap_or(0)
    };
    for (at, width) in widths
        .iter_mut()
        .enumerate()
        .filter(|(_, width)| **width > 0)
    {
        *width = used(at, *width);
    }
    for (heading, _) in layout.steps.iter().rev() {
        let at = layout.headings.iter().position(|known| known == heading);
        let Some(at) = at.filter(|at| widths[*at] > 0) else {
            continue;
        };
        let taken: usize = widths
            .iter()
            .filter(|width| **width > 0)
            .map(|width| width + GAP)
            .sum();
        let free = (columns + GAP).saturating_sub(taken);
        widths[at] = used(at, full[at].min(widths[at] + free));
    }
}

fn in_blocks(layout: &Layout, rows: &[Vec<Cell>], style: impl Fn(Tone) -> Style) -> String {
    let headings = layout.headings.iter();
    let widest = headings.map(|heading| heading.width()).max().unwrap_or(0);
    let bold = style(Tone::Heading);
    let mut blocks = Vec::new();
    for row in rows {
        let mut text = String::new();
        for (heading, cell) in layout.headings.iter().zip(row) {
            if cell.text.is_empty() {
                continue;
            }
            let (style, shown) = (style(cell.tone), &cell.text);
            let gap = widest - heading.width() + GAP;
            let _ = writeln!(
                text,
                "{bold}{heading}{bold:#}{:gap$}{style}{shown}{style:#}",
                ""
            );
        }
        blocks.push(text);
    }
    blocks.join("\n")
}

/// The rest of thirty days in ten steps, rounded up: `[####------]`.
pub(super) fn bar(left: u64) -> String {
    let steps = left.min(FULL_BAR).div_ceil(FULL_BAR / BAR as u64);
    let filled = usize::try_from(steps).unwrap_or(BAR);
    format!("[{}{}]", "#".repeat(filled), "-".repeat(BAR - filled))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::StorageKind;

    const LAYOUT: Layout = Layout {
        headings: &["URL", "USER", "SCOPES", "EXPIRES"],
        steps: &[
            ("SCOPES", 6),
            ("SCOPES", 0),
            ("URL", 24),
            ("EXPIRES", 9),
            ("USER", 8),
            ("URL", 20),
        ],
    };

    fn plain(rows: &[[&str; 4]], columns: Option<usize>) -> String {
        let mut cells = Vec::new();
        for [url, user, scopes, expires] in rows {
            let url = Cell::url((*url).to_owned());
            cells.push(vec![
                url,
                (*user).into(),
                (*scopes).into(),
                (*expires).into(),
            ]);
        }
        laid_out(&LAYOUT, &cells, columns, |_| Style::new())
    }

    const ROWS: [[&str; 4]; 2] = [
        [
            "https://gitlab.example.com/group/subgroup/project.git",
            "octocat",
            "read_repository write_repository",
            "in 5 days",
        ],
        [
            "https://github.com",
            "\u{6771}\u{4eac}\u{90fd}\u{4e00}\u{4e8c}",
            "repo",
            "unknown",
        ],
    ];

    #[test]
    fn columns_are_shortened_and_dropped_in_their_order() {
        for (columns, head, row) in [
            (
                200,
                "URL                                                    USER        SCOPES                            EXPIRES",
                "https://gitlab.example.com/group/subgroup/project.git  octocat     read_repository write_repository  in 5 days",
            ),
            (
                100,
                "URL                                            USER        SCOPES                          EXPIRES",
                "gitlab.example.com/group/subgroup/project.git  octocat     read_repository write_reposit\u{2026}  in 5 days",
            ),
            (
                70,
                "URL                                            USER        EXPIRES",
                "gitlab.example.com/group/subgroup/project.git  octocat     in 5 days",
            ),
            (
                60,
                "URL                                    USER        EXPIRES",
                "gitlab.example.com/\u{2026}group/project.git  octocat     in 5 days",
            ),
        ] {
            let text = plain(&ROWS, Some(columns));
            let lines: Vec<&str> = text.lines().collect();
            assert_eq!(lines[..2], [head, row], "{columns}");
            assert!(lines.iter().all(|line| line.width() <= columns), "{text}");
        }
    }

    #[test]
    fn every_width_from_sixty_on_fits_and_narrower_ones_show_blocks() {
        for columns in 60..120 {
            let text = plain(&ROWS, Some(columns));
            assert!(text.lines().all(|line| line.width() <= columns), "{text}");
            assert_eq!(text.lines().count(), 3);
            assert!(text.contains("\u{6771}\u{4eac}"), "{text}");
        }
        let host = "a".repeat(70);
        let url = format!("https://{host}.test/acme/repository");
        let text = plain(&[[&url, "octocat", "repo", "in 5 days"]], Some(60));
        assert!(text.lines().all(|line| line.width() <= 60), "{text}");
        assert!(
            text.contains(".test/\u{2026}  octocat  in 5 days"),
            "{text}"
        );
        let narrow = plain(&ROWS, Some(59));
        let first =
            "URL      https://gitlab.example.com/group/subgroup/project.git\nUSER     octocat\n";
        assert!(narrow.starts_with(first), "{narrow}");
    }

    /// A URL of 42 columns, a storage and a state.
    fn with_storage(columns: usize) -> String {
        const LAYOUT: Layout = Layout {
            headings: &["URL", "STORAGE", "STATE", "DATE"],
            steps: &[("STORAGE", 9), ("STATE", 24), ("DATE", 0), ("URL", 16)],
        };
        let row = vec![
            Cell::url("https://git.example.com/group/project.git".to_owned()),
            Cell::storage(StorageKind::File),
            Cell::from("expires in 5 days (3 Dec 2026); no answer").wrapped(),
            "3 Dec 2026".into(),
        ];
        laid_out(&LAYOUT, &[row], Some(columns), |_| Style::new())
    }

    #[test]
    fn free_columns_go_back_to_shortened_cells() {
        let text = with_storage(79);
        let line = "project.git  plaintext  expires in 5 days (3 Dec 2026);\n";
        assert!(text.contains(line), "{text}");
        assert!(text.ends_with("  no answer\n"), "{text}");
    }

    #[test]
    fn a_short_form_and_a_wrapped_cell_stay_readable() {
        let text = with_storage(60);
        let line = "git.example.com/\u{2026}ect.git  plaintext  expires in 5 days\n";
        assert!(text.contains(line), "{text}");
        assert!(text.ends_with("  (3 Dec 2026); no answer\n"), "{text}");
    }

    #[test]
    fn a_pipe_gets_every_cell_in_full() {
        let text = plain(&ROWS, None);
        for cell in ROWS.as_flattened() {
            assert!(text.contains(cell), "{cell}: {text}");
        }
    }

    #[test]
    fn a_style_adds_nothing_to_the_width() {
        let mut row: Vec<Cell> = ["u", "a", ""].map(Cell::from).to_vec();
        row.push(Cell::toned("expired", Tone::Bad));
        let style = |tone| match tone {
            Tone::Bad => anstyle::AnsiColor::Red.on_default(),
            _ => Style::new(),
        };
        let text = laid_out(&LAYOUT, &[row], Some(80), style);
        assert_eq!(
            text,
            "URL  USER  EXPIRES\nu    a     \x1b[31mexpired\x1b[0m\n"
        );
    }

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
