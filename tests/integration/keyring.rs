//! A message bus and an unlocked keyring of a test's own.

use std::cell::Cell;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::panic::{self, AssertUnwindSafe};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{self, Guard};
use crate::sandbox::Sandbox;
use crate::tool;

thread_local! {
    static HAS_DIED: Cell<bool> = const { Cell::new(false) };
}

/// Where clients are killed, or come in a crowd, gnome-keyring may end itself: by an assertion of its own, when a client goes while
/// it opens that client's session (seen with 42.1). What a test that failed then says of us is worth nothing: so it is made
/// again, twice at most.
pub fn outliving(test: impl Fn()) {
    for _ in 0..2 {
        HAS_DIED.set(false);
        match panic::catch_unwind(AssertUnwindSafe(&test)) {
            Ok(()) => return,
            Err(_) if HAS_DIED.get() => {}
            Err(cause) => panic::resume_unwind(cause),
        }
    }
    test();
}

impl Drop for Keyring {
    fn drop(&mut self) {
        if let Ok(Some(status)) = self.service.0.try_wait()
            && status.signal() == Some(Signal::TRAP.as_raw())
        {
            HAS_DIED.set(true);
        }
    }
}

/// A message bus, and its address.
pub fn start_bus(program: impl Fn(&std::path::Path) -> Command) -> (Guard, String) {
    let mut bus = program(&tool::need("dbus-daemon"));
    bus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]);
    bus.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut bus = Guard(bus.process_group(0).spawn().unwrap());
    let mut address = String::new();
    let stdout = bus.0.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut address).unwrap();
    let address = address.trim_end().to_owned();
    assert!(!address.is_empty(), "the message bus did not start");
    (bus, address)
}

/// Both end when this is dropped: the keyring before the bus.
#[derive(Debug)]
pub struct Keyring {
    service: Guard,
    _bus: Guard,
    address: String,
}

impl Keyring {
    /// `program` makes a command in the surroundings of the test.
    pub fn start(program: impl Fn(&std::path::Path) -> Command) -> Self {
        let (bus, address) = start_bus(&program);
        let mut keyring = program(&tool::need("gnome-keyring-daemon"));
        keyring.args(["--foreground", "--unlock", "--components=secrets"]);
        keyring.env("DBUS_SESSION_BUS_ADDRESS", &address);
        keyring
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut keyring = Guard(keyring.process_group(0).spawn().unwrap());
        let mut stdin = keyring.0.stdin.take().unwrap();
        stdin.write_all(b"a password of the keyring's").unwrap();
        drop(stdin);

        let asks = tool::need("dbus-send");
        let is_there = process::until(|| {
            let mut ask = program(&asks);
            ask.args([
                "--session",
                "--print-reply",
                "--dest=org.freedesktop.DBus",
                "/",
            ]);
            ask.arg("org.freedesktop.DBus.NameHasOwner");
            ask.arg("string:org.freedesktop.secrets");
            ask.env("DBUS_SESSION_BUS_ADDRESS", &address);
            process::run(&mut ask, b"").text().contains("boolean true")
        });
        assert!(is_there, "the keyring did not start");
        // The service has its name before it has unlocked the keyring.
        let is_open = process::until(|| {
            let mut ask = program(&asks);
            ask.args(["--session", "--print-reply"]);
            ask.arg("--dest=org.freedesktop.secrets");
            ask.arg("/org/freedesktop/secrets/collection/login");
            ask.arg("org.freedesktop.DBus.Properties.Get");
            ask.arg("string:org.freedesktop.Secret.Collection");
            ask.arg("string:Locked");
            ask.env("DBUS_SESSION_BUS_ADDRESS", &address);
            process::run(&mut ask, b"").text().contains("boolean false")
        });
        assert!(is_open, "the keyring is not unlocked");
        Self {
            service: keyring,
            _bus: bus,
            address,
        }
    }

    /// Stops it in the middle of everything: the bus still takes messages for it, and nobody answers.
    pub fn hang(&self) {
        kill_process(Pid::from_child(&self.service.0), Signal::STOP).unwrap();
    }

    /// Ends it, and waits until it has gone.
    pub fn kill(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.service.0), signal).unwrap();
        self.service.0.wait().unwrap();
    }

    /// For `DBUS_SESSION_BUS_ADDRESS`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// The keyring of the first attempts ends as it does by itself.
#[test]
fn a_keyring_that_dies_is_no_fault_of_ours() {
    let attempts = Cell::new(0);
    outliving(|| {
        attempts.set(attempts.get() + 1);
        let mut sandbox = Sandbox::new();
        sandbox.start_keyring();
        sandbox.kill_keyring(if attempts.get() < 3 {
            Signal::TRAP
        } else {
            Signal::TERM
        });
        assert_eq!(attempts.get(), 3);
    });
    let failure = panic::catch_unwind(|| outliving(|| panic!("made up")));
    assert!(failure.is_err());
}
