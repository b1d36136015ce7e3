//! The schedule of fees as people change it: a version is drafted, submitted, approved by somebody else, in force from a
//! day and ended on one. And reductions whose evidence turns out not to hold: the difference has a bill of its own.

use crate::accountants::refused;
use crate::changes::amount;
use crate::life::Life;
use crate::seen::Seen;
use crate::world::{ACCOUNTANTS, APPROVERS};
use chung::app::App;
use chung::base::{
    calendar::Day,
    clock::{Clock, Instant},
    id::{self, Agency, Citizen, Id},
    text::Line,
};
use chung::flow::{
    fee_versions::{Move, NewVersion, draft_version, move_version},
    revoke_evidence::{Revocation, revoke_evidence},
};
use chung::payment::attachment::Attachment;
use sqlx::Row;
use uuid::Uuid;

/// What the fees of a dossier cost by the first version: those of an enterprise, and the two of land, the first of them
/// less what the account level takes off.
pub const ENTERPRISE: i64 = 150_000;
pub const LAND: [i64; 2] = [700_000 - SAVED, 50_000];
pub const SAVED: i64 = 70_000;

/// What a bill asks for, as far as the schedule and others' papers say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Charge {
    pub total: i64,
    /// Taxes and prices of services.
    pub beside: i64,
    /// Whether it is for land.
    pub land: bool,
    /// What a verified fact took off.
    pub saved: i64,
    /// Whether its owners have a bill each.
    pub apart: bool,
}

/// A version that somebody has drafted.
pub struct Version {
    id: Id<id::Schedule>,
    agency: Id<Agency>,
    /// How many times as much everything costs by it.
    times: i64,
    by: Vec<Id<Citizen>>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Drafted,
    Submitted,
    Approved { from: Day, at: Instant, until: Option<Day> },
}

const HEADER: &str = "fee_code,procedure_code,procedure_vi,procedure_en,kind,item_vi,item_en,amount_vnd,unit,\
    legal_basis,valid_from,valid_to,retained_pct,chapter,sub_item,sensitive,formula,retained_basis";
/// Hundredths of a percent a day by which late interest is charged, by the version in which everything costs so many times as much.
pub const fn late_rate(times: i64) -> i64 {
    2 + times
}

/// The row of the late rule of the version in which everything costs so many times as much.
pub fn late_row(times: i64) -> String {
    let code = if times > 2 { "CHAM-HAI" } else { "CHAM-NOP" };
    let rate = late_rate(times);
    format!("{code},*,late_daily,0.0{rate},late,applicant,payment,,Law 38/2019,2020-07-01,\n")
}

const REDUCTIONS: &str = "adjustment_code,applies_to,effect,value,condition,whose_fact,governing_date,evidence,\
    legal_basis,valid_from,valid_to\n\
    LEVEL,DD-01,percent_off,10,eid_account_level>=2,applicant,submission,level,Resolution,2026-01-01,\n";

/// The items of a version in which everything costs so many times as much.
fn items(times: i64, nth: usize) -> String {
    let rows = [
        ("DKKD-01", "1.001610", "le_phi", 50_000, "0,414,2750,no,,"),
        ("DKKD-02", "1.001610", "phi", 100_000, "75,414,2250,no,,Decree"),
        ("DD-01", "1.012782", "phi", 700_000, "75,414,2250,no,,Decree"),
        ("DD-02", "1.012782", "le_phi", 50_000, "0,414,2750,no,,"),
    ];
    let row = |(fee, procedure, kind, one, rest): (&str, &str, &str, i64, &str)| {
        format!(
            "{fee},{procedure},Hồ sơ,Dossier,{kind},Khoản,Item,{},dossier,Resolution {nth},2026-01-01,,{rest}\n",
            one * times
        )
    };
    format!("{HEADER}\n{}", rows.map(row).concat())
}

impl Life<'_> {
    /// How many times as much everything costs by the version in force.
    pub fn times(&self) -> i64 {
        let today = Day::of(self.clock.now());
        let in_force = |version: &&Version| match version.stage {
            Stage::Approved { from, until, .. } => from <= today && until.is_none_or(|until| until > today),
            Stage::Drafted | Stage::Submitted => false,
        };
        let since = |version: &&Version| match version.stage {
            Stage::Approved { from, at, .. } => Some((from, at, version.id.uuid())),
            Stage::Drafted | Stage::Submitted => None,
        };
        self.versions.iter().filter(in_force).max_by_key(since).map_or(1, |version| version.times)
    }

    /// What the fees of an enterprise cost today.
    pub fn price(&self) -> i64 {
        self.times() * ENTERPRISE
    }

    /// Somebody goes on with a version, drafts one, or ends one.
    pub async fn change_schedule(&mut self, seen: &Seen) {
        let waits = |version: &Version| !matches!(version.stage, Stage::Approved { .. });
        let running = |version: &Version| matches!(version.stage, Stage::Approved { until: None, .. });
        if let Some(at) = self.versions.iter().position(waits) {
            return self.bring_on(at, seen).await;
        }
        match self.versions.iter().position(running) {
            Some(at) if self.chance.percent(70) => self.discontinue(at, seen).await,
            _ => {
                self.draft_fees(seen).await;
                // Mostly it goes on at once.
                while let Some(at) = self.versions.iter().position(waits)
                    && self.chance.percent(80)
                {
                    self.bring_on(at, seen).await;
                }
            }
        }
    }

    async fn draft_fees(&mut self, seen: &Seen) {
        let (agency, by) = (self.agencies[self.chance.below(2)], ACCOUNTANTS[self.chance.below(2)]);
        let (times, nth) = (2 + self.chance.below(2) as i64, self.keys);
        let new = NewVersion {
            items: items(times, nth),
            adjustments: format!("{REDUCTIONS}{}", late_row(times)),
            instrument: Some(Line::parse("Nghị quyết 12").unwrap()),
            file: Some(Attachment::new(None, b"%PDF-1.7 nghi quyet".to_vec()).unwrap()),
            officer: by,
        };
        let key = self.act_key("draft");
        let act = async |app: App| draft_version(&app, agency, &new, Some(&key)).await;
        let Some(told) = self.asked_until_answered(seen, ("fees drafted", act)).await else { return };
        let id = told["id"].as_str().unwrap().parse().unwrap();
        let again = draft_version(&self.app, agency, &new, None).await;
        assert_eq!(
            again.err().map(|e| e.code()),
            Some("fee_version_exists"),
            "the same fees are one version"
        );
        self.versions.push(Version { id, agency, times, by: vec![by], stage: Stage::Drafted });
    }

    /// A draft is submitted, what was submitted is approved, if somebody is left who may.
    async fn bring_on(&mut self, at: usize, seen: &Seen) {
        let (id, agency, by) = {
            let version = &self.versions[at];
            (version.id, version.agency, version.by.clone())
        };
        let (now, from) =
            (self.clock.now(), Day::of(self.clock.now()).plus_days(self.chance.below(3) as i64));
        let (wanted, who, what) = if self.versions[at].stage == Stage::Drafted {
            (Move::Submit, ACCOUNTANTS[self.chance.below(2)], "fees submitted")
        } else {
            // Nobody who had a hand in it approves it.
            for one in by.iter().filter(|one| APPROVERS.contains(one)) {
                let own = move_version(&self.app, agency, id, (Move::Approve(from), *one), None).await;
                assert!(refused(&own), "nobody approves their own fees");
            }
            let other = APPROVERS.into_iter().find(|who| !by.contains(who)).unwrap();
            (Move::Approve(from), other, "fees approved")
        };
        let key = self.act_key("version");
        let act = async |app: App| move_version(&app, agency, id, (wanted, who), Some(&key)).await;
        if self.asked_until_answered(seen, (what, act)).await.is_none() {
            // An agency that is no more decides nothing; its draft lies there.
            self.versions.remove(at);
            return;
        }
        let version = &mut self.versions[at];
        version.stage = match wanted {
            Move::Approve(from) => Stage::Approved { from, at: now, until: None },
            Move::Submit | Move::Discontinue(_) => Stage::Submitted,
        };
        version.by.push(who);
    }

    async fn discontinue(&mut self, at: usize, seen: &Seen) {
        let (id, agency) = (self.versions[at].id, self.versions[at].agency);
        let on = Day::of(self.clock.now()).plus_days(self.chance.below(3) as i64);
        let key = self.act_key("version");
        let act = (Move::Discontinue(on), APPROVERS[self.chance.below(2)]);
        let act = async |app: App| move_version(&app, agency, id, act, Some(&key)).await;
        if self.asked_until_answered(seen, ("fees discontinued", act)).await.is_some()
            && let Stage::Approved { until, .. } = &mut self.versions[at].stage
        {
            *until = Some(on);
        }
    }

    /// It turns out that the fact behind a reduction was none: what it took off is charged by a bill of its own.
    pub async fn revoke(&mut self, seen: &Seen) {
        let sql = "select id, agency_id, bill_id from fee_evidence where revoked_at is null order by id";
        let Some(row) = self.some_row(sql).await else { return };
        let evidence: Id<id::Evidence> = Id::from_uuid(row.get("id"));
        let (agency, bill): (Id<Agency>, Uuid) = (Id::from_uuid(row.get("agency_id")), row.get("bill_id"));
        let revocation = Revocation {
            officer: ACCOUNTANTS[0],
            reason: Line::parse("Tài khoản chưa định danh").unwrap(),
            due: Day::of(self.clock.now()).plus_days(2),
        };
        let key = self.act_key("revoke");
        let act = async |app: App| revoke_evidence(&app, agency, evidence, &revocation, &key).await;
        let Some(told) = self.asked_until_answered(seen, ("evidence revoked", act)).await else { return };
        let reduced = self.bills.iter_mut().find(|promised| promised.id.uuid() == bill).unwrap();
        assert_eq!(
            amount(&told["bill"]),
            std::mem::take(&mut reduced.charge.saved),
            "the difference is what the reduction took off"
        );
        self.promise(&told["bill"], agency, agency);
        let key = self.act_key("revoke");
        let again = revoke_evidence(&self.app, agency, evidence, &revocation, &key).await;
        assert_eq!(again.err().map(|e| e.code()), Some("evidence_revoked"), "a difference is charged once");
    }
}
