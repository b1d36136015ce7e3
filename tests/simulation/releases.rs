//! Money in suspense that two people let go: back to whoever sent it, to the budget, or to the bill that it was for; and
//! refunds that a bank did not take, which somebody sends to a desk.

use crate::accountants::refused;
use crate::life::Life;
use crate::seen::Seen;
use crate::world::{ACCOUNTANTS, APPROVERS};
use chung::app::App;
use chung::base::{
    clock::Clock,
    id::{self, Agency, Citizen, Id},
    text::Line,
};
use chung::flow::{
    decide_refund::redirect_refund,
    release_suspense::{Proposal, approve_release, propose_release},
};
use chung::identity::{assurance::Assurance, authenticator::Method, session::Session};
use chung::payment::release::Toward;
use sqlx::Row;
use std::time::Duration;
use uuid::Uuid;

/// What somebody proposed and nobody has approved.
const PROPOSED: &str = "select d.suspense_id as id, d.toward, d.proposed_by, s.agency_id
     from suspense_decision d join suspense s on s.id = d.suspense_id
     where d.approved_by is null and s.state = 'held' order by d.suspense_id";

impl Life<'_> {
    /// Something about money in suspense: what is proposed is approved, mostly.
    pub async fn release(&mut self, seen: &Seen) {
        match self.some_row(PROPOSED).await {
            Some(row) if self.chance.percent(60) => self.approve(&row, seen).await,
            _ => self.propose(seen).await,
        }
    }

    async fn propose(&mut self, seen: &Seen) {
        // What came from the desk is explained by those who keep the books.
        let slips = self.desk.slips.iter().filter_map(|slip| slip.credit.as_deref());
        let company = self.desk.company.iter().map(|paid| paid.0.as_str());
        let desk: Vec<String> = slips.chain(company).map(|credit| format!("'{credit}'")).collect();
        let held = format!(
            "select s.id, s.agency_id, (select b.id from bill b where b.agency_id = s.agency_id and b.state = 'open'
                     and b.phi + b.le_phi + b.tax = s.amount order by b.id = s.bill_id, b.id limit 1) as payable
             from suspense s where s.state = 'held' and s.servicer_reference not in ('', {})
                 and not exists (select from suspense_decision d where d.suspense_id = s.id)
                 and not exists (select from refund r where r.case_id = s.id and r.state <> 'declined')",
            if desk.is_empty() { "''".to_owned() } else { desk.join(", ") }
        );
        let payable = format!("select * from ({held}) as held where payable is not null order by id");
        let any = format!("{held} order by s.id");
        let mut row = if self.chance.percent(70) { self.some_row(&payable).await } else { None };
        if row.is_none() {
            row = self.some_row(&any).await;
        }
        let Some(row) = row else { return };
        let (case, agency): (Id<id::Case>, Id<Agency>) =
            (Id::from_uuid(row.get("id")), Id::from_uuid(row.get("agency_id")));
        let toward = match row.get::<Option<Uuid>, _>("payable") {
            Some(bill) if self.chance.percent(80) => Toward::Bill(Id::from_uuid(bill)),
            _ if self.chance.percent(50) => Toward::RefundDue,
            _ => Toward::Unclaimed,
        };
        let proposal = Proposal {
            toward,
            legal_basis: Line::parse("Luật 97/2015").unwrap(),
            words: Line::parse("Đã đối chiếu với người nộp").unwrap(),
            officer: ACCOUNTANTS[self.chance.below(3)],
        };
        let key = self.act_key("release");
        let act = async |app: App| propose_release(&app, agency, case, &proposal, Some(&key)).await;
        let Some(_) = self.asked_until_answered(seen, ("release proposed", act)).await else { return };
        let again = propose_release(&self.app, agency, case, &proposal, None).await;
        assert!(refused(&again), "money is proposed once");
        if self.chance.percent(70)
            && let Some(row) =
                self.world.rows(PROPOSED).await.iter().find(|row| row.get::<Uuid, _>("id") == case.uuid())
        {
            self.approve(row, seen).await;
        }
    }

    async fn approve(&mut self, row: &sqlx::postgres::PgRow, seen: &Seen) {
        let (case, agency): (Id<id::Case>, Id<Agency>) =
            (Id::from_uuid(row.get("id")), Id::from_uuid(row.get("agency_id")));
        let proposer: Id<Citizen> = Id::from_uuid(row.get("proposed_by"));
        let own = approve_release(&self.app, agency, case, (proposer, None), None).await;
        assert!(refused(&own), "nobody approves what they proposed");
        let by = APPROVERS[usize::from(APPROVERS[0] == proposer)];
        let key = self.act_key("release");
        let act = async |app: App| approve_release(&app, agency, case, (by, None), Some(&key)).await;
        if self.asked_until_answered(seen, ("release approved", act)).await.is_some() {
            seen.note(format!("released: {}", row.get::<&str, _>("toward")));
        }
    }

    /// What is proposed is approved in the end, where it still can be.
    pub async fn approve_releases(&mut self, seen: &Seen) {
        for row in self.world.rows(PROPOSED).await {
            self.approve(&row, seen).await;
        }
    }

    /// A bank did not take a refund: it is sent to a desk, by somebody who proved well who they are.
    pub async fn redirect(&mut self, seen: &Seen) {
        let bounced = "select r.id from refund r where r.state = 'bounced' and r.reason <> 'recalled'
             and exists (select from drawer d where d.agency_id = r.agency_id) order by r.id";
        let Some(row) = self.some_row(bounced).await else { return };
        let (refund, now): (Id<id::Refund>, _) = (Id::from_uuid(row.get("id")), self.clock.now());
        let session = |reached: Assurance| Session {
            id: Id::from_uuid(Uuid::from_u128(0x5e55)),
            citizen: ACCOUNTANTS[0],
            method: if reached == Assurance::Low { Method::SmsCode } else { Method::Passkey },
            reached,
            authenticated_at: now,
            expires_at: now + Duration::from_secs(3_600),
            ended_at: None,
        };
        let weak = redirect_refund(&self.app, &session(Assurance::Low), refund).await;
        assert_eq!(weak.err().map(|error| error.code()), Some("stronger_sign_in_needed"));
        self.say(&format!("{refund} is sent to a desk"));
        let strong = session(Assurance::Substantial);
        let (again, done) =
            self.at_desk(seen, async |app: App| redirect_refund(&app, &strong, refund).await).await;
        match done {
            Ok(()) => seen.note("refund sent to a desk"),
            Err(error) => assert!(again && error.code() == "refund_decided", "{error:?}"),
        }
    }
}
