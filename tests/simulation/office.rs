//! What the office does beside the money: receipts are taken back or replaced, and days are closed by two people.

use crate::process::live;
use crate::seen::Seen;
use crate::world::Life;
use chung::base::{
    calendar::Day,
    clock::Clock,
    id::{self, Citizen, Id},
};
use chung::flow::{
    Error,
    close_period::{decide_closing, prepare_closing},
    idempotency::Idempotency,
    void_receipt::{replace_receipt, void_receipt},
};
use chung::payment::{
    closing::{Kind, Period},
    receipt::ReceiptName,
};
use sqlx::Row;
use uuid::Uuid;

/// Who keeps the books, and who approves.
const ACCOUNTANT: Uuid = Uuid::from_u128(0x0a);
const APPROVER: Uuid = Uuid::from_u128(0x0b);

impl Life<'_> {
    /// A receipt that holds is taken back, or another one is issued in its place.
    pub async fn take_receipt_back(&mut self, seen: &Seen) {
        let standing = "select r.id, r.agency_id from receipt r join agency a on a.id = r.agency_id and a.state = 'active'
            where r.refund_id is null and not exists (select from receipt_void v where v.receipt_id = r.id) order by r.id";
        let receipts = self.world.rows(standing).await;
        if receipts.is_empty() {
            return;
        }
        let row = &receipts[self.chance.below(receipts.len())];
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
                replace_receipt(&app, agency, receipt, (&name, &reason), &key).await
            } else {
                void_receipt(&app, agency, receipt, &reason, &key).await
            }
        };
        let first = live(&self.app, death, act).await;
        // Whoever got no answer asks again, and gets the same.
        let again = live(&self.app, None, act).await.unwrap();
        let again = again.unwrap_or_else(|error| panic!("{error:?}"));
        if let Some(Ok(first)) = first {
            assert_eq!(first, again, "the same request got two answers");
        }
        seen.note(if replaced { "receipt replaced" } else { "receipt void" });
    }

    /// Every day of this life is closed, by two people; each tries twice, and either may die over it.
    pub async fn close_days(&mut self, seen: &Seen, (first, last): (Day, Day)) {
        // Two officers of a register that this world does not have.
        self.world.rows("set session_replication_role = replica").await;
        for (officer, role) in [(ACCOUNTANT, "accountant"), (APPROVER, "approver")] {
            let grant = format!(
                "insert into role_grant (id, citizen_id, agency_id, role, valid_from, granted_at)
                 select gen_random_uuid(), '{officer}', '{agency}', '{role}', '2026-11-01', '2026-11-01Z'
                 where not exists (select from role_grant where citizen_id = '{officer}')",
                agency = self.agencies[0].uuid(),
            );
            self.world.rows(&grant).await;
        }
        self.world.rows("set session_replication_role = origin").await;
        let (accountant, approver): (Id<Citizen>, Id<Citizen>) =
            (Id::from_uuid(ACCOUNTANT), Id::from_uuid(APPROVER));
        let mut day = first;
        while day < last {
            let (agency, period) = (self.agencies[0], Period::around(Kind::Day, day));
            let death = self.death(seen);
            let prepare =
                async |app: chung::app::App| prepare_closing(&app, agency, accountant, period).await;
            let prepared = live(&self.app, death, prepare).await;
            let again = live(&self.app, None, prepare).await.unwrap();
            match (&prepared, &again) {
                (Some(Ok(_)), Err(Error::Conflict(refusal))) | (None, Err(Error::Conflict(refusal))) => {
                    assert_eq!(refusal.code, "closing_exists");
                }
                (None, Ok(_)) => {}
                other => panic!("{day}: {other:?}"),
            }
            let sql = format!("select id from closing where first_day = '{day}' and state = 'prepared'");
            let closing: Id<id::Closing> = Id::from_uuid(self.world.rows(&sql).await[0].get("id"));
            let own = decide_closing(&self.app, accountant, closing, true).await;
            assert!(own.is_err(), "nobody approves their own closing");
            let death = self.death(seen);
            let approve = async |app: chung::app::App| decide_closing(&app, approver, closing, true).await;
            live(&self.app, death, approve).await;
            match live(&self.app, None, approve).await.unwrap() {
                Ok(()) => {}
                Err(Error::Conflict(refusal)) => assert_eq!(refusal.code, "closing_decided"),
                Err(error) => panic!("{error:?}"),
            }
            seen.note("day closed");
            day = day.plus_days(1);
        }
        self.say(&format!("days are closed at {}", self.clock.now()));
    }
}
