//! A table as Markdown whose columns also line up in a terminal.

use std::fmt::{Display, Formatter, Result};
use std::time::Duration;

pub struct Table(Vec<Vec<String>>);

impl Table {
    pub fn new(titles: &[&str]) -> Self {
        Self(vec![titles.iter().map(ToString::to_string).collect()])
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        assert_eq!(cells.len(), self.0[0].len(), "{cells:?}");
        self.0.push(cells);
    }
}

impl Display for Table {
    /// Columns of numbers are aligned to the right.
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let columns = 0..self.0[0].len();
        let width = |column: usize| {
            self.0
                .iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap()
                .max(3)
        };
        let is_number = |cell: &str| {
            cell.starts_with(|first: char| first.is_ascii_digit() || "-≤≥".contains(first))
        };
        let formats = columns.map(|column| {
            (
                width(column),
                self.0[1..].iter().all(|row| is_number(&row[column])),
            )
        });
        let formats: Vec<(usize, bool)> = formats.collect();
        for (at, row) in self.0.iter().enumerate() {
            for (cell, &(width, is_right)) in row.iter().zip(&formats) {
                if is_right {
                    write!(formatter, "| {cell:>width$} ")?;
                } else {
                    write!(formatter, "| {cell:<width$} ")?;
                }
            }
            writeln!(formatter, "|")?;
            if at == 0 {
                for &(width, is_right) in &formats {
                    let end = if is_right { ":" } else { "-" };
                    write!(formatter, "|{}{end}", "-".repeat(width + 1))?;
                }
                writeln!(formatter, "|")?;
            }
        }
        Ok(())
    }
}

pub fn microseconds(time: Duration) -> String {
    grouped(u64::try_from(time.as_micros()).unwrap())
}

pub fn seconds(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

pub fn ratio(ratio: f64) -> String {
    format!("{ratio:.2}")
}

/// With a comma between groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A cell for a figure that was not measured.
pub fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}
