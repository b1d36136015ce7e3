//! Accountants say that lines and credits are one matter, whatever they come to; what that leaves open, and be it one case, takes a
//! second person. The bank may tell the day again, and take the ground away under it. A line whose notification has not come yet is
//! booked by two, and the notification comes afterwards, or never.

use crate::accountants::refused;
use crate::life::{Life, STATEMENTS, expect_or_refused};
use crate::process::live;
use crate::seen::Seen;
use crate::world::{ACCOUNTANTS, APPROVERS};
use chung::app::App;
use chung::base::{
    id::{Case, Id, MatchGroup},
    text::Line,
};
use chung::flow::match_cases::{decide_match, propose_match};
use chung::flow::settle_case::{Step, settle_as_officer};
use chung::payment::{case::Resolution, matching::Reason};
use sqlx::Row;
use std::collections::BTreeSet;

impl Life<'_> {
    /// Some of the lines and credits that wait are put together; what waits for a second person is decided.
    pub async fn match_by_hand(&mut self, seen: &Seen) {
        let agency = self.agencies[0];
        let waiting = format!(
            "select id from \"case\" k where agency_id = '{}' and state in ('open', 'assigned')
                 and case when servicer_reference is null then line_id is not null and stated is not null
                     when line_id is null then kind = 'missing_there'
                     else kind = 'amount' and asked = held end
                 and not exists (select from match_member m where m.case_id = k.id and m.living) order by id",
            agency.uuid()
        );
        let mut cases: Vec<Id<Case>> =
            self.world.rows(&waiting).await.iter().map(|row| Id::from_uuid(row.get("id"))).collect();
        if !cases.is_empty() {
            let alone = cases[self.beside.below(cases.len())];
            let words = Line::parse("Đã rõ").unwrap();
            let step = Step::Resolve(Resolution::Explained, words);
            let done = settle_as_officer(&self.app, ACCOUNTANTS[0], alone, &step).await;
            assert!(refused(&done), "nobody ends alone what leaves its sum open: {done:?}");
            let mut members = BTreeSet::new();
            for _ in 0..=self.beside.below(3).min(cases.len() - 1) {
                members.insert(cases.swap_remove(self.beside.below(cases.len())));
            }
            let mut reason = Reason::ALL[self.beside.below(Reason::ALL.len())];
            // The bank shows money of which it has not told yet: sometimes nobody waits for that.
            let unbooked = "select id from \"case\" k where servicer_reference is null and payment_id is not null
                and stated > 0 and state in ('open', 'assigned')
                and not exists (select from match_member m where m.case_id = k.id and m.living) order by id limit 1";
            if let Some(row) = self.world.rows(unbooked).await.first()
                && self.beside.percent(60)
            {
                (members, reason) = (BTreeSet::from([Id::from_uuid(row.get("id"))]), Reason::Credited);
            }
            let words = Line::parse("Thuộc về nhau").unwrap();
            let death = self.dies_beside(seen);
            self.say(&format!("{members:?} are put together"));
            let act = async |app: App| {
                propose_match(&app, ACCOUNTANTS[0], agency, &members, (reason, &words)).await
            };
            let done = live(&self.app, death, act).await;
            match &done {
                Some(Ok(_)) => seen.note("lines and credits put together"),
                Some(Err(error)) => seen.note(format!("not put together: {}", error.code())),
                None => {}
            }
            done.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
        }
        let proposed = "select id, reason from match_group where state = 'proposed' order by id";
        for row in self.world.rows(proposed).await {
            let books = row.get::<&str, _>("reason") == Reason::Credited.as_str();
            self.decide_match(seen, Id::from_uuid(row.get("id")), books).await;
        }
    }

    async fn decide_match(&mut self, seen: &Seen, group: Id<MatchGroup>, books: bool) {
        let own = decide_match(&self.app, ACCOUNTANTS[0], group, true).await;
        assert!(refused(&own), "nobody approves what they put together: {own:?}");
        let approves = self.beside.percent(70);
        let by = if approves { APPROVERS[0] } else { ACCOUNTANTS[0] };
        let death = self.dies_beside(seen);
        let act = async |app: App| decide_match(&app, by, group, approves).await;
        match live(&self.app, death, act).await {
            Some(Ok(())) => {
                seen.note(if approves { "match approved by another" } else { "match withdrawn" });
                if approves && books {
                    seen.note("line booked as the credit that it is");
                }
            }
            Some(done) => expect_or_refused(done),
            None => {}
        }
    }

    /// How many statements a process has to live that acts beside the others, if it is to die.
    pub fn dies_beside(&mut self, seen: &Seen) -> Option<u32> {
        let dies = self.beside.percent(12);
        dies.then(|| {
            seen.note("fault: process died");
            u32::try_from(self.beside.below(STATEMENTS)).unwrap()
        })
    }
}
