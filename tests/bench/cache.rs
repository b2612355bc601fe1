//! One entry in memory: `get`, `store` and `git credential fill`, compared with git-credential-cache.

use crate::programs::{Build, Git, Options};
use crate::report::{Report, Unit};
use crate::scene::{Scene, TOKEN};
use crate::series::{Candidate, Comparison};

/// The scenes that hold the entry: git's, and one for each build.
pub struct Scenes {
    pub git: Scene,
    pub ours: Vec<Scene>,
}

impl Scenes {
    /// Stores the entry everywhere, which starts the daemons. `name` begins the names of the folders.
    pub fn new(options: &Options, git: &Git, name: &str) -> Self {
        let scene = Scene::new(&options.folder, &format!("{name}-cache"));
        scene.write("gitconfig", "[credential]\n\thelper = cache\n");
        scene
            .spawn(&git.cache, &["--timeout=86400", "store"], "stored")
            .measure();
        let ours = options.ours.iter().map(|ours| {
            let scene = Scene::new(&options.folder, &format!("{name}-{}", ours.build.name()));
            let path = ours.path.display();
            scene.write(
                "gitconfig",
                &format!("[credential]\n\thelper = {path} --storage memory\n"),
            );
            scene
                .spawn(&ours.path, &["--storage", "memory", "store"], "stored")
                .measure();
            scene
        });
        Self {
            ours: ours.collect(),
            git: scene,
        }
    }

    /// One operation by each program, git's first.
    pub fn candidates(
        &self,
        options: &Options,
        git: &Git,
        operation: &str,
        input: &str,
    ) -> Vec<Candidate> {
        let reference = self.git.spawn(&git.cache, &[operation], input);
        let mut candidates = vec![Candidate::new("git-credential-cache", None, reference)];
        for (ours, scene) in options.ours.iter().zip(&self.ours) {
            let spawn = scene.spawn(&ours.path, &["--storage", "memory", operation], input);
            candidates.push(Candidate::new(ours.label(), Some(ours.build), spawn));
        }
        candidates
    }
}

pub fn measure(options: &Options, git: &Git, scenes: &Scenes, report: &mut Report) {
    let rounds = if options.quick { 60 } else { 1000 };
    let mut candidates = scenes.candidates(options, git, "get", "query");
    for candidate in &candidates {
        candidate.must_print(TOKEN);
    }
    if let Some(floor) = &options.floor {
        let nothing: [&str; 0] = [];
        let spawn = scenes.git.spawn(floor, &nothing, "nothing");
        candidates.push(Candidate::new("an empty static C program", None, spawn));
    }
    let get = Comparison::run(candidates, rounds);
    report.section("`get` from memory", GET, get.table());
    report
        .figure("memory: get", Unit::Ratio, 0.45, |build| get.ratio(build))
        .gnu_budget = Some(0.60);

    let store = Comparison::run(scenes.candidates(options, git, "store", "stored"), rounds);
    report.section("`store` of the same entry in memory", STORE, store.table());
    report
        .figure("memory: same store", Unit::Ratio, 0.45, |build| {
            store.ratio(build)
        })
        .gnu_budget = Some(0.60);

    let fill = Comparison::run(fills(options, git, scenes), rounds / 2);
    report.section("`git credential fill`", FILL, fill.table());
    report.figure("git credential fill", Unit::Ratio, 0.80, |build| {
        fill.ratio(build)
    });
}

fn fills(options: &Options, git: &Git, scenes: &Scenes) -> Vec<Candidate> {
    let fill = |scene: &Scene, label: String, build: Option<Build>| {
        let spawn = scene.spawn(&git.program, &["credential", "fill"], "query");
        let candidate = Candidate::new(label, build, spawn);
        candidate.must_print(TOKEN);
        candidate
    };
    let mut candidates = vec![fill(
        &scenes.git,
        "git with helper = cache".to_owned(),
        None,
    )];
    for (ours, scene) in options.ours.iter().zip(&scenes.ours) {
        candidates.push(fill(
            scene,
            format!("git with {}", ours.build.label()),
            Some(ours.build),
        ));
    }
    if let Some(floor) = &options.floor {
        let scene = Scene::new(&options.folder, "floor");
        scene.write(
            "gitconfig",
            &format!("[credential]\n\thelper = {}\n", floor.display()),
        );
        candidates.push(fill(
            &scene,
            "git with a C program that only prints".to_owned(),
            None,
        ));
    }
    candidates
}

const GET: &str = "\
The daemon of each program holds one entry. The clock starts before the process does and stops when it has ended.
git's helper is called as the program in git's own folder. `git credential-cache` would start git once more.
The empty program shows the time that Linux needs to start and end any process.";

const STORE: &str = "\
git confirms a credential after each successful request. The daemon already holds it, so nothing changes.";

const FILL: &str = "\
git starts the helper and reads its answer. A fetch does the same, and sends a little more. `helper = cache` is how users configure
git's helper. git-credential-pat is configured by its absolute path, as `setup` does. Most of this time is git's own: the last line has
a helper that prints a fixed answer.";
