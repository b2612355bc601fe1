//! Connections: TLS, one request, an answer in the manner that was chosen.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rustls::{ServerConnection, StreamOwned};
use serde_json::json;

use super::http::{Request, Response};
use super::record::Event;
use super::{Manner, Shared, Speaks, gitea, github, gitlab};

type Stream = StreamOwned<ServerConnection, TcpStream>;

/// Whether it is not git's.
pub(super) fn is_api(path: &str) -> bool {
    !path.starts_with("/r.git") && !path.starts_with("/project.git")
}

pub(super) fn listen(shared: &Arc<Shared>, listener: &TcpListener) {
    let mut connections = Vec::new();
    for stream in listener.incoming() {
        if shared.is_closing.load(Ordering::SeqCst) {
            break;
        }
        let Ok(stream) = stream else { continue };
        let copy = stream.try_clone().unwrap();
        shared.connections.lock().unwrap().push(copy);
        let shared = Arc::clone(shared);
        connections.push(thread::spawn(move || {
            // Whoever hangs up on us may.
            let _ = serve(&shared, stream);
        }));
    }
    for connection in connections {
        let _ = connection.join();
    }
}

fn serve(shared: &Shared, stream: TcpStream) -> io::Result<()> {
    if matches!(shared.state.lock().unwrap().manner, Manner::Mute) {
        shared.wait(None);
        return Ok(());
    }
    let configuration = Arc::clone(&shared.certificate.lock().unwrap());
    let connection = ServerConnection::new(configuration).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let request = match Request::read(&mut stream) {
        Ok(Some(request)) => request,
        // A client may tell why it goes, or just go.
        Ok(None) | Err(_) if stream.conn.is_handshaking() => {
            shared.record.add(Event::Distrusted);
            return Ok(());
        }
        Ok(None) => return Ok(()),
        Err(error) => {
            // In TLS 1.3 our part is over before the client has made up its mind.
            if error.kind() == io::ErrorKind::InvalidData {
                shared.record.add(Event::Distrusted);
            }
            return Err(error);
        }
    };
    let number = shared.note(&request);
    if is_api(&request.path) {
        answer(shared, &request, number, &mut stream)?;
    } else {
        let response = shared.repository.answer(shared, &request);
        send(shared, number, &response, &mut stream)?;
    }
    finish(&mut stream)
}

fn answer(
    shared: &Shared,
    request: &Request,
    number: usize,
    stream: &mut Stream,
) -> io::Result<()> {
    let manner = match shared.state.lock().unwrap().manner.clone() {
        Manner::ToRotations(manner) if request.path.ends_with("/rotate") => *manner,
        Manner::ToRotations(_) => Manner::Honest,
        manner => manner,
    };
    match manner {
        Manner::Late(time) => shared.wait(Some(time)),
        Manner::Held => shared.wait_for_another_manner(),
        Manner::Silent | Manner::Mute => {
            shared.wait(None);
            return Ok(());
        }
        _ => {}
    }
    let mut response = shared.honest(request);
    match manner {
        Manner::Drip => {
            drip(shared, number, &response, stream);
            return Ok(());
        }
        Manner::EndlessHeaders => {
            endless(shared, number, &response, stream);
            return Ok(());
        }
        Manner::Flood(length) => return flood(shared, number, response, length, stream),
        Manner::Rude => return Ok(()),
        Manner::Raw(bytes) => {
            shared.answered(number, 0);
            return stream.write_all(&bytes);
        }
        Manner::Redirect(status, to) => response = Response::new(status).with("Location", to),
        Manner::Headers(headers) => {
            let is_replaced = |name: &str| {
                headers
                    .iter()
                    .any(|(new, _)| new.eq_ignore_ascii_case(name))
            };
            response.headers.retain(|(name, _)| !is_replaced(name));
            response.headers.extend(headers);
        }
        Manner::Body(body) => {
            response = Response::json(200, &json!(null));
            response.body = body;
        }
        Manner::Exactly(answer) => response = answer,
        Manner::Status(status) => response = Response::new(status),
        _ => {}
    }
    send(shared, number, &response, stream)
}

fn send(
    shared: &Shared,
    number: usize,
    response: &Response,
    stream: &mut Stream,
) -> io::Result<()> {
    shared.answered(number, response.status);
    stream.write_all(&response.bytes())
}

fn finish(stream: &mut Stream) -> io::Result<()> {
    stream.conn.send_close_notify();
    stream.flush()
}

fn drip(shared: &Shared, number: usize, response: &Response, stream: &mut Stream) {
    let bytes = response.bytes();
    for (sent, byte) in (0..).zip(&bytes) {
        if stream
            .write_all(&[*byte])
            .and_then(|()| stream.flush())
            .is_err()
        {
            shared.let_go(number, sent);
            return;
        }
        shared.wait(Some(Duration::from_secs(1)));
        if shared.is_closing.load(Ordering::SeqCst) {
            return;
        }
    }
    shared.answered(number, response.status);
}

fn endless(shared: &Shared, number: usize, response: &Response, stream: &mut Stream) {
    let mut sent = 0;
    let mut part = response.head();
    while stream.write_all(&part).is_ok() {
        sent += part.len() as u64;
        part = [b"X-Filling: ", &[b'x'; 1000][..], b"\r\n"].concat();
    }
    shared.let_go(number, sent);
}

fn flood(
    shared: &Shared,
    number: usize,
    response: Response,
    length: u64,
    stream: &mut Stream,
) -> io::Result<()> {
    let part = [b' '; 16 * 1024];
    let response = response.with("Content-Length", length.to_string());
    stream.write_all(&response.head())?;
    stream.write_all(b"\r\n")?;
    let mut sent = 0;
    while sent < length {
        if stream.write_all(&part).is_err() {
            shared.let_go(number, sent);
            return Ok(());
        }
        sent += part.len() as u64;
    }
    shared.answered(number, 200);
    Ok(())
}

impl Shared {
    fn honest(&self, request: &Request) -> Response {
        let mut state = self.state.lock().unwrap();

        let Some(path) = request.path.strip_prefix(&state.base) else {
            return Response::text(404, "nothing is here");
        };
        let request = &Request {
            path: path.to_owned(),
            ..request.clone()
        };
        match self.speaks {
            Speaks::GitHub if request.path.starts_with("/api/v3") => {
                github::answer(&mut state, request)
            }
            Speaks::GitLab if request.path.starts_with("/api/v4") => {
                gitlab::answer(&mut state, request)
            }
            Speaks::Gitea if request.path.starts_with("/api/v1") => gitea::answer(&state, request),
            _ => Response::json(404, &json!({"message": "Not Found"})),
        }
    }

    fn note(&self, request: &Request) -> usize {
        let token = match request.secret() {
            None => "nobody".to_owned(),
            Some(secret) => {
                let state = self.state.lock().unwrap();
                state
                    .token(&secret)
                    .map_or("unknown", |token| &token.name)
                    .to_owned()
            }
        };
        self.record.ask(&request.method, &request.path, &token)
    }

    fn answered(&self, number: usize, status: u16) {
        self.record.add(Event::Answered { number, status });
    }

    fn let_go(&self, number: usize, bytes: u64) {
        self.record.add(Event::LetGo { number, bytes });
    }

    /// Until it closes, or so long.
    fn wait(&self, time: Option<Duration>) {
        let started = Instant::now();
        let mut state = self.state.lock().unwrap();
        while !self.is_closing.load(Ordering::SeqCst) {
            let left = match time {
                None => Duration::from_secs(1),
                Some(time) => time.saturating_sub(started.elapsed()),
            };
            if left.is_zero() {
                return;
            }
            (state, _) = self.changed.wait_timeout(state, left).unwrap();
        }
    }

    fn wait_for_another_manner(&self) {
        let mut state = self.state.lock().unwrap();
        while matches!(state.manner, Manner::Held) && !self.is_closing.load(Ordering::SeqCst) {
            (state, _) = self
                .changed
                .wait_timeout(state, Duration::from_secs(1))
                .unwrap();
        }
    }
}
