//! All that was measured: the sections with their tables, and the figures that have a budget.

use crate::programs::Build;
use crate::table::{Table, grouped, or_dash};

pub struct Section {
    pub title: &'static str,
    /// The explanation in the page.
    pub text: &'static str,
    pub table: Table,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Ours over git's: below 1, ours is faster.
    Ratio,
    /// A rate, ours over git's.
    Times,
    Count,
    Seconds,
    Mebibytes,
}

impl Unit {
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Ratio => format!("{value:.3}"),
            Self::Times => format!("{value:.1} ×"),
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            Self::Count => grouped(value as u64),
            Self::Seconds => format!("{value:.2} s"),
            Self::Mebibytes => format!("{value:.1} MiB"),
        }
    }
}

/// A figure of each build.
pub struct Figure {
    pub name: &'static str,
    pub unit: Unit,
    /// For the static musl build.
    pub budget: f64,
    /// For the static gnu build, where it has one.
    pub gnu_budget: Option<f64>,
    pub values: Vec<(Build, f64)>,
}

impl Figure {
    pub fn value(&self, build: Build) -> Option<f64> {
        let found = self.values.iter().find(|(of, _)| *of == build);
        found.map(|(_, value)| *value)
    }

    fn limit(&self, budget: f64) -> String {
        let sign = if self.unit == Unit::Times {
            "≥"
        } else {
            "≤"
        };
        format!("{sign} {}", self.unit.show(budget))
    }

    fn judged(&self, build: Build, budget: f64) -> Option<String> {
        let value = self.value(build)?;
        let is_within = if self.unit == Unit::Times {
            value >= budget
        } else {
            value <= budget
        };
        let verdict = if is_within { "ok" } else { "over" };
        Some(format!("{} {verdict}", self.unit.show(value)))
    }

    fn row(&self) -> [String; 5] {
        let gnu = match self.gnu_budget {
            Some(budget) => self.judged(Build::Gnu, budget),
            None => self.value(Build::Gnu).map(|value| self.unit.show(value)),
        };
        [
            self.name.to_owned(),
            self.limit(self.budget),
            or_dash(self.judged(Build::Musl, self.budget)),
            or_dash(self.gnu_budget.map(|budget| self.limit(budget))),
            or_dash(gnu),
        ]
    }
}

#[derive(Default)]
pub struct Report {
    pub sections: Vec<Section>,
    pub figures: Vec<Figure>,
}

impl Report {
    /// Prints the table and keeps it for the page.
    pub fn section(&mut self, title: &'static str, text: &'static str, table: Table) {
        println!("{title}\n\n{table}");
        self.sections.push(Section { title, text, table });
    }

    /// Keeps a figure, with a value for each build of which `value` knows one.
    pub fn figure(
        &mut self,
        name: &'static str,
        unit: Unit,
        budget: f64,
        value: impl Fn(Build) -> Option<f64>,
    ) -> &mut Figure {
        let values = Build::ALL
            .into_iter()
            .filter_map(|build| Some((build, value(build)?)));
        self.figures.push(Figure {
            name,
            unit,
            budget,
            gnu_budget: None,
            values: values.collect(),
        });
        self.figures.last_mut().unwrap()
    }

    /// The table that closes the run.
    pub fn budgets(&self) -> Table {
        let mut table = Table::new(&["figure", "budget", "static musl", "budget", "static gnu"]);
        for figure in &self.figures {
            table.row(figure.row());
        }
        table
    }
}
