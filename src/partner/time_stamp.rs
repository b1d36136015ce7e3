//! A time-stamping authority (RFC 3161 over HTTP, section 3.4): a question is posted, an answer comes back. What the
//! answer is worth is judged by [`crate::codec::time_stamp`], never here.

use crate::codec::certificate::Anchors;
use crate::codec::revocation::RevocationLists;
use crate::codec::time_stamp::{QUERY_TYPE, REPLY_TYPE};
use futures_util::future::BoxFuture;
use reqwest::header::CONTENT_TYPE;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How many revocation lists are read.
const LISTS_MAX: usize = 64;

/// The longest answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Who gives time stamps.
pub trait TimeStamps: Send + Sync {
    /// Asks once.
    fn stamp<'a>(&'a self, query: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, NotStamped>>;
}

/// An authority, and whose certificates make its stamps believed.
#[derive(Clone)]
pub struct Authority {
    /// How it is asked.
    pub service: Arc<dyn TimeStamps>,
    /// The trusted certificates.
    pub anchors: Arc<Anchors>,
    /// Where revocation lists are put, if anybody does.
    pub lists: ListFolder,
}

/// A folder into which the operator puts revocation lists, each a file in DER or PEM. It is read each time, so that a new
/// list counts at once; nobody is asked for one.
#[derive(Debug, Clone, Default)]
pub struct ListFolder(pub Option<PathBuf>);

/// The folder, or a file in it, does not read.
#[derive(Debug, thiserror::Error)]
#[error("a revocation list does not read: {0}")]
pub struct NoLists(PathBuf);

impl ListFolder {
    /// The lists as they are there now.
    pub async fn read(&self) -> Result<RevocationLists, NoLists> {
        let Some(folder) = &self.0 else { return Ok(RevocationLists::default()) };
        let bad = |_| NoLists(folder.clone());
        let mut files = Vec::new();
        let mut entries = tokio::fs::read_dir(folder).await.map_err(bad)?;
        while let Some(entry) = entries.next_entry().await.map_err(bad)? {
            let path = entry.path();
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            if !hidden && path.is_file() && files.len() < LISTS_MAX {
                let bad = |_| NoLists(path.clone());
                let bytes = tokio::fs::read(&path).await.map_err(bad)?;
                RevocationLists::read([bytes.as_slice()]).map_err(|_| NoLists(path.clone()))?;
                files.push(bytes);
            }
        }
        RevocationLists::read(files.iter().map(Vec::as_slice)).map_err(|_| NoLists(folder.clone()))
    }
}

/// Why there is no answer; it may be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotStamped {
    /// Nobody answered in time, or with something else than an answer.
    #[error("no answer")]
    Silence,
    /// Another status.
    #[error("status {0}")]
    Status(u16),
}

impl NotStamped {
    /// The word in rows.
    pub fn word(self) -> String {
        match self {
            Self::Silence => "silence".to_owned(),
            Self::Status(status) => format!("http_{status}"),
        }
    }
}

/// An authority over HTTP.
pub struct RemoteTimeStamps {
    url: Url,
    http: reqwest::Client,
}

impl RemoteTimeStamps {
    /// One that is given up on after `timeout`.
    pub fn new(url: Url, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { url, http })
    }

    async fn ask(&self, query: &[u8]) -> Result<Vec<u8>, NotStamped> {
        let request = self.http.post(self.url.clone()).header(CONTENT_TYPE, QUERY_TYPE).body(query.to_vec());
        let mut answer = request.send().await.map_err(|_| NotStamped::Silence)?;
        if answer.status().as_u16() != 200 {
            return Err(NotStamped::Status(answer.status().as_u16()));
        }
        if answer.headers().get(CONTENT_TYPE).is_none_or(|named| named != REPLY_TYPE) {
            return Err(NotStamped::Silence);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| NotStamped::Silence)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(NotStamped::Silence);
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }
}

impl TimeStamps for RemoteTimeStamps {
    fn stamp<'a>(&'a self, query: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, NotStamped>> {
        Box::pin(self.ask(query))
    }
}
