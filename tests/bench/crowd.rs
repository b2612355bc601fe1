//! Many clients at once: each asks again and again, by one process for each `get`.

use std::time::Duration;

use crate::cache::Scenes;
use crate::programs::{Build, Git, Options};
use crate::report::{Report, Unit};
use crate::series::{Candidate, Times};
use crate::spawn::Spawn;
use crate::table::{Table, grouped, microseconds, ratio};

/// What one program reached: the medians of all rounds.
struct Reached {
    label: String,
    build: Option<Build>,
    /// Answers in a second.
    rate: f64,
    p50: Duration,
    p99: Duration,
}

pub fn measure(options: &Options, git: &Git, scenes: &Scenes, report: &mut Report) {
    let mut table = Table::new(&[
        "clients",
        "program",
        "`get` per second",
        "ratio",
        "p50 µs",
        "p99 µs",
        "ratio of p99",
    ]);
    for clients in [1, 64] {
        let reached = run(
            options,
            &scenes.candidates(options, git, "get", "query"),
            clients,
        );
        for row in &reached {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            table.row([
                clients.to_string(),
                row.label.clone(),
                grouped(row.rate as u64),
                ratio(row.rate / reached[0].rate),
                microseconds(row.p50),
                microseconds(row.p99),
                ratio(row.p99.as_secs_f64() / reached[0].p99.as_secs_f64()),
            ]);
        }
        if clients == 64 {
            let of = |build| reached.iter().find(|row| row.build == Some(build));
            let rate = |build| Some(of(build)?.rate / reached[0].rate);
            let p99 = |build| Some(of(build)?.p99.as_secs_f64() / reached[0].p99.as_secs_f64());
            report.figure("64 clients: rate", Unit::Times, 3.5, rate);
            report.figure("64 clients: p99", Unit::Ratio, 0.35, p99);
        }
    }
    report.section("1 and 64 clients at once", TEXT, table);
}

fn run(options: &Options, candidates: &[Candidate], clients: usize) -> Vec<Reached> {
    let (rounds, spawns) = if options.quick { (3, 640) } else { (9, 6400) };
    let mut results = vec![Vec::new(); candidates.len()];
    for round in 0..rounds {
        for step in 0..candidates.len() {
            let at = (round + step) % candidates.len();
            results[at].push(crowd(&candidates[at].spawn, clients, spawns / clients));
        }
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let reached = candidates.iter().zip(results).map(|(candidate, rounds)| {
        let of = |value: fn(&(f64, Times)) -> f64| median(rounds.iter().map(value).collect());
        Reached {
            label: candidate.label.clone(),
            build: candidate.build,
            rate: of(|(rate, _)| *rate),
            p50: Duration::from_secs_f64(of(|(_, times)| times.median().as_secs_f64())),
            p99: Duration::from_secs_f64(of(|(_, times)| times.percentile(99).as_secs_f64())),
        }
    });
    reached.collect()
}

/// Returns the rate of all together and the times of all processes.
fn crowd(spawn: &Spawn, clients: usize, each: usize) -> (f64, Times) {
    let (took, times) = spawn.crowd(clients, each);
    #[allow(clippy::cast_precision_loss)]
    let rate = times.len() as f64 / took.as_secs_f64();
    (rate, Times::new(times))
}

const TEXT: &str = "\
Each client is a process that starts one for a `get`, waits for it, and starts the next one. The programs take turns, and the figures are
the medians of their rounds. The machine's processors limit the rate, not the daemons.";
