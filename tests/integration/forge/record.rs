//! What happened at a server, in order: requests by the names of their tokens, never by the tokens.

use std::sync::Mutex;
use std::time::Instant;

/// One thing that happened.
#[derive(Debug, Clone)]
pub struct Entry {
    pub at: Instant,
    pub event: Event,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A request came in, whole.
    Asked {
        number: usize,
        method: String,
        path: String,
        /// Whose token was shown: its name, `unknown`, or `nobody` where none was.
        token: String,
    },
    /// Its answer is about to be sent.
    Answered { number: usize, status: u16 },
    /// The client hung up on an answer without end, after this many bytes of it.
    LetGo { number: usize, bytes: u64 },
    /// A client came and did not like what it saw of our certificate.
    Distrusted,
    /// A test's own mark.
    Note(String),
}

#[derive(Debug, Default)]
pub struct Record(Mutex<Vec<Entry>>);

impl Record {
    pub fn add(&self, event: Event) {
        let mut entries = self.0.lock().unwrap();
        entries.push(Entry {
            at: Instant::now(),
            event,
        });
    }

    /// Notes a request, and returns its number.
    pub fn ask(&self, method: &str, path: &str, token: &str) -> usize {
        let mut entries = self.0.lock().unwrap();
        let number = entries.len();
        entries.push(Entry {
            at: Instant::now(),
            event: Event::Asked {
                number,
                method: method.to_owned(),
                path: path.to_owned(),
                token: token.to_owned(),
            },
        });
        number
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap().clone()
    }
}
