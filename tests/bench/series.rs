//! Runs candidates in turn, many times, and tells how long each took.
//!
//! Each round runs every candidate once, and begins with another one: a busy moment then affects all of them alike.

use std::time::Duration;

use crate::programs::Build;
use crate::spawn::{Measured, Spawn};
use crate::table::{Table, microseconds, ratio};

pub struct Candidate {
    pub label: String,
    /// `None`: it is not ours.
    pub build: Option<Build>,
    pub spawn: Spawn,
    /// Called before each run, outside of the clock.
    pub prepare: Option<Box<dyn Fn()>>,
}

impl Candidate {
    pub fn new(label: impl Into<String>, build: Option<Build>, spawn: Spawn) -> Self {
        Self {
            label: label.into(),
            build,
            spawn,
            prepare: None,
        }
    }

    /// Panics unless the program prints `wanted`.
    pub fn must_print(&self, wanted: &str) {
        let output = self
            .spawn
            .command(&[])
            .stdout(std::process::Stdio::piped())
            .output();
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", self.label));
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            printed.contains(wanted),
            "{}: no such answer: {printed}",
            self.label
        );
    }
}

/// Durations in ascending order.
#[derive(Clone)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    pub fn minimum(&self) -> Duration {
        self.0[0]
    }

    pub fn median(&self) -> Duration {
        self.percentile(50)
    }

    pub fn percentile(&self, percent: usize) -> Duration {
        self.0[(self.0.len() * percent / 100).min(self.0.len() - 1)]
    }
}

pub struct Row {
    pub label: String,
    pub build: Option<Build>,
    pub times: Times,
}

/// What was measured of each candidate. The first one is git's, to which the others are compared.
pub struct Comparison(pub Vec<Row>);

impl Comparison {
    pub fn run(candidates: Vec<Candidate>, rounds: usize) -> Self {
        let mut times = vec![Vec::with_capacity(rounds); candidates.len()];
        for round in 0..rounds {
            for step in 0..candidates.len() {
                let at = (round + step) % candidates.len();
                if let Some(prepare) = &candidates[at].prepare {
                    prepare();
                }
                let Measured { time, .. } = candidates[at].spawn.measure();
                times[at].push(time);
            }
        }
        let rows = candidates
            .into_iter()
            .zip(times)
            .map(|(candidate, times)| Row {
                label: candidate.label,
                build: candidate.build,
                times: Times::new(times),
            });
        Self(rows.collect())
    }

    /// The median of this build over the median of git's program.
    pub fn ratio(&self, build: Build) -> Option<f64> {
        let row = self.0.iter().find(|row| row.build == Some(build))?;
        Some(row.times.median().as_secs_f64() / self.0[0].times.median().as_secs_f64())
    }

    pub fn table(&self) -> Table {
        let mut table = Table::new(&["program", "median µs", "minimum µs", "p95 µs", "ratio"]);
        let git = self.0[0].times.median().as_secs_f64();
        for row in &self.0 {
            table.row([
                row.label.clone(),
                microseconds(row.times.median()),
                microseconds(row.times.minimum()),
                microseconds(row.times.percentile(95)),
                ratio(row.times.median().as_secs_f64() / git),
            ]);
        }
        table
    }
}
