//! What a daemon of Windows keeps of its caller: no handle, and not the caller's life.
#![allow(unsafe_code, reason = "the system's calls about handles and jobs")]

use std::io::Read;
use std::os::windows::io::AsRawHandle;
use std::ptr;
use std::sync::mpsc;
use std::thread;

use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::System::JobObjects::{AssignProcessToJobObject, CreateJobObjectW};

use crate::attributes::lines;
use crate::sandbox::{DEADLINE, Sandbox};

const STORED: &[(&str, &str)] = &[
    ("protocol", "https"),
    ("host", "one.test"),
    ("username", "alice"),
    ("password", "made-up"),
];

/// A caller that waits for the end of a pipe of its own would wait as long as the daemon runs.
#[test]
fn a_daemon_inherits_no_handle_of_its_caller() {
    let sandbox = Sandbox::new();
    let (mut reader, writer) = std::io::pipe().unwrap();
    // SAFETY: the handle is the pipe's, and open.
    let is_marked = unsafe {
        SetHandleInformation(
            writer.as_raw_handle(),
            HANDLE_FLAG_INHERIT,
            HANDLE_FLAG_INHERIT,
        )
    };
    assert_ne!(is_marked, 0);
    sandbox
        .ask("--storage memory store", &lines(STORED))
        .succeeded();
    drop(writer);
    let (say, said) = mpsc::channel();
    thread::spawn(move || say.send(reader.read(&mut [0])));
    let read = said
        .recv_timeout(DEADLINE)
        .expect("the daemon keeps the pipe open");
    assert_eq!(read.unwrap(), 0);
    let status = sandbox.ask("cache status", b"").succeeded().text();
    assert!(status.contains("keeping 1 credential"), "{status}");
}

/// Not every job lets its processes leave: the daemon is started all the same.
#[test]
fn a_daemon_starts_in_a_job_that_it_cannot_leave() {
    let sandbox = Sandbox::new();
    let mut store = sandbox.helper("--storage memory store");
    store.stdin(std::process::Stdio::piped());
    let mut child = store.spawn().unwrap();
    // SAFETY: a job without a name and with the usual limits; both handles are open.
    let is_assigned = unsafe {
        let job = CreateJobObjectW(ptr::null(), ptr::null());
        AssignProcessToJobObject(job, child.as_raw_handle())
    };
    assert_ne!(is_assigned, 0);
    let mut input = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut input, &lines(STORED)).unwrap();
    drop(input);
    assert!(crate::sandbox::wait_for(&mut child).success());
    let status = sandbox.ask("cache status", b"").succeeded().text();
    assert!(status.contains("keeping 1 credential"), "{status}");
}

/// The background look-up has only the variables that it needs.
#[test]
fn a_daemon_is_found_without_the_variable_of_the_computers_name() {
    let sandbox = Sandbox::new();
    sandbox
        .ask("--storage memory store", &lines(STORED))
        .succeeded();
    let mut status = sandbox.helper("cache status");
    status.env_remove("COMPUTERNAME");
    let status = crate::sandbox::run(&mut status, b"").succeeded().text();
    assert!(status.contains("keeping 1 credential"), "{status}");
}
