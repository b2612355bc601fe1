//! Somebody at work with git, over HTTPS.

use std::process::Command;

use crate::askpass::Askpass;
use crate::attributes::{Answer, lines};
use crate::git::Git;
use crate::https::Server;
use crate::process::{self, Output};
use crate::sandbox::{PROGRAM, Sandbox};

/// What the server takes at first.
pub const TOKEN: &str = "tok-first-0123456789";
/// What it takes after [`Server::takes`] said so.
pub const NEW_TOKEN: &str = "tok-second-9876543210";
/// What it takes at `bearer`.
pub const BEARER: &str = "tok-bearer-5555555555";
/// What it takes at `other`.
pub const OTHER_TOKEN: &str = "tok-other-7777777777";

/// For git's `credential.helper`.
pub fn ours(storage: &str) -> String {
    format!("{PROGRAM} --storage {storage}")
}

/// Somebody at work, with a server to work with.
pub struct Flow {
    // Ended before the folder it runs in goes.
    pub server: Server,
    pub askpass: Askpass,
    pub sandbox: Sandbox,
}

impl Flow {
    /// `helper` is for git's `credential.helper`.
    pub fn new(helper: &str, needs_keyring: bool, git: &Git) -> Self {
        let mut sandbox = Sandbox::with(git.clone());
        if needs_keyring {
            sandbox.start_keyring();
        }
        let server = Server::start(&sandbox, TOKEN, BEARER, OTHER_TOKEN);
        sandbox.configure_git(&format!("[credential]\n\thelper = {helper}\n"));
        let askpass = Askpass::new(&sandbox.path("askpass"));
        askpass.answers("alice", TOKEN);
        Self {
            server,
            askpass,
            sandbox,
        }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.git(arguments);
        command.env("GIT_ASKPASS", self.askpass.program());
        command.env("GIT_SSL_CAINFO", self.server.certificate());
        command
    }

    pub fn git(&self, arguments: &[&str]) -> Output {
        process::run(&mut self.command(arguments), b"")
    }

    pub fn fetch_and_push(&self) {
        self.git(&["-C", "r", "fetch"]).succeeded();
        self.git(&[
            "-C",
            "r",
            "commit",
            "--quiet",
            "--allow-empty",
            "-m",
            "More",
        ])
        .succeeded();
        self.git(&["-C", "r", "push", "origin", "HEAD:main"])
            .succeeded();
    }

    /// The password that the helpers answer with, without asking anybody.
    pub fn kept(&self) -> Option<String> {
        Answer::read(&self.fill().stdout)
            .get("password")
            .map(str::to_owned)
    }

    /// What git says when it is asked for `alice`'s password, and nobody is there to be asked.
    pub fn fill(&self) -> Output {
        let host = self.server.host();
        let mut fill = self.sandbox.git(&["credential", "fill"]);
        let asked = lines(&[
            ("protocol", "https"),
            ("host", &host),
            ("username", "alice"),
        ]);
        process::run(fill.env("GIT_ASKPASS", "/bin/false"), &asked)
    }

    pub fn passwords_asked(&self) -> usize {
        let questions = self.askpass.questions();
        questions
            .iter()
            .filter(|question| question.starts_with("Password"))
            .count()
    }
}
