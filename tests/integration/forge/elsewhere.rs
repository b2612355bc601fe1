//! Where no token may ever arrive: another listener, which takes TLS and plain HTTP and keeps all it is sent.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::certificates::{Certificate, Certificates};
use super::http::Response;
use crate::sandbox::Sandbox;

/// Ends when it is dropped.
#[derive(Debug)]
pub struct Elsewhere {
    port: u16,
    heard: Arc<Heard>,
    listener: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Heard {
    connections: AtomicUsize,
    heads: Mutex<Vec<Vec<u8>>>,
    open: Mutex<Vec<TcpStream>>,
    is_closing: AtomicBool,
}

impl Elsewhere {
    /// With a certificate for `localhost` and `127.0.0.1` that the tests trust: nothing but the client's own rules keeps it away.
    pub fn start(sandbox: &Sandbox) -> Self {
        let configuration = Certificates::new(sandbox).server(sandbox, Certificate::Good);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Heard::default());
        let for_listener = Arc::clone(&heard);
        let listener = thread::spawn(move || {
            for stream in listener.incoming() {
                if for_listener.is_closing.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                for_listener.connections.fetch_add(1, Ordering::SeqCst);
                for_listener
                    .open
                    .lock()
                    .unwrap()
                    .push(stream.try_clone().unwrap());
                let (heard, configuration) =
                    (Arc::clone(&for_listener), Arc::clone(&configuration));
                thread::spawn(move || hear(&heard, configuration, stream));
            }
        });
        Self {
            port,
            heard,
            listener: Some(listener),
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Who came at all.
    pub fn connections(&self) -> usize {
        self.heard.connections.load(Ordering::SeqCst)
    }

    /// The heads of all requests, as they were sent.
    pub fn heads(&self) -> Vec<String> {
        let heads = self.heard.heads.lock().unwrap();
        heads
            .iter()
            .map(|head| String::from_utf8_lossy(head).into_owned())
            .collect()
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        self.heard.is_closing.store(true, Ordering::SeqCst);
        for stream in self.heard.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

fn hear(heard: &Heard, configuration: Arc<ServerConfig>, mut stream: TcpStream) {
    let mut first = [0];
    if stream.peek(&mut first).is_err() {
        return;
    }
    // The first byte of a TLS handshake.
    if first[0] == 0x16 {
        let connection = ServerConnection::new(configuration).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        take(heard, &mut stream);
        stream.conn.send_close_notify();
        let _ = stream.flush();
    } else {
        take(heard, &mut stream);
    }
}

fn take(heard: &Heard, stream: &mut (impl Read + Write)) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|length| length == 1)
    {
        request.push(byte[0]);
    }
    heard.heads.lock().unwrap().push(request);
    let _ = stream.write_all(&Response::new(200).bytes());
    let _ = stream.flush();
}
