//! A clearing system that can only tell yesterday's statement.

use crate::world::TOTAL;
use chung::base::{clock::Instant, money::Money};
use chung::codec::iso20022::{
    CancellationRequest, CreditTransfer, Entry, MessageId, Part, PaymentReturn, RequestToPay, Resolution,
    Statement, StatementRequest, StatusInquiry,
};
use chung::partner::clearing::{Clearing, FetchedStatement, NoStatement};
use chung::payment::{
    payment::{Event, Report},
    refund::Answer,
};
use futures_util::future::BoxFuture;

/// A bank that tells one day, and nothing else.
pub struct Yesterday(pub Vec<Entry>);

impl Clearing for Yesterday {
    fn statement<'a>(
        &'a self,
        id: MessageId,
        request: &'a StatementRequest,
        _: Instant,
    ) -> BoxFuture<'a, Result<FetchedStatement, NoStatement>> {
        let closing = Money::vnd(TOTAL * i64::try_from(self.0.len()).unwrap());
        let statement = Statement {
            account: request.account.clone(),
            day: request.day,
            opening: Money::vnd(0),
            closing,
            entries: self.0.clone(),
            part: Part::WHOLE,
        };
        Box::pin(async move { Ok(FetchedStatement { message: id, digest: [0; 32], statement }) })
    }

    fn request_to_pay<'a>(&'a self, _: MessageId, _: &'a RequestToPay, _: Instant) -> BoxFuture<'a, Event> {
        Box::pin(async { Event::NoAnswer })
    }

    fn inquire(&self, _: MessageId, _: StatusInquiry, _: Instant) -> BoxFuture<'_, Option<Report>> {
        Box::pin(async { None })
    }

    fn return_payment<'a>(&'a self, _: MessageId, _: &'a PaymentReturn, _: Instant) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::None })
    }

    fn inquire_return(&self, _: MessageId, _: StatusInquiry, _: Instant) -> BoxFuture<'_, Answer> {
        Box::pin(async { Answer::None })
    }

    fn pass_on<'a>(
        &'a self,
        _: MessageId,
        _: &'a CreditTransfer,
        _: Instant,
        _: Instant,
    ) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::None })
    }

    fn ask_back<'a>(&'a self, _: MessageId, _: &'a CancellationRequest, _: Instant) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::None })
    }

    fn answer_recall<'a>(&'a self, _: MessageId, _: &'a Resolution, _: Instant) -> BoxFuture<'a, Answer> {
        Box::pin(async { Answer::None })
    }
}
