//! The one payment abstraction: a clearing system that is asked for money and tells what came of it.
//!
//! [`Clearing`] has few verbs, each one message and one answer: hand over a request to pay, a return or an order to pass
//! money on, ask what became of either, ask money back or answer whoever does, fetch the statement of a day. Silence is an answer too ([`Event::NoAnswer`], `None`, [`NoStatement::Silence`]) and
//! never an error: what it means is decided by [`crate::payment`]. Identifiers and times come from the caller, who has
//! recorded them before. [`RemoteClearing`] speaks ISO 20022 over signed HTTP. What the clearing system says unasked
//! (status reports, credit notifications) does not pass here; it arrives at the service's inbox.

use super::signed_http::{Answered, Peer, SignedHttp, Silence};
use crate::base::calendar::Day;
use crate::base::clock::Instant;
use crate::base::text::Line;
use crate::codec::iso20022::{
    AboutWhat, AccountNumber, CONTENT_TYPE, CancellationRequest, CreditTransfer, EndToEndId, Header,
    MemberId, Message, MessageId, MessageReject, NEVER_RECEIVED, PaymentReturn, Reason, Received, Refusal,
    RequestToPay, Resolution, Statement, StatementRequest, StatusInquiry, TransactionStatus, read, write,
};
use crate::crypto::keyring::KeyRing;
use crate::payment::payment::{BankReason, Event, Report};
use crate::payment::refund::Answer;
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// A clearing system.
pub trait Clearing: Send + Sync {
    /// Hands over a request to pay. The event is one of `Handed`, `NotSent`, `NoAnswer` and `Reported`.
    fn request_to_pay<'a>(
        &'a self,
        id: MessageId,
        request: &'a RequestToPay,
        now: Instant,
    ) -> BoxFuture<'a, Event>;

    /// Asks what became of a request to pay; `None` without a valid answer.
    fn inquire(&self, id: MessageId, inquiry: StatusInquiry, now: Instant) -> BoxFuture<'_, Option<Report>>;

    /// Hands over a return: this money goes back to the account that paid.
    fn return_payment<'a>(
        &'a self,
        id: MessageId,
        back: &'a PaymentReturn,
        now: Instant,
    ) -> BoxFuture<'a, Answer>;

    /// Asks what became of a return.
    fn inquire_return(&self, id: MessageId, inquiry: StatusInquiry, now: Instant) -> BoxFuture<'_, Answer>;

    /// Hands over an order to pass money on. Told again under its name it is the same order: `made` is when it was made,
    /// so that it says the same to the letter.
    fn pass_on<'a>(
        &'a self,
        id: MessageId,
        order: &'a CreditTransfer,
        made: Instant,
        now: Instant,
    ) -> BoxFuture<'a, Answer>;

    /// Asks a bank for money back; its answer comes later. `Taken` when the request is on its way.
    fn ask_back<'a>(
        &'a self,
        id: MessageId,
        asked: &'a CancellationRequest,
        now: Instant,
    ) -> BoxFuture<'a, Answer>;

    /// Answers a bank that asks us for money back. `Taken` when it has the answer.
    fn answer_recall<'a>(
        &'a self,
        id: MessageId,
        answer: &'a Resolution,
        now: Instant,
    ) -> BoxFuture<'a, Answer>;

    /// Fetches a page of the statement of one account for one day that is over; most days have one.
    fn statement<'a>(
        &'a self,
        id: MessageId,
        request: &'a StatementRequest,
        now: Instant,
    ) -> BoxFuture<'a, Result<FetchedStatement, NoStatement>>;
}

/// A statement and what makes it the one it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedStatement {
    /// The message that brought it.
    pub message: MessageId,
    /// SHA-256 over its `Document`.
    pub digest: [u8; 32],
    /// The statement; it adds up.
    pub statement: Statement,
}

/// Why there is no statement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoStatement {
    /// No valid answer: ask again later.
    #[error("the clearing system did not answer: {0}")]
    Silence(String),
    /// The clearing system refused to send it, for instance because the day is not over there.
    #[error("the clearing system refused: {0}")]
    Refused(Line<35>),
    /// It cannot be read, or does not add up.
    #[error("the statement is refused: {0}")]
    Unreadable(Refusal),
    /// It speaks of another account.
    #[error("the statement is of account {0}")]
    AnotherAccount(AccountNumber),
    /// It speaks of another day.
    #[error("the statement is of {0}")]
    AnotherDay(Day),
}

impl NoStatement {
    /// The stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Silence(_) => "statement_unavailable",
            Self::Refused(_) => "statement_refused",
            Self::Unreadable(refusal) => refusal.code(),
            Self::AnotherAccount(_) => "statement_of_another_account",
            Self::AnotherDay(_) => "statement_of_another_day",
        }
    }
}

/// The clearing system of the configuration, over signed HTTP.
pub struct RemoteClearing {
    http: SignedHttp,
    answer_bytes_max: usize,
    us: MemberId,
    them: MemberId,
}

impl RemoteClearing {
    /// The adapter: `us` and `them` are the members' numbers in message headers.
    pub fn new(peer: Peer, keys: Arc<KeyRing>, us: MemberId, them: MemberId) -> Result<Self, reqwest::Error> {
        let answer_bytes_max = peer.answer_bytes_max;
        Ok(Self { http: SignedHttp::new(peer, keys)?, answer_bytes_max, us, them })
    }

    /// A message whose answer may be a bare acknowledgement.
    async fn hand_over(&self, id: MessageId, message: Message, now: Instant) -> Answer {
        let (from, to) = (self.us.clone(), self.them.clone());
        let header = Header { from, to, id, created: now, possible_duplicate: false };
        match self.http.post(CONTENT_TYPE, write(&header, &message), now).await {
            Ok(Answered { status, .. }) if (200..300).contains(&status) => Answer::Taken,
            Ok(Answered { status, .. }) => {
                tracing::warn!(%id, status, "a message was not taken");
                Answer::NeverGot
            }
            Err(Silence::NotSent(why)) => {
                tracing::warn!(%id, why, "a message did not leave");
                Answer::NeverGot
            }
            Err(silence @ (Silence::NoAnswer(_) | Silence::Broken(_))) => {
                tracing::warn!(%id, why = %silence, "a message was not answered");
                Answer::None
            }
        }
    }

    async fn exchange(&self, id: MessageId, message: Message, now: Instant) -> Result<Received, Trouble> {
        self.exchange_made(id, message, (now, now)).await
    }

    /// The same with a message that was made at another time than now.
    async fn exchange_made(
        &self,
        id: MessageId,
        message: Message,
        (made, now): (Instant, Instant),
    ) -> Result<Received, Trouble> {
        let (from, to) = (self.us.clone(), self.them.clone());
        let header = Header { from, to, id, created: made, possible_duplicate: false };
        let body = write(&header, &message);
        let Answered { body, .. } = self.http.post(CONTENT_TYPE, body, now).await?;
        let received = read(&body, self.answer_bytes_max).map_err(Trouble::Unreadable)?;
        if received.header.from != self.them || received.header.to != self.us {
            return Err(Trouble::Silence(Silence::NoAnswer(String::from("the answer is for somebody else"))));
        }
        Ok(received)
    }
}

/// Why an exchange brought no message.
enum Trouble {
    Silence(Silence),
    Unreadable(Refusal),
}

impl From<Silence> for Trouble {
    fn from(silence: Silence) -> Self {
        Self::Silence(silence)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Silence(silence) => silence.fmt(f),
            Self::Unreadable(refusal) => refusal.fmt(f),
        }
    }
}

impl Clearing for RemoteClearing {
    fn request_to_pay<'a>(
        &'a self,
        id: MessageId,
        request: &'a RequestToPay,
        now: Instant,
    ) -> BoxFuture<'a, Event> {
        Box::pin(async move {
            let about = (id, request.end_to_end_id);
            match self.exchange(id, Message::RequestToPay(request.clone()), now).await {
                Ok(received) => handover(received.message, about),
                Err(Trouble::Silence(Silence::NotSent(why))) => {
                    tracing::warn!(%id, why, "a request to pay did not leave");
                    Event::NotSent
                }
                Err(trouble) => {
                    tracing::warn!(%id, why = %trouble, "a request to pay was not answered");
                    Event::NoAnswer
                }
            }
        })
    }

    fn inquire(&self, id: MessageId, inquiry: StatusInquiry, now: Instant) -> BoxFuture<'_, Option<Report>> {
        Box::pin(async move {
            match self.exchange(id, Message::StatusInquiry(inquiry), now).await {
                Ok(received) => report(received.message, id, inquiry),
                Err(trouble) => {
                    tracing::warn!(%id, why = %trouble, "an inquiry was not answered");
                    None
                }
            }
        })
    }

    fn return_payment<'a>(
        &'a self,
        id: MessageId,
        back: &'a PaymentReturn,
        now: Instant,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            match self.exchange(id, Message::PaymentReturn(back.clone()), now).await {
                Ok(received) => returned(received.message, (AboutWhat::Return, None), (id, back.id)),
                Err(Trouble::Silence(Silence::NotSent(why))) => {
                    tracing::warn!(%id, why, "a return did not leave");
                    Answer::NeverGot
                }
                Err(trouble) => {
                    tracing::warn!(%id, why = %trouble, "a return was not answered");
                    Answer::None
                }
            }
        })
    }

    fn inquire_return(&self, id: MessageId, inquiry: StatusInquiry, now: Instant) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            match self.exchange(id, Message::StatusInquiry(inquiry), now).await {
                Ok(received) => {
                    let about = (AboutWhat::Return, Some(id));
                    returned(received.message, about, (inquiry.original, inquiry.end_to_end_id))
                }
                Err(trouble) => {
                    tracing::warn!(%id, why = %trouble, "an inquiry was not answered");
                    Answer::None
                }
            }
        })
    }

    fn pass_on<'a>(
        &'a self,
        id: MessageId,
        order: &'a CreditTransfer,
        made: Instant,
        now: Instant,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let message = Message::CreditTransfer(order.clone());
            match self.exchange_made(id, message, (made, now)).await {
                Ok(received) => returned(received.message, (AboutWhat::Transfer, None), (id, order.id)),
                Err(Trouble::Silence(Silence::NotSent(why))) => {
                    tracing::warn!(%id, why, "an order did not leave");
                    Answer::NeverGot
                }
                Err(trouble) => {
                    tracing::warn!(%id, why = %trouble, "an order was not answered");
                    Answer::None
                }
            }
        })
    }

    fn ask_back<'a>(
        &'a self,
        id: MessageId,
        asked: &'a CancellationRequest,
        now: Instant,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(self.hand_over(id, Message::CancellationRequest(asked.clone()), now))
    }

    fn answer_recall<'a>(
        &'a self,
        id: MessageId,
        answer: &'a Resolution,
        now: Instant,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(self.hand_over(id, Message::Resolution(answer.clone()), now))
    }

    fn statement<'a>(
        &'a self,
        id: MessageId,
        request: &'a StatementRequest,
        now: Instant,
    ) -> BoxFuture<'a, Result<FetchedStatement, NoStatement>> {
        Box::pin(async move {
            let received = self.exchange(id, Message::StatementRequest(request.clone()), now).await;
            let received = received.map_err(|trouble| match trouble {
                Trouble::Silence(silence) => NoStatement::Silence(silence.to_string()),
                Trouble::Unreadable(refusal) => NoStatement::Unreadable(refusal),
            })?;
            let (message, digest) = (received.header.id, received.digest);
            match received.message {
                Message::Statement(statement) => {
                    checked(FetchedStatement { message, digest, statement }, request)
                }
                Message::MessageReject(reject) => Err(NoStatement::Refused(reject.code)),
                other => Err(NoStatement::Silence(format!("{} is no answer", other.definition()))),
            }
        })
    }
}

/// What the answer to a request to pay means for the attempt.
fn handover(message: Message, (id, end_to_end_id): (MessageId, EndToEndId)) -> Event {
    match message {
        Message::RequestStatus(status) if (status.original, status.end_to_end_id) == (id, end_to_end_id) => {
            match status.status {
                TransactionStatus::Received | TransactionStatus::Pending => Event::Handed,
                decided => report_of(decided).map_or(Event::NoAnswer, Event::Reported),
            }
        }
        Message::MessageReject(reject) if reject.refused.as_str() == id.to_string() => {
            tracing::error!(%id, code = %reject.code, "the clearing system refused our message");
            if has_another(&reject) { Event::NoAnswer } else { Event::NotSent }
        }
        other => {
            tracing::warn!(%id, answer = other.definition(), "an answer that answers something else");
            Event::NoAnswer
        }
    }
}

/// Whether a refusal says that a message came before under this name with another text. What became of that one is not
/// known from here and must be asked; with a message that is refused for any other reason nothing was done.
fn has_another(reject: &MessageReject) -> bool {
    reject.code.as_str() == "identifier_reused"
}

/// What is said of a return or an order, by the answer to it or to an inquiry about it.
fn returned(
    message: Message,
    (about, inquiry): (AboutWhat, Option<MessageId>),
    (original, id): (MessageId, EndToEndId),
) -> Answer {
    match message {
        Message::PaymentStatus(status)
            if status.about == about
                && status.inquiry == inquiry
                && (status.original, status.end_to_end_id) == (original, id) =>
        {
            match report_of(status.status) {
                Some(Report::Pending | Report::StepUp | Report::Accepted) => Answer::Taken,
                Some(Report::NotFound) => Answer::NeverGot,
                Some(Report::Rejected(reason)) => Answer::Refused(reason),
                None => Answer::None,
            }
        }
        Message::MessageReject(reject) if reject.refused.as_str() == original.to_string() => {
            tracing::error!(%original, code = %reject.code, "the clearing system refused our message");
            if has_another(&reject) { Answer::None } else { Answer::NeverGot }
        }
        other => {
            tracing::warn!(%original, answer = other.definition(), "an answer that answers something else");
            Answer::None
        }
    }
}

/// What the answer to an inquiry says, if it answers it.
fn report(message: Message, id: MessageId, inquiry: StatusInquiry) -> Option<Report> {
    let Message::PaymentStatus(status) = message else { return None };
    let answers = status.inquiry == Some(id)
        && (status.original, status.end_to_end_id) == (inquiry.original, inquiry.end_to_end_id);
    if answers { report_of(status.status) } else { None }
}

/// The clearing system's status in the words of [`crate::payment`]; the inbox uses it too.
pub fn report_of(status: TransactionStatus) -> Option<Report> {
    Some(match status {
        TransactionStatus::Received | TransactionStatus::Pending => Report::Pending,
        TransactionStatus::StepUp => Report::StepUp,
        TransactionStatus::Accepted | TransactionStatus::Settled => Report::Accepted,
        TransactionStatus::Rejected(reason) if reason.code.as_str() == NEVER_RECEIVED => Report::NotFound,
        TransactionStatus::Rejected(reason) => Report::Rejected(bank_reason(&reason)?),
    })
}

/// A code of the lists as it is; an institution's own code is told as `NARR`, a reason in words.
fn bank_reason(reason: &Reason) -> Option<BankReason> {
    reason.code.as_str().parse().or_else(|_| "NARR".parse()).ok()
}

fn checked(fetched: FetchedStatement, request: &StatementRequest) -> Result<FetchedStatement, NoStatement> {
    let Statement { account, day, part, .. } = &fetched.statement;
    if *account != request.account {
        return Err(NoStatement::AnotherAccount(account.clone()));
    }
    if *day != request.day {
        return Err(NoStatement::AnotherDay(*day));
    }
    if part.number != request.page {
        return Err(NoStatement::Unreadable(Refusal::Unreadable("PgNb")));
    }
    Ok(fetched)
}
