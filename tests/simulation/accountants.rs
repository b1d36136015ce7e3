//! Those who keep the books, and who approves: receipts are taken back or replaced, refunds asked for and decided, banks'
//! requests for money back answered, credits explained, a day's statement brought as a file by two.

use crate::life::Life;
use crate::process::live;
use crate::seen::Seen;
use crate::world::{ACCOUNT, ACCOUNTANTS, APPROVERS};
use chung::app::App;
use chung::base::{
    calendar::Day,
    clock::Clock,
    id::{self, Citizen, Id},
    money::Money,
    text::Line,
};
use chung::flow::{
    Error,
    cash::{confirm_slip, settle_cards},
    decide_refund::{approve_refund, decline_refund},
    idempotency::Idempotency,
    import_file::{Interrupted, Source},
    import_statement::{decide_import, import_statement},
    recall::{ask_back, decide_recall},
    request_refund::{NewRefund, Of, request_refund},
    void_receipt::{Taker, replace_receipt, void_receipt},
};
use chung::payment::{
    receipt::ReceiptName,
    refund::{Extent, Reason},
};
use futures_util::future::BoxFuture;
use sqlx::Row;
use uuid::Uuid;

/// A file that comes in one piece.
struct Whole(Option<Vec<u8>>);

impl Source for Whole {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<u8>>, Interrupted>> {
        Box::pin(std::future::ready(Ok(self.0.take())))
    }
}

impl Life<'_> {
    /// A receipt that holds is taken back, or another one is issued in its place.
    pub async fn take_receipt_back(&mut self, seen: &Seen) {
        let standing = "select r.id, r.agency_id,
                exists (select from platform_order o where o.bill_id = r.bill_id) as by_system
            from receipt r join agency a on a.id = r.agency_id and a.state = 'active'
            where r.refund_id is null and not exists (select from receipt_void v where v.receipt_id = r.id) order by r.id";
        let receipts = self.world.rows(standing).await;
        if receipts.is_empty() {
            return;
        }
        // Rather the first that an agency's system will ask for: what it is given as long as that holds.
        let asked_for = receipts.iter().find(|row| row.get("by_system")).filter(|_| self.chance.percent(60));
        let row = asked_for.unwrap_or_else(|| &receipts[self.chance.below(receipts.len())]);
        let receipt: Id<id::Receipt> = Id::from_uuid(row.get("id"));
        let agency: Id<id::Agency> = Id::from_uuid(row.get("agency_id"));
        self.keys += 1;
        let key = format!("receipt-{}", self.keys);
        let key = Idempotency::new(self.world.client, &key, "receipt", b"").unwrap();
        let replaced = self.chance.percent(70);
        let death = self.death(seen);
        self.say(&format!("{receipt} is {}", if replaced { "replaced" } else { "void" }));
        let reason = chung::base::text::Line::parse("Sai tên người nộp").unwrap();
        let name = ReceiptName {
            name: chung::base::text::Line::parse("Công ty Hòa Bình").unwrap(),
            tax_code: None,
            address: None,
        };
        let act = async |app: chung::app::App| {
            if replaced {
                replace_receipt(&app, agency, receipt, (&name, &reason), Taker::System(&key)).await
            } else {
                void_receipt(&app, agency, receipt, &reason, Taker::System(&key)).await
            }
        };
        let first = live(&self.app, death, act).await;
        // Whoever got no answer asks again, and gets the same.
        let again = live(&self.app, None, act).await.unwrap();
        let again = match again {
            Err(Error::Conflict(refusal)) if replaced && refusal.code == "no_receipt_series" => {
                return seen.note("receipt not replaced: no_receipt_series");
            }
            Err(Error::Conflict(refusal)) if replaced && refusal.code == "receipts_elsewhere" => {
                return seen.note("receipt not replaced: receipts_elsewhere");
            }
            again => again.unwrap_or_else(|error| panic!("{error:?}")),
        };
        if let Some(Ok(first)) = first {
            assert_eq!(first, again, "the same request got two answers");
        }
        seen.note(if replaced { "receipt replaced" } else { "receipt void" });
    }

    /// One day's desk work: what was asked is decided, and what went wrong is asked back.
    pub async fn go_through_the_post(&mut self, seen: &Seen) {
        self.ask_for_what_never_left(seen).await;
        self.ask_refund(seen).await;
        self.decide_refunds(seen).await;
        self.answer_recalls(seen).await;
        self.ask_a_bank(seen).await;
        self.ask_back(seen).await;
    }

    /// Something in the accounting.
    pub async fn keep_books(&mut self, seen: &Seen) {
        // Where days are matched beside, more of them are asked for.
        let beside = self.app.limits.lines_waited_for == 0 || self.rails.pages.is_some();
        let act =
            if beside && self.chance.percent(40) { 10 + self.chance.below(2) } else { self.chance.below(13) };
        match act {
            0..=2 => self.ask_refund(seen).await,
            3..=4 => self.decide_refunds(seen).await,
            5 => self.answer_recalls(seen).await,
            6..=7 => self.explain_credits(seen).await,
            8..=9 => self.ask_a_bank(seen).await,
            10 => self.ask_for_a_day(seen).await,
            _ => self.import_a_day(seen).await,
        }
    }

    /// One row of a question, by chance.
    pub async fn some_row(&mut self, sql: &str) -> Option<sqlx::postgres::PgRow> {
        let mut rows = self.world.rows(sql).await;
        (!rows.is_empty()).then(|| rows.swap_remove(self.chance.below(rows.len())))
    }

    /// Money of a paid bill, or in suspense, is to go back, in cash or as it came.
    async fn ask_refund(&mut self, seen: &Seen) {
        let sql = "select id, agency_id, true as paid from bill where state = 'paid' and paid_by is not null
                   union all select s.id, s.agency_id, false from suspense s
                       left join suspense_decision d on d.suspense_id = s.id and d.approved_by is not null
                       where s.state = 'held' or d.toward = 'refund_due' order by id";
        let Some(row) = self.some_row(sql).await else { return };
        let (id, paid): (Uuid, bool) = (row.get("id"), row.get("paid"));
        let whole = !paid || self.chance.percent(50);
        let line = self.chance.percent(50).then(|| self.chance.below(3));
        let new = NewRefund {
            of: if paid { Of::Bill(Id::from_uuid(id)) } else { Of::Case(Id::from_uuid(id)) },
            extent: match line {
                _ if whole => Extent::Whole,
                Some(line) => Extent::Lines(vec![(line, Money::vnd(7_003))]),
                None => Extent::Amount(Money::vnd(10_001)),
            },
            reason: if paid { Reason::AgencyError } else { Reason::Unexplained },
            words: Line::parse("Thu nhầm").unwrap(),
            in_cash: self.chance.percent(30),
            work_begun: false,
            officer: APPROVERS[self.chance.below(2)],
        };
        let agency = Id::from_uuid(row.get("agency_id"));
        let key = self.act_key("refund");
        let act = async |app: App| request_refund(&app, agency, &new, Some(&key)).await;
        if self.asked_until_answered(seen, ("refund asked for", act)).await.is_some() {
            match (paid, whole, line) {
                (true, false, Some(_)) => seen.note("refund of a line asked for"),
                (false, ..) => seen.note("refund of money in suspense asked for"),
                _ => {}
            }
        }
    }

    /// Another one decides it; nobody decides what is decided.
    async fn decide_refunds(&mut self, seen: &Seen) {
        let Some(row) = self.some_row("select id from refund where state = 'requested' order by id").await
        else {
            return;
        };
        let approves = self.chance.percent(75);
        self.decide_refund(seen, Id::from_uuid(row.get("id")), approves).await;
    }

    pub async fn decide_refund(&mut self, seen: &Seen, refund: Id<id::Refund>, approves: bool) {
        let asked = format!("select requested_by from refund where id = '{}'", refund.uuid());
        let asked: Id<Citizen> = Id::from_uuid(self.world.rows(&asked).await[0].get("requested_by"));
        let own = approve_refund(&self.app, asked, refund).await;
        assert!(refused(&own), "nobody decides what they asked for");
        let by = APPROVERS[usize::from(APPROVERS[0] == asked)];
        self.say(&format!("{refund} is {}", if approves { "approved" } else { "declined" }));
        let act = async |app: App| {
            if approves {
                approve_refund(&app, by, refund).await
            } else {
                decline_refund(&app, by, refund).await
            }
        };
        let (again, done) = self.at_desk(seen, act).await;
        match done {
            Ok(_) => seen.note(if approves { "refund approved" } else { "refund declined" }),
            // Meanwhile the money was used for something else.
            Err(error) if approves && error.code() == "refund_exceeds_receipt" => {
                seen.note("refund not approved: refund_exceeds_receipt");
                let (_, done) =
                    self.at_desk(seen, async |app: App| decline_refund(&app, by, refund).await).await;
                assert!(done.is_ok_and(|told| told["status"] == "declined"), "it can be declined");
            }
            Err(error) if again => seen.note(format!("refund decided before: {}", error.code())),
            Err(error) => panic!("{error:?}"),
        }
    }

    /// A bank that asks money back is told yes or no; what cannot go back any more is no.
    async fn answer_recalls(&mut self, seen: &Seen) {
        let open = "select id from recall where direction = 'in' and state = 'open' order by id";
        let Some(row) = self.some_row(open).await else { return };
        let yes = self.chance.percent(60);
        self.answer_recall(seen, Id::from_uuid(row.get("id")), yes).await;
    }

    async fn answer_recall(&mut self, seen: &Seen, recall: Id<id::Recall>, yes: bool) {
        self.say(&format!("{recall} is answered {}", if yes { "yes" } else { "no" }));
        let officer = ACCOUNTANTS[1];
        let answer = |refusal| async move |app: App| decide_recall(&app, officer, recall, refusal).await;
        let (again, done) = self.at_desk(seen, answer((!yes).then_some("CUST"))).await;
        match done {
            Ok(()) => seen.note(if yes { "recall accepted" } else { "recall refused" }),
            Err(error) if again && error.code() == "recall_decided" => {}
            Err(error) => {
                seen.note(format!("recall cannot be accepted: {}", error.code()));
                assert!(yes, "{error:?}");
                let (again, done) = self.at_desk(seen, answer(Some("NOAS"))).await;
                assert!(done.is_ok() || again, "{done:?}");
            }
        }
    }

    /// A refund went to the wrong place: its bank is asked for it.
    async fn ask_a_bank(&mut self, seen: &Seen) {
        let left = "select id from refund where state in ('sent', 'done') and way = 'clearing' order by id";
        let Some(row) = self.some_row(left).await else { return };
        let refund: Id<id::Refund> = Id::from_uuid(row.get("id"));
        let (again, done) =
            self.at_desk(seen, async |app: App| ask_back(&app, ACCOUNTANTS[0], refund, "DUPL").await).await;
        match done {
            Ok(_) => seen.note("refund asked back"),
            Err(error) => {
                let asked = format!(
                    "select id from recall where refund_id = '{}' and direction = 'out'",
                    refund.uuid()
                );
                let asked = !self.world.rows(&asked).await.is_empty();
                assert!(again || asked, "{error:?}");
            }
        }
    }

    /// Credits that are cash from the tills, or what card companies pay, are explained.
    pub async fn explain_credits(&mut self, seen: &Seen) {
        self.note_arrivals(seen).await;
        for place in 0..self.desk.slips.len() {
            let slip = &self.desk.slips[place];
            let (Some(credit), false) = (slip.credit.clone(), slip.confirmed) else { continue };
            let Some(case) = self.held_case(&credit).await else { continue };
            let name = slip.name.clone();
            // What one accountant ordered another one finds.
            let transferred = self.desk.slips[place].shifts.is_empty();
            let by = ACCOUNTANTS[if transferred { 2 } else { 0 }];
            if transferred {
                let own = confirm_slip(&self.app, ACCOUNTANTS[0], &name, case).await;
                assert!(own.is_err_and(|error| error.code() == "own_act"), "who ordered it finds it");
            }
            let act = async |app: App| confirm_slip(&app, by, &name, case).await;
            let (again, done) = self.at_desk(seen, act).await;
            self.desk.slips[place].confirmed = explained(again, &done);
            if done.is_ok() && transferred {
                seen.note("collected money found with whom it is owed to");
            }
            seen.note(
                done.map_or_else(|error| format!("slip: {}", error.code()), |()| "slip confirmed".to_owned()),
            );
        }
        for (credit, slips, kept) in std::mem::take(&mut self.desk.company) {
            let Some(case) = self.held_case(&credit).await else {
                self.desk.company.push((credit, slips, kept));
                continue;
            };
            let act = async |app: App| settle_cards(&app, ACCOUNTANTS[0], case, &slips).await;
            let (again, done) = self.at_desk(seen, act).await;
            if explained(again, &done) {
                self.desk.discount += kept;
                self.desk.cards.retain(|(payment, _)| !slips.contains(payment));
                seen.note("cards settled");
            } else {
                seen.note(format!("cards: {}", done.unwrap_err().code()));
                self.desk.company.push((credit, slips, kept));
            }
        }
    }

    /// Yesterday's statement comes as a file: one brings it, another one brings the same or looks at it.
    async fn import_a_day(&mut self, seen: &Seen) {
        let now = self.clock.now();
        let day = Day::of(now).plus_days(-1);
        let (agency, [one, other, _]) = (self.agencies[0], ACCOUNTANTS);
        let Some(file) = self.rails.statement_file(day, now) else { return };
        self.say(&format!("the statement of {day} is brought as a file"));
        let bring = |who| {
            let file = &file;
            async move |app: App| {
                let mut source = Whole(Some(file.clone().into_bytes()));
                import_statement(&app, who, agency, ACCOUNT, &mut source).await
            }
        };
        let (_, brought) = self.at_desk(seen, bring(one)).await;
        let waits = "select id from statement_import where state = 'waiting' order by id";
        let import: Option<Id<id::StatementImport>> =
            self.world.rows(waits).await.first().map(|row| Id::from_uuid(row.get("id")));
        seen.note(
            brought
                .map_or_else(|error| format!("import: {}", error.code()), |_| "statement brought".to_owned()),
        );
        let Some(import) = import else { return };
        let own = decide_import(&self.app, one, import, true).await;
        assert!(refused(&own), "nobody confirms their own file");
        let withdrawn = self.chance.percent(20);
        let done = if self.chance.percent(50) && !withdrawn {
            self.at_desk(seen, bring(other)).await.1.map(drop)
        } else {
            self.at_desk(seen, async |app: App| decide_import(&app, other, import, !withdrawn).await)
                .await
                .1
                .map(drop)
        };
        let what = if withdrawn { "import withdrawn" } else { "import accepted" };
        seen.note(done.map_or_else(|error| format!("import: {}", error.code()), |()| what.to_owned()));
    }

    /// The office leaves nothing open: requests of banks, refunds, credits, tills.
    pub async fn tidy_up(&mut self, seen: &Seen) {
        for row in self
            .world
            .rows("select id from recall where direction = 'in' and state = 'open' order by id")
            .await
        {
            self.answer_recall(seen, Id::from_uuid(row.get("id")), true).await;
        }
        for row in self.world.rows("select id from refund where state = 'requested' order by id").await {
            self.decide_refund(seen, Id::from_uuid(row.get("id")), true).await;
        }
        self.order_by_treasury().await;
        self.approve_releases(seen).await;
        self.redirect(seen).await;
        for at in 0..2 {
            let waits = "select id from refund where state = 'at_desk'";
            let fetched = at == 0 && !self.world.rows(waits).await.is_empty();
            if fetched && self.desk.tills[at].shift.is_none() {
                // Whoever pays out is given what it takes.
                self.desk.tills[at].in_hand += 5_000_000;
                self.open_till(at, seen).await;
            }
            if self.desk.tills[at].shift.is_none() {
                continue;
            }
            if fetched {
                for _ in self.world.rows(waits).await {
                    self.pay_back(at, seen).await;
                }
            }
            self.close_till(at, seen).await;
        }
        self.credit_desk_money(seen);
        self.deliver_all().await;
        self.explain_credits(seen).await;
    }
}

/// Refused by a rule: what only a constraint stops is a mistake of ours.
pub const fn refused<T>(done: &Result<T, Error>) -> bool {
    matches!(done, Err(error) if !matches!(error, Error::Internal(_)))
}

/// Whether a credit is explained now: by this act, or by the one whose answer was lost.
fn explained<T>(again: bool, done: &Result<T, Error>) -> bool {
    match done {
        Ok(_) => true,
        Err(error) => again && error.code() == "slip_used",
    }
}
