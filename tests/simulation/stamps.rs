//! A time-stamping authority (RFC 3161), asked in some lives for stamps of the log's heads: it is away, its answers get lost,
//! come too late to be believed, are given before or mean something else, or are somebody else's. What is kept is an answer
//! that it truly gave for that head, near the time that it was given; kept stamps are judged again.

use crate::life::{Life, expect_or_refused};
use crate::process::live;
use crate::rails::Rails;
use crate::seen::Seen;
use chung::base::clock::{Clock, Instant, ManualClock};
use chung::codec::certificate::Anchors;
use chung::codec::time_stamp::read_query;
use chung::crypto::digest::sha256;
use chung::flow::{judge_stamps::judge_stamps, sequence_audit::sequence_audit, stamp_heads::stamp_heads};
use chung::partner::time_stamp::{Authority, ListFolder, NotStamped, TimeStamps};
use chung::sandbox::time_stamps::{AUTHORITY, Wrong, answer};
use futures_util::future::BoxFuture;
use sqlx::Row;
use std::sync::{Arc, LazyLock};
use time::Duration;

static ANCHORS: LazyLock<Arc<Anchors>> = LazyLock::new(|| Arc::new(Anchors::read([AUTHORITY]).unwrap()));

/// What the authority gave: the imprint as it was asked about, the answer, and when.
pub type Stamped = (Vec<u8>, Vec<u8>, Instant);

struct Stamper(Arc<Rails>, Arc<ManualClock>);

/// The authority of a life that has one.
pub fn authority(rails: &Arc<Rails>, clock: &Arc<ManualClock>) -> Authority {
    let service = Arc::new(Stamper(Arc::clone(rails), Arc::clone(clock)));
    Authority { service, anchors: Arc::clone(&ANCHORS), lists: ListFolder::default() }
}

impl TimeStamps for Stamper {
    fn stamp<'a>(&'a self, query: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, NotStamped>> {
        let given = self.given(query);
        Box::pin(async move {
            tokio::task::yield_now().await;
            given
        })
    }
}

impl Stamper {
    fn given(&self, query: &[u8]) -> Result<Vec<u8>, NotStamped> {
        if self.0.fault(20, "fault: authority away") {
            return Err(NotStamped::Silence);
        }
        let now = self.1.now();
        for (percent, wrong, fault) in [
            (8, Wrong::Imprint, "fault: stamp of something else"),
            (8, Wrong::Nonce, "fault: stamp for another question"),
            (8, Wrong::Stranger, "fault: stamp of a stranger"),
        ] {
            if self.0.fault(percent, fault) {
                return Ok(answer(query, now, Some(wrong)).unwrap());
            }
        }
        if self.0.fault(15, "fault: stamp of another time") {
            return Ok(answer(query, now + Duration::hours(3), None).unwrap());
        }
        let truth = || self.0.truth.lock().unwrap();
        let before = truth().stamps.last().map(|stamp| stamp.1.clone());
        if let Some(before) = before.filter(|_| self.0.fault(10, "fault: stamp given before")) {
            return Ok(before);
        }
        let given = answer(query, now, None).unwrap();
        truth().stamps.push((read_query(query).unwrap().imprint, given.clone(), now));
        if self.0.fault(20, "fault: authority's answer lost") {
            return Err(NotStamped::Silence);
        }
        Ok(given)
    }
}

impl Life<'_> {
    /// The newest head, and those that closed days name, are stamped.
    pub async fn stamp(&mut self, seen: &Seen) {
        if self.app.time_stamps.is_none() {
            return;
        }
        let death = self.death(seen);
        self.say("heads are stamped");
        let done = live(&self.app, death, async |app| {
            sequence_audit(&app).await?;
            stamp_heads(&app).await
        });
        done.await.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
    }

    /// In the calm every head that waits for its stamp gets it.
    pub async fn stamp_the_rest(&self) {
        while live(&self.app, None, async |app| stamp_heads(&app).await).await.unwrap().unwrap() > 0 {}
    }

    /// What is kept as a stamp is what the authority gave for that head, then; and it is believed when it is judged again.
    pub async fn check_stamps(&self, seen: &Seen) {
        if self.app.time_stamps.is_none() {
            return;
        }
        let sql =
            "select h.signed, h.at, s.state, s.answer, s.stamped_at, s.asked_at, s.ended_at from head_stamp s
                   join tree_head h on h.size = s.size";
        let rows = self.world.rows(sql).await;
        let mut kept = 0;
        for row in &rows {
            match row.get("state") {
                "stamped" => kept += 1,
                "given_up" => {
                    let (asked, ended): (Instant, Instant) = (row.get("asked_at"), row.get("ended_at"));
                    assert!(
                        ended - asked > Duration::hours(60),
                        "a stamp was given up after {}",
                        ended - asked
                    );
                    seen.note("stamp given up");
                    continue;
                }
                state => panic!("a stamp is {state} in the end"),
            }
            let (signed, at): (String, Instant) = (row.get("signed"), row.get("stamped_at"));
            let (answer, imprint): (Vec<u8>, _) = (row.get("answer"), sha256(signed.as_bytes()));
            let truth = self.rails.truth.lock().unwrap();
            let given = truth.stamps.iter().any(|(asked, given, then)| {
                asked.ends_with(&imprint) && *given == answer && (*then - at).abs() < Duration::seconds(1)
            });
            assert!(given, "a stamp that the authority did not give for its head at {at}");
        }
        if kept > 0 {
            seen.note("head stamped");
        }
        let judged = judge_stamps(&self.app).await.unwrap().unwrap();
        assert_eq!((judged.fallen, judged.clear + judged.unknown), (Vec::new(), kept), "stamps judged again");
    }
}
