//! Surroundings of a test's own, and the program run in them, never for longer than a deadline.

use std::fs;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Guards against hangs; no test measures time. A start under wine takes a second.
pub const DEADLINE: Duration = Duration::from_secs(120);

const PROGRAM: &str = env!("CARGO_BIN_EXE_git-credential-pat");

/// What a program left behind.
#[derive(Debug)]
pub struct Output {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Output {
    /// Success, or the test ends here with what the program said.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert!(self.status.success(), "{self:#?}");
        self
    }

    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Folders of a test's own. No file and no socket of the user is used.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
    home: PathBuf,
}

impl Sandbox {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("pat-").tempdir().unwrap();
        for place in ["home", "config", "data", "state", "cache", "run"] {
            fs::create_dir(folder.path().join(place)).unwrap();
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let private = fs::Permissions::from_mode(0o700);
            fs::set_permissions(folder.path().join("run"), private).unwrap();
        }
        let home = folder.path().join("home");
        Self { folder, home }
    }

    /// As [`Sandbox::new`], with the user's own home: macOS finds the keychain by it. All other folders are the test's.
    pub fn in_home_of_user() -> Self {
        let mut sandbox = Self::new();
        sandbox.home = std::env::home_dir().expect("the user has a home");
        sandbox
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program under test, given `words` as a shell would split them at blanks.
    pub fn helper(&self, words: &str) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(words.split_whitespace());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("GIT_") || text.starts_with("XDG_") {
                command.env_remove(&name);
            }
        }
        command.current_dir(self.path("home"));
        command.env("HOME", &self.home);
        for (variable, place) in [
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_CACHE_HOME", "cache"),
        ] {
            command.env(variable, self.path(place));
        }
        if cfg!(unix) {
            command.env("XDG_RUNTIME_DIR", self.path("run"));
        }
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        command.env("GIT_CONFIG_GLOBAL", self.path("gitconfig"));
        command.env("GIT_TERMINAL_PROMPT", "0");
        command
    }

    /// Runs the program under test.
    #[track_caller]
    pub fn ask(&self, words: &str, input: &[u8]) -> Output {
        run(&mut self.helper(words), input)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.helper("cache stop").output();
    }
}

/// Runs `command` with `input`. Waits for its end *and* for the end of its output, as git does.
#[track_caller]
pub fn run(command: &mut Command, input: &[u8]) -> Output {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = start(command);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that does not read all of its input closes the pipe.
    thread::spawn(move || drop(stdin.write_all(&input)));
    let stdout = collect(child.stdout.take().unwrap());
    let stderr = collect(child.stderr.take().unwrap());
    let mut wait = |output: mpsc::Receiver<Vec<u8>>| {
        output.recv_timeout(DEADLINE).unwrap_or_else(|_| {
            let _ = child.kill();
            panic!("the output is still open after {DEADLINE:?}")
        })
    };
    let (stdout, stderr) = (wait(stdout), wait(stderr));
    Output {
        status: wait_for(&mut child),
        stdout,
        stderr: String::from_utf8_lossy(&stderr).into_owned(),
    }
}

/// Wine 8 now and then fails to start a process while many others start (`ERROR_INTERNAL_ERROR`).
const WINES_FAILURE: i32 = 1359;

/// Starts `command`.
#[track_caller]
pub fn start(command: &mut Command) -> Child {
    for _ in 1..10 {
        match command.spawn() {
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(WINES_FAILURE) => {
                thread::sleep(Duration::from_millis(50));
            }
            started => return started.expect("the program starts"),
        }
    }
    command.spawn().expect("the program starts")
}

/// The exit status of `child`, within the deadline.
#[track_caller]
pub fn wait_for(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("still running after {DEADLINE:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn collect(mut output: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = output.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}
