//! Nodes whose every statement can be held back: what one of two at once sends to the database waits at a gate until it is its
//! turn. So nothing depends on who is faster, the process, its neighbour or the database.

use chung::store::Store;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

/// The name of the socket in its folder, by PostgreSQL's custom.
const SOCKET: &str = ".s.PGSQL.5432";
/// Messages of PostgreSQL's protocol, version 3: each of the first two is followed by the third once it is answered, and the
/// fourth names the process that serves a connection.
const QUERY: u8 = b'Q';
const SYNC: u8 = b'S';
const READY: u8 = b'Z';
const BACKEND: u8 = b'K';
/// The first message of a connection has no letter.
const START: u8 = 0;

/// A node on the database, and its gate.
pub struct Node {
    pub store: Store,
    pub gate: Arc<Gate>,
    _folder: tempfile::TempDir,
}

/// What a node sends passes while its gate is open.
#[derive(Default)]
pub struct Gate {
    shut: AtomicBool,
    opened: Notify,
    /// The server's processes that serve it.
    backends: Mutex<Vec<i32>>,
    /// How much was sent that the server is not done with.
    unanswered: AtomicU32,
}

impl Gate {
    pub fn open(&self) {
        self.shut.store(false, Ordering::Relaxed);
        self.opened.notify_waiters();
    }

    pub fn shut(&self) {
        self.shut.store(true, Ordering::Relaxed);
    }

    /// Whether the server is done with all that passed.
    pub fn is_quiet(&self) -> bool {
        self.unanswered.load(Ordering::Relaxed) == 0
    }

    pub fn backends(&self) -> Vec<i32> {
        self.backends.lock().unwrap().clone()
    }

    async fn passed(&self) {
        loop {
            let opened = self.opened.notified();
            if !self.shut.load(Ordering::Relaxed) {
                return;
            }
            opened.await;
        }
    }
}

impl Node {
    /// One connection to the database of that address: whatever a node does at once, it does one after the other.
    #[expect(clippy::disallowed_methods, reason = "the gate stands beside whatever goes through it")]
    pub async fn on(url: &str) -> Self {
        let mut direct: url::Url = url.parse().unwrap();
        let host = direct.query_pairs().find(|(name, _)| name == "host").unwrap().1.into_owned();
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let own = folder.path().to_str().unwrap().to_owned();
        let others: Vec<(String, String)> =
            direct.query_pairs().into_owned().filter(|(name, _)| name != "host").collect();
        direct.query_pairs_mut().clear().append_pair("host", &own).extend_pairs(others);
        let gate = Arc::new(Gate::default());
        let server = Path::new(&host).join(SOCKET);
        let keeper = gate.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&server).await.unwrap();
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(ask(keeper.clone(), from_client, to_server));
                tokio::spawn(answer(keeper.clone(), from_server, to_client));
            }
        });
        let store = Store::connect(direct.as_str(), 1).await.unwrap();
        Self { store, gate, _folder: folder }
    }
}

/// Brings what the node sends to the server, when it may pass.
async fn ask(gate: Arc<Gate>, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut messages = Messages { head: Vec::new(), left: None, first: true };
    let mut bytes = vec![0; 16 << 10];
    while let Ok(many @ 1..) = from.read(&mut bytes).await {
        gate.passed().await;
        messages.read(&bytes[..many], |kind, _| {
            if [QUERY, SYNC, START].contains(&kind) {
                gate.unanswered.fetch_add(1, Ordering::Relaxed);
            }
        });
        if to.write_all(&bytes[..many]).await.is_err() {
            return;
        }
    }
}

/// Brings back what the server answers.
async fn answer(gate: Arc<Gate>, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut messages = Messages { head: Vec::new(), left: None, first: false };
    let mut bytes = vec![0; 16 << 10];
    while let Ok(many @ 1..) = from.read(&mut bytes).await {
        messages.read(&bytes[..many], |kind, begins| match kind {
            READY => drop(gate.unanswered.fetch_sub(1, Ordering::Relaxed)),
            BACKEND => {
                let id = begins.first_chunk().map(|id| i32::from_be_bytes(*id));
                gate.backends.lock().unwrap().extend(id);
            }
            _ => {}
        });
        if to.write_all(&bytes[..many]).await.is_err() {
            return;
        }
    }
}

/// Finds the messages in a stream: a letter, a length that counts itself, and the rest.
struct Messages {
    /// What has come of a message's letter, length and first four bytes.
    head: Vec<u8>,
    /// How much of it is still to come, once its length is known.
    left: Option<usize>,
    /// The first message that a client sends has no letter.
    first: bool,
}

impl Messages {
    fn read(&mut self, mut bytes: &[u8], mut whole: impl FnMut(u8, &[u8])) {
        while let Some((byte, rest)) = bytes.split_first() {
            let letters = usize::from(!self.first);
            match self.left {
                None => {
                    self.head.push(*byte);
                    bytes = rest;
                    if self.head.len() == letters + 4 {
                        let length = self.head[letters..].first_chunk().unwrap();
                        self.left = Some(u32::from_be_bytes(*length) as usize - 4);
                    }
                }
                Some(left) => {
                    let many = left.min(bytes.len());
                    let wanted = (letters + 8 - self.head.len()).min(many);
                    self.head.extend(&bytes[..wanted]);
                    bytes = &bytes[many..];
                    self.left = Some(left - many);
                }
            }
            if self.left == Some(0) {
                let kind = if self.first { START } else { self.head[0] };
                whole(kind, &self.head[letters + 4..]);
                (self.left, self.first) = (None, false);
                self.head.clear();
            }
        }
    }
}
