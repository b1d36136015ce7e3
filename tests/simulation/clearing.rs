//! What the service asks of the clearing system, and the answers that it gets, or does not get.

use crate::rails::{Asked, Decision, Rails, named};
use crate::world::OWN;
use chung::base::{calendar::Day, clock::Instant, text::Line};
use chung::codec::iso20022::{
    AboutWhat, CancellationRequest, CreditTransfer, Direction, MessageId, PaymentReturn, RequestToPay,
    Resolution, StatementRequest, StatusInquiry,
};
use chung::partner::clearing::{Clearing, FetchedStatement, NoStatement};
use chung::payment::{
    payment::{Event, Report},
    refund::Answer,
};
use futures_util::future::BoxFuture;

impl Clearing for Rails {
    fn request_to_pay<'a>(
        &'a self,
        id: MessageId,
        request: &'a RequestToPay,
        _now: Instant,
    ) -> BoxFuture<'a, Event> {
        if self.fault(8, "fault: request not sent") {
            return Box::pin(async { Event::NotSent });
        }
        if self.fault(8, "fault: request lost") {
            return Box::pin(async { Event::NoAnswer });
        }
        let refused = self.fault(6, "fault: request refused at once");
        let decision = if refused { Decision::Refused } else { Decision::Waiting };
        let account = request.creditor_account.to_string();
        let asked =
            Asked { amount: request.amount, expires: request.expires, decision, by_platform: false, account };
        self.truth.lock().unwrap().asked.insert(id.0, asked);
        let event = if self.fault(12, "fault: answer lost") {
            Event::NoAnswer
        } else if refused {
            Event::Reported(Report::Rejected("AC04".parse().unwrap()))
        } else {
            Event::Handed
        };
        Box::pin(async move {
            // Somebody may kill the process while it waits for the answer.
            tokio::task::yield_now().await;
            event
        })
    }

    fn inquire(&self, _: MessageId, inquiry: StatusInquiry, now: Instant) -> BoxFuture<'_, Option<Report>> {
        if self.deaf || self.fault(50, "fault: inquiry unanswered") {
            return Box::pin(async { None });
        }
        let truth = self.truth.lock().unwrap();
        let report = match truth.asked.get(&inquiry.original.0) {
            None => Report::NotFound,
            Some(Asked { decision: Decision::Approved, .. }) => Report::Accepted,
            Some(Asked { decision: Decision::Refused, .. }) => Report::Rejected("CUST".parse().unwrap()),
            Some(asked) if asked.expires <= now && truth.queued.contains(&inquiry.original.0) => {
                Report::Rejected("AM23".parse().unwrap())
            }
            Some(asked) if asked.expires <= now => Report::Rejected("AB05".parse().unwrap()),
            Some(_) if truth.more_asked.contains(&inquiry.original.0) => Report::StepUp,
            Some(_) => Report::Pending,
        };
        Box::pin(async move { Some(report) })
    }

    fn return_payment<'a>(
        &'a self,
        _: MessageId,
        back: &'a PaymentReturn,
        now: Instant,
    ) -> BoxFuture<'a, Answer> {
        if self.fault(10, "fault: return not sent") {
            return Box::pin(async { Answer::NeverGot });
        }
        if self.fault(20, "fault: return lost") {
            return Box::pin(async { Answer::None });
        }
        let refused = self.fault(15, "fault: return refused");
        let done = *self.truth.lock().unwrap().returns.entry(back.id.0).or_insert_with(|| !refused);
        let known = self
            .truth
            .lock()
            .unwrap()
            .movements
            .iter()
            .any(|entry| entry.direction == Direction::Debit && named(entry) == Some(back.id.0));
        if done && !known {
            self.leave(&back.account.to_string(), back.id.0, back.amount, now);
        }
        let takes = done || self.denies_late(AboutWhat::Return, back.id.0, now);
        if done {
            self.says_meanwhile(AboutWhat::Return, back.id.0, now);
        }
        let answer = match (takes, self.fault(30, "fault: return unanswered")) {
            (_, true) => Answer::None,
            (true, false) => Answer::Taken,
            (false, false) => Answer::Refused("AC04".parse().unwrap()),
        };
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }

    fn inquire_return(&self, _: MessageId, inquiry: StatusInquiry, _: Instant) -> BoxFuture<'_, Answer> {
        if self.deaf || self.fault(40, "fault: inquiry unanswered") {
            return Box::pin(async { Answer::None });
        }
        let answer = match self.truth.lock().unwrap().returns.get(&inquiry.original.0) {
            None => Answer::NeverGot,
            Some(true) => Answer::Taken,
            Some(false) => Answer::Refused("AC04".parse().unwrap()),
        };
        Box::pin(async move { answer })
    }

    fn pass_on<'a>(
        &'a self,
        id: MessageId,
        order: &'a CreditTransfer,
        _made: Instant,
        now: Instant,
    ) -> BoxFuture<'a, Answer> {
        assert_eq!(id.0, order.id.0, "an order goes by one name");
        if self.fault(10, "fault: order not sent") {
            return Box::pin(async { Answer::NeverGot });
        }
        if self.fault(15, "fault: order lost") {
            return Box::pin(async { Answer::None });
        }
        let refused = self.fault(10, "fault: order refused");
        let done = *self.truth.lock().unwrap().orders.entry(id.0).or_insert_with(|| !refused);
        let known = {
            let truth = self.truth.lock().unwrap();
            truth.movements.iter().any(|e| e.direction == Direction::Debit && named(e) == Some(id.0))
        };
        if done && !known {
            self.leave(&order.debtor_account.to_string(), id.0, order.amount, now);
            if order.creditor_account.to_string() == OWN {
                let credit = self.transfer(OWN, order.remittance.as_str(), order.amount, now);
                self.truth.lock().unwrap().arrived.insert(id.0, (credit, order.amount));
            }
        }
        let takes = done || self.denies_late(AboutWhat::Transfer, id.0, now);
        if done {
            self.says_meanwhile(AboutWhat::Transfer, id.0, now);
        }
        let answer = match (takes, self.fault(25, "fault: order unanswered")) {
            (_, true) => Answer::None,
            (true, false) => Answer::Taken,
            (false, false) => Answer::Refused("AC04".parse().unwrap()),
        };
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }

    fn ask_back<'a>(
        &'a self,
        id: MessageId,
        asked: &'a CancellationRequest,
        _: Instant,
    ) -> BoxFuture<'a, Answer> {
        let answer = self.hear_request(id, asked);
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }

    fn answer_recall<'a>(&'a self, _: MessageId, told: &'a Resolution, _: Instant) -> BoxFuture<'a, Answer> {
        let answer = self.hear_answer(told);
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }

    fn statement<'a>(
        &'a self,
        id: MessageId,
        request: &'a StatementRequest,
        now: Instant,
    ) -> BoxFuture<'a, Result<FetchedStatement, NoStatement>> {
        let day = request.day;
        let told = if day >= Day::of(now) {
            Err(NoStatement::Refused(Line::parse("NOST").unwrap()))
        } else {
            Ok(FetchedStatement {
                message: id,
                digest: [0; 32],
                statement: self.told_in_parts(&request.account.to_string(), day, request.page, now),
            })
        };
        Box::pin(async move { told })
    }
}
