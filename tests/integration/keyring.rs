//! A message bus and an unlocked keyring of a test's own.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{self, Guard};
use crate::tool;

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

    /// For `DBUS_SESSION_BUS_ADDRESS`.
    pub fn address(&self) -> &str {
        &self.address
    }
}
