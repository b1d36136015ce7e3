//! Where the lines of a day are read from: a chunk at a time and as often as wanted, so that a day of any length needs
//! the room of a chunk.

use super::{Error, Result, agency_key::agency_key};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{Event, Id},
        money::Money,
    },
    codec::iso20022::{self, Entry, Header, Message, MessageId, Statement},
    crypto::seal::DataKey,
    store::{
        Tx,
        account::CollectingAccount,
        statement_page::{self as pages, Run},
    },
};
use futures_util::future::BoxFuture;
use std::future::ready;
use uuid::Uuid;

/// How many lines a chunk has at most when they are in memory anyway.
const AT_ONCE: usize = 5_000;

/// The lines of a day, in the bank's order.
pub trait Lines: Send + Sync {
    /// The chunk of that number, from 0; an empty one comes after the last.
    fn chunk<'a>(&'a self, tx: &'a mut Tx, nth: usize) -> BoxFuture<'a, Result<Vec<Entry>>>;

    /// How many there are, if that is known before they are read.
    fn many(&self) -> Option<usize> {
        None
    }

    /// Nobody will ask again.
    fn over<'a>(&'a self, _tx: &'a mut Tx) -> BoxFuture<'a, Result<()>> {
        Box::pin(ready(Ok(())))
    }
}

/// Lines that came in one piece.
impl Lines for Vec<Entry> {
    fn chunk<'a>(&'a self, _: &'a mut Tx, nth: usize) -> BoxFuture<'a, Result<Vec<Entry>>> {
        Box::pin(ready(Ok(self.chunks(AT_ONCE).nth(nth).unwrap_or_default().to_vec())))
    }

    fn many(&self) -> Option<usize> {
        Some(self.len())
    }
}

/// A statement as it was told, by whoever may be believed.
pub struct Telling {
    /// What brought it.
    pub message: Uuid,
    /// The bank's business day.
    pub day: Day,
    /// Balances at its two ends.
    pub balances: (Money, Money),
    /// What moved in between.
    pub lines: Box<dyn Lines>,
}

/// How far a matching is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// So many lines came from the bank.
    Fetched(usize),
    /// So many of the lines of a day that is known already are read, of as many as are known of.
    Read(usize, usize),
    /// So many of the lines are kept; as many as there are, or as are known of so far.
    Kept(usize, usize),
    /// So many of those that are not plain are judged.
    Judged(usize, usize),
}

/// Who is told how far it is.
pub type Watch<'a> = &'a (dyn Fn(Step) + Send + Sync);

/// Pages that wait in the database, sealed, until the last one is there. They are one run's own: another that fetches the same
/// day meanwhile has its own.
pub(super) struct Pages {
    run: Run,
    key: DataKey,
    /// How many pages came so far.
    kept: u32,
    /// How many lines.
    pub(super) lines: usize,
}

impl Pages {
    /// The pages of a run that begins now.
    pub(super) async fn begin(app: &App, account: &CollectingAccount, day: Day) -> Result<Self> {
        let now = app.clock.now();
        let mut tx = app.store.begin().await?;
        let key = agency_key(app, &mut tx, account.owner).await?;
        tx.commit().await?;
        let id = Id::<Event>::new(now, &*app.entropy).uuid();
        Ok(Self { run: Run { id, account: account.id, day, begun: now }, key, kept: 0, lines: 0 })
    }

    /// Keeps a page.
    pub(super) async fn keep(&mut self, app: &App, message: MessageId, page: Statement) -> Result<()> {
        let number = page.part.number;
        self.kept = number;
        self.lines += page.entries.len();
        let party = |text: &str| text.parse().map_err(|_| Error::internal("a member's name"));
        let header = Header {
            from: party("PAGE")?,
            to: party("PAGE")?,
            id: message,
            created: app.clock.now(),
            possible_duplicate: false,
        };
        let xml = iso20022::write(&header, &Message::Statement(page));
        let content = self.key.seal(&*app.entropy, &self.place(number), xml.as_bytes());
        let mut tx = app.store.begin().await?;
        pages::put(&mut tx, &self.run, number, &content).await?;
        Ok(tx.commit().await?)
    }

    /// A day of which a page is gone is not a shorter day.
    async fn read(&self, tx: &mut Tx, nth: usize) -> Result<Vec<Entry>> {
        let number = u32::try_from(nth + 1).map_err(Error::internal)?;
        if number > self.kept {
            return Ok(Vec::new());
        }
        let sealed = pages::read(tx, self.run.id, number).await?.ok_or(Error::conflict("try_again"))?;
        let plain = self.key.open(&self.place(number), &sealed)?;
        let received = iso20022::read(plain.expose(), usize::MAX).map_err(Error::internal)?;
        match received.message {
            Message::Statement(page) => Ok(page.entries),
            _ => Err(Error::internal("a kept page that is no statement")),
        }
    }

    fn place(&self, number: u32) -> Vec<u8> {
        format!("statement_page.content {} {number}", self.run.id).into_bytes()
    }
}

impl Lines for Pages {
    fn chunk<'a>(&'a self, tx: &'a mut Tx, nth: usize) -> BoxFuture<'a, Result<Vec<Entry>>> {
        Box::pin(self.read(tx, nth))
    }

    fn many(&self) -> Option<usize> {
        Some(self.lines)
    }

    fn over<'a>(&'a self, tx: &'a mut Tx) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { Ok(pages::clear(tx, self.run.id).await?) })
    }
}
