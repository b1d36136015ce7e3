//! The load generator: HTTP/1.1 over kept connections, as little work per request as can be.

use anyhow::{Context, Result, bail};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Gives the bytes of the nth request; `None` when there are no more.
pub type Requests = Arc<dyn Fn(usize) -> Option<Vec<u8>> + Send + Sync>;

/// A request with a body, ready to be sent.
pub fn post(path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// How fast requests are sent.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// Each client sends its next request when it has its answer, until the time is over.
    Closed(Duration),
    /// So many in each second, whatever the answers do; a latency counts from the moment the request was due.
    Open(f64, Duration),
}

/// What came back.
#[derive(Debug)]
pub struct Load {
    /// Answers, each with the expected status.
    pub answered: usize,
    latencies: Vec<Duration>,
}

impl Load {
    /// The latency in milliseconds that this share of the answers does not exceed.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let place = (share * self.latencies.len() as f64) as usize;
        let at = self.latencies.get(place.min(self.latencies.len().saturating_sub(1)));
        at.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// Sends requests over `clients` connections; an answer of another status than `expected` ends the whole.
pub async fn load(
    at: SocketAddr,
    clients: usize,
    pace: Pace,
    expected: u16,
    requests: &Requests,
) -> Result<Load> {
    let (next, began) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let mut running = JoinSet::new();
    for _ in 0..clients {
        let (next, requests) = (Arc::clone(&next), Arc::clone(requests));
        running.spawn(async move {
            let mut connection = Connection::open(at).await?;
            let mut latencies = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let due = match pace {
                    Pace::Closed(time) => {
                        if began.elapsed() >= time {
                            break;
                        }
                        Instant::now()
                    }
                    Pace::Open(rate, time) => {
                        let after = Duration::from_secs_f64(number as f64 / rate);
                        if after >= time {
                            break;
                        }
                        tokio::time::sleep_until((began + after).into()).await;
                        began + after
                    }
                };
                let Some(request) = requests(number) else { break };
                let (status, body) = connection.send(&request).await?;
                if status != expected {
                    bail!("answered {status}: {}", String::from_utf8_lossy(&body));
                }
                latencies.push(due.elapsed());
            }
            Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(done) = running.join_next().await {
        latencies.extend(done??);
    }
    latencies.sort_unstable();
    Ok(Load { answered: latencies.len(), latencies })
}

/// A kept connection.
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(at: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(at).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(8192) })
    }

    /// Sends a request and reads the status and body of its answer, which must name its length.
    pub async fn send(&mut self, request: &[u8]) -> Result<(u16, Vec<u8>)> {
        let answer = self.ask(request).await?;
        Ok((answer.status, answer.body))
    }

    /// Sends a request and reads its whole answer.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let head = loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the service hung up");
            }
            if let Some(end) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = std::str::from_utf8(&self.read[..head]).context("a head that is not text")?;
        let status = text.split(' ').nth(1).and_then(|s| s.parse().ok()).context("no status")?;
        let length = text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
        });
        let length = length.context("no content-length")?;
        while self.read.len() < head + length {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the service hung up");
            }
        }
        let body = self.read[head..head + length].to_vec();
        Ok(Answer { status, head: String::from_utf8_lossy(&self.read[..head]).into_owned(), body })
    }
}

/// What came back for one request.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The head as it came.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The value of a header, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }
}
