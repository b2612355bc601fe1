//! Starts a process of this program that may outlive this one.
//!
//! The standard library's `Command` hands on every inheritable handle, so that git would wait for a daemon that holds its pipe.
//! Here the new process gets its three standard streams and no other handle.
#![allow(unsafe_code)]

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, OwnedHandle, RawHandle};
use std::ptr;
use std::sync::{Mutex, PoisonError};

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_ACCESS_DENIED, HANDLE_FLAG_INHERIT, SetHandleInformation,
};
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW,
    CREATE_UNICODE_ENVIRONMENT, CreateProcessW, DeleteProcThreadAttributeList,
    EXTENDED_STARTUPINFO_PRESENT, InitializeProcThreadAttributeList, LPPROC_THREAD_ATTRIBUTE_LIST,
    PROC_THREAD_ATTRIBUTE_HANDLE_LIST, PROCESS_INFORMATION, STARTF_USESTDHANDLES, STARTUPINFOEXW,
    UpdateProcThreadAttribute,
};

use super::text::wide;
use super::user::check;

static TURN: Mutex<()> = Mutex::new(());

/// Variables that the system's own libraries need, and that hold no secret.
const NEEDED: [&str; 14] = [
    "APPDATA",
    "COMSPEC",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "PATH",
    "PATHEXT",
    "PROGRAMDATA",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "USERPROFILE",
    "WINDIR",
];

/// Starts a process of this program with `arguments`, of the caller's variables only `variables` and those that the system needs,
/// `input` as its standard input, and no output. Does not wait for it.
///
/// A program that another thread starts meanwhile by the standard library's `Command` would get both handles too. While this
/// program starts itself, it starts no other one, and two calls of this function take turns.
pub fn start_own(
    input: impl Into<OwnedHandle>,
    arguments: &[OsString],
    variables: Vec<(OsString, OsString)>,
) -> io::Result<()> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let input = input.into();
    let null = File::options().read(true).write(true).open("NUL")?;
    let program = env::current_exe()?;
    let mut line = command_line(program.as_os_str(), arguments);
    let environment = block(variables);
    let handles = [input.as_raw_handle(), null.as_raw_handle()];
    let mut list = HandleList::of(handles)?;
    // A caller's job, such as that of a terminal's tab, would end the daemon with it. Not every job lets its processes leave.
    let started = create(
        &wide(program.as_os_str()),
        &mut line,
        &environment,
        &mut list,
        true,
    );
    match started {
        Err(cause) if cause.raw_os_error() == Some(ERROR_ACCESS_DENIED.cast_signed()) => create(
            &wide(program.as_os_str()),
            &mut line,
            &environment,
            &mut list,
            false,
        ),
        started => started,
    }
}

fn create(
    program: &[u16],
    line: &mut [u16],
    environment: &[u16],
    list: &mut HandleList,
    leaves_job: bool,
) -> io::Result<()> {
    let mut flags = CREATE_NO_WINDOW
        | CREATE_NEW_PROCESS_GROUP
        | CREATE_UNICODE_ENVIRONMENT
        | EXTENDED_STARTUPINFO_PRESENT;
    if leaves_job {
        flags |= CREATE_BREAKAWAY_FROM_JOB;
    }
    let folder = wide(&env::var_os("SYSTEMROOT").unwrap_or_else(|| OsString::from("C:\\")));
    let [input, null] = *list.handles;
    // SAFETY: all zeros are a value of either type.
    let (mut startup, mut started): (STARTUPINFOEXW, PROCESS_INFORMATION) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    startup.StartupInfo.cb = u32::try_from(size_of::<STARTUPINFOEXW>()).unwrap_or_default();
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    startup.StartupInfo.hStdInput = input;
    startup.StartupInfo.hStdOutput = null;
    startup.StartupInfo.hStdError = null;
    startup.lpAttributeList = list.place();
    // SAFETY: the texts end with zeros, the list and its handles live during the call, and `started` is a valid place. The
    // handles that it gives are closed at once.
    unsafe {
        check(CreateProcessW(
            program.as_ptr(),
            line.as_mut_ptr(),
            ptr::null(),
            ptr::null(),
            1,
            flags,
            environment.as_ptr().cast(),
            folder.as_ptr(),
            (&raw const startup).cast(),
            &raw mut started,
        ))?;
        CloseHandle(started.hThread);
        CloseHandle(started.hProcess);
    }
    Ok(())
}

/// The handles that a new process gets, and no other one.
struct HandleList {
    handles: Box<[RawHandle; 2]>,
    // In words, for its alignment.
    list: Vec<u64>,
}

impl HandleList {
    /// Marks `handles` so that a new process may get them.
    fn of(handles: [RawHandle; 2]) -> io::Result<Self> {
        for handle in handles {
            // SAFETY: the caller keeps the handle open.
            check(unsafe {
                SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)
            })?;
        }
        let mut size = 0;
        // SAFETY: without a place, the call tells how many bytes the list needs, and fails.
        unsafe { InitializeProcThreadAttributeList(ptr::null_mut(), 1, 0, &raw mut size) };
        let mut own = Self {
            handles: Box::new(handles),
            list: vec![0; size.div_ceil(8)],
        };
        let place = own.place();
        // SAFETY: the list has `size` bytes; the handles live in a box as long as the list.
        unsafe {
            check(InitializeProcThreadAttributeList(
                place,
                1,
                0,
                &raw mut size,
            ))?;
            check(UpdateProcThreadAttribute(
                place,
                0,
                usize::try_from(PROC_THREAD_ATTRIBUTE_HANDLE_LIST).unwrap_or_default(),
                own.handles.as_ptr().cast(),
                size_of_val(&*own.handles),
                ptr::null_mut(),
                ptr::null(),
            ))?;
        }
        Ok(own)
    }

    fn place(&mut self) -> LPPROC_THREAD_ATTRIBUTE_LIST {
        self.list.as_mut_ptr().cast()
    }
}

impl Drop for HandleList {
    fn drop(&mut self) {
        // SAFETY: the list was made by the system in this place, or holds zeros, which the call ignores.
        unsafe { DeleteProcThreadAttributeList(self.place()) };
    }
}

/// The variables of a new process: `NAME=value`, each with a final zero, and a zero behind the last.
fn block(variables: Vec<(OsString, OsString)>) -> Vec<u16> {
    let needed = env::vars_os().filter(|(name, _)| {
        NEEDED
            .iter()
            .any(|needed| name.eq_ignore_ascii_case(needed))
    });
    let mut all: Vec<(OsString, OsString)> = needed.collect();
    for (name, value) in variables {
        if !all
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(&name))
        {
            all.push((name, value));
        }
    }
    // The system searches them by name (`CreateProcessW`, remarks).
    all.sort_by_key(|(name, _)| name.to_ascii_uppercase());
    let mut block = Vec::new();
    for (name, value) in all {
        block.extend(name.encode_wide().chain("=".encode_utf16()));
        block.extend(value.encode_wide().chain([0]));
    }
    block.extend([0, 0]);
    block
}

/// The program and its arguments, quoted as the C library of Microsoft splits them (`CommandLineToArgvW`).
fn command_line(program: &OsStr, arguments: &[OsString]) -> Vec<u16> {
    let mut line = Vec::new();
    for word in std::iter::once(program).chain(arguments.iter().map(OsString::as_os_str)) {
        if !line.is_empty() {
            line.push(u16::from(b' '));
        }
        push_quoted(word, &mut line);
    }
    line.push(0);
    line
}

/// Backslashes count only before a quotation mark: there each needs another one.
fn push_quoted(word: &OsStr, line: &mut Vec<u16>) {
    const QUOTE: u16 = b'"' as u16;
    const BACKSLASH: u16 = b'\\' as u16;
    line.push(QUOTE);
    let mut backslashes = 0;
    for unit in word.encode_wide() {
        if unit == QUOTE {
            line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
        }
        backslashes = if unit == BACKSLASH {
            backslashes + 1
        } else {
            0
        };
        line.push(unit);
    }
    line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
    line.push(QUOTE);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_quoted_for_microsofts_c_library() {
        let words = ["plain", "two words", r"C:\a b\", r#"a"b"#, r#"\""#, ""];
        let arguments = words.map(OsString::from);
        let line = command_line(OsStr::new(r"C:\p q.exe"), &arguments);
        let line = String::from_utf16(&line).unwrap();
        let expected = r#""C:\p q.exe" "plain" "two words" "C:\a b\\" "a\"b" "\\\"" """#;
        assert_eq!(line.trim_end_matches('\0'), expected);
    }

    #[test]
    fn variables_that_the_system_needs_come_from_this_process() {
        let given = vec![(OsString::from("systemroot"), OsString::from("made-up"))];
        let block = String::from_utf16(&block(given)).unwrap();
        assert!(block.to_uppercase().contains("SYSTEMROOT=") && !block.contains("made-up"));
        assert!(block.ends_with("\0\0"));
    }
}
