//! A proxy that connects whoever asks to wherever they want, and keeps all that it can read of it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// Ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    always: Option<String>,
    asked: Mutex<Vec<String>>,
    open: Mutex<Vec<TcpStream>>,
    is_closing: AtomicBool,
}

impl Proxy {
    pub fn start() -> Self {
        Self::leading_to(None)
    }

    /// Connects everybody to `host`, wherever they want to go.
    pub fn leading_to(host: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            always: host,
            ..Shared::default()
        });
        let for_listener = Arc::clone(&shared);
        let listener = thread::spawn(move || {
            for stream in listener.incoming() {
                if for_listener.is_closing.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                for_listener.keep(&stream);
                let shared = Arc::clone(&for_listener);
                thread::spawn(move || drop(connect(&shared, stream)));
            }
        });
        Self {
            port,
            shared,
            listener: Some(listener),
        }
    }

    pub fn url(&self) -> String {
        self.url_as("http")
    }

    /// It tells HTTP, SOCKS4 and SOCKS5 apart by the first byte.
    pub fn url_as(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The heads of the requests so far; of SOCKS its version and what was asked for, such as `5 name localhost:443`.
    pub fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_closing.store(true, Ordering::SeqCst);
        for stream in self.shared.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Shared {
    fn keep(&self, stream: &TcpStream) {
        self.open.lock().unwrap().push(stream.try_clone().unwrap());
    }
}

fn connect(shared: &Shared, mut client: TcpStream) -> io::Result<()> {
    let mut byte = [0];
    client.read_exact(&mut byte)?;
    if matches!(byte[0], 4 | 5) {
        let (version, target) = (byte[0], socks(byte[0], &mut client)?);
        let asked = format!("{version} {target}");
        shared.asked.lock().unwrap().push(asked);
        let (_, target) = target.split_once(' ').unwrap();
        let target = shared.always.clone().unwrap_or_else(|| target.to_owned());
        let server = TcpStream::connect(target)?;
        shared.keep(&server);
        let granted: &[u8] = if version == 4 {
            &[0, 90, 0, 0, 0, 0, 0, 0]
        } else {
            &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        };
        client.write_all(granted)?;
        return carry(client, server);
    }
    let mut asked = byte.to_vec();
    while !asked.ends_with(b"\r\n\r\n") && client.read(&mut byte)? == 1 {
        asked.push(byte[0]);
    }
    let asked = String::from_utf8_lossy(&asked).into_owned();
    let target = asked.split(' ').nth(1).unwrap_or("").to_owned();
    let is_connect = asked.starts_with("CONNECT ");
    shared.asked.lock().unwrap().push(asked);
    if !is_connect {
        return client.write_all(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n");
    }
    let server = TcpStream::connect(shared.always.clone().unwrap_or(target))?;
    shared.keep(&server);
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    carry(client, server)
}

/// What follows the version, up to where the proxy grants it: `name` or `address`, and `HOST:PORT` (RFC 1928; SOCKS4 and 4a).
fn socks(version: u8, client: &mut TcpStream) -> io::Result<String> {
    fn some<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        client.read_exact(&mut bytes)?;
        Ok(bytes)
    }
    fn text(client: &mut TcpStream) -> io::Result<String> {
        let mut text = String::new();
        loop {
            match some::<1>(client)? {
                [0] => return Ok(text),
                [byte] => text.push(char::from(byte)),
            }
        }
    }
    if version == 4 {
        let [_connect, high, low, a, b, c, d] = some(client)?;
        let port = u16::from_be_bytes([high, low]);
        text(client)?;
        return Ok(if [a, b, c] == [0, 0, 0] {
            format!("name {}:{port}", text(client)?)
        } else {
            format!("address {a}.{b}.{c}.{d}:{port}")
        });
    }
    let [methods] = some(client)?;
    for _ in 0..methods {
        some::<1>(client)?;
    }
    client.write_all(&[5, 0])?;
    let [_version, _connect, _reserved, kind] = some(client)?;
    let host = match kind {
        1 => format!("address {}", Ipv4Addr::from(some::<4>(client)?)),
        4 => format!("address [{}]", Ipv6Addr::from(some::<16>(client)?)),
        _ => {
            let [length] = some(client)?;
            let mut name = vec![0; length.into()];
            client.read_exact(&mut name)?;
            format!("name {}", String::from_utf8_lossy(&name))
        }
    };
    Ok(format!("{host}:{}", u16::from_be_bytes(some(client)?)))
}

/// To and fro until both are done.
fn carry(mut client: TcpStream, mut server: TcpStream) -> io::Result<()> {
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let upwards = thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    io::copy(&mut server, &mut client)?;
    let _ = client.shutdown(Shutdown::Both);
    let _ = upwards.join();
    Ok(())
}
