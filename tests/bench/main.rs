//! The order of the benchmarks. `tests/bench/run` builds the programs and calls this one.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod cache;
mod chart;
mod counts;
mod crowd;
mod file;
mod guard;
mod keychain;
mod page;
mod programs;
mod report;
mod scale;
mod scene;
mod series;
mod spawn;
mod table;

use std::process::ExitCode;

use cache::Scenes;
use programs::{Git, Guard, Options};
use report::Report;

fn main() -> ExitCode {
    let Some(options) = Options::read() else {
        println!("tests/bench/run measures the release programs and needs no cargo bench");
        return ExitCode::SUCCESS;
    };
    // git would read the configuration of a repository that it finds here.
    std::env::set_current_dir(&options.folder).unwrap();
    let git = Git::find();
    let scenes = Scenes::new(&options, &git, "one");
    if let Some(guard) = options.guard {
        let counts = counts::count(&options, &git, &scenes);
        let is_within = match guard {
            Guard::Compare => guard::compare(&options, &counts),
            Guard::Update => guard::update(&options, &counts),
        };
        return if is_within {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        };
    }
    let mut report = Report::default();
    cache::measure(&options, &git, &scenes, &mut report);
    file::measure(&options, &git, &mut report);
    keychain::measure(&options, &git, &mut report);
    crowd::measure(&options, &git, &scenes, &mut report);
    counts::measure(&options, &git, &scenes, &mut report);
    scale::daemon(&options, &git, &mut report);
    scale::commands(&options, &mut report);
    println!("Figures and budgets\n\n{}", report.budgets());
    if options.write {
        page::write(&options, &report);
    }
    ExitCode::SUCCESS
}
