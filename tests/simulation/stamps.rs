//! A time-stamping authority (RFC 3161), asked in some lives for stamps of the log's heads: it is away, its answers get lost,
//! come too late to be believed, are given before or mean something else, or are somebody else's. Its signers are revoked,
//! as lists say that the operator brings. What is kept is an answer that it truly gave for that head, near the time that it
//! was given; kept stamps are judged again.

use crate::life::{Life, expect_or_refused};
use crate::process::live;
use crate::rails::Rails;
use crate::seen::Seen;
use crate::stamping::{self, Entry, Made, list, make};
use chung::base::clock::{Clock, Instant, ManualClock};
use chung::codec::certificate::Anchors;
use chung::codec::time_stamp::read_query;
use chung::crypto::digest::sha256;
use chung::flow::{judge_stamps::judge_stamps, sequence_audit::sequence_audit, stamp_heads::stamp_heads};
use chung::partner::time_stamp::{Authority, ListFolder, NotStamped, TimeStamps};
use chung::sandbox::time_stamps::{AUTHORITY, Wrong, answer};
use futures_util::future::BoxFuture;
use sqlx::Row;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use time::Duration;

/// Who certifies those that stamp, and these, one after another; their serial numbers begin with two.
struct Chain {
    root: Made,
    signers: [Made; 3],
}

const FIRST: u8 = 2;

static CHAIN: LazyLock<Chain> = LazyLock::new(|| {
    let root = make("Root", 1, None, &stamping::AUTHORITY);
    let signers = [0, 1, 2].map(|nth| make("Signer", FIRST + nth, Some(&root), &stamping::STAMPS));
    Chain { root, signers }
});

/// The sandbox's authority is believed too: what is wrong with its answers must be seen in them.
static ANCHORS: LazyLock<Arc<Anchors>> =
    LazyLock::new(|| Arc::new(Anchors::read([AUTHORITY, CHAIN.root.der.as_slice()]).unwrap()));

/// What the authority gave: the imprint as it was asked about, the answer, when, the place of who signed it, and what was
/// known then of their revocation.
pub struct Stamped {
    imprint: Vec<u8>,
    answer: Vec<u8>,
    at: Instant,
    signer: usize,
    known: &'static str,
}

/// What is true about stamps.
#[derive(Default)]
pub struct Stamps {
    given: Vec<Stamped>,
    /// Who was revoked, since when and why, as the operator's list says, and until when that list is current.
    revoked: Vec<Entry>,
    listed_until: Option<Instant>,
}

impl Stamps {
    /// What the operator's list shows at that time of a signer whom it does not name.
    fn known(&self, now: Instant) -> &'static str {
        match self.listed_until {
            None => "no_list",
            Some(until) if until < now => "list_over",
            Some(_) => "clear",
        }
    }

    /// Whether a revocation takes a stamp with it: one by then, or one later that was not in order.
    fn is_taken(&self, stamp: &Stamped) -> bool {
        self.revoked.iter().any(|(serial, since, why)| {
            usize::from(serial - FIRST) == stamp.signer && (*since <= stamp.at || *why != Some(SUPERSEDED))
        })
    }
}

/// The reasons of a revocation (RFC 5280 section 5.3.1): a key was lost, or given up in order.
const COMPROMISED: u8 = 1;
const SUPERSEDED: u8 = 4;

struct Stamper(Arc<Rails>, Arc<ManualClock>);

/// The authority of a life that has one, with the folder of the lists.
pub fn authority(rails: &Arc<Rails>, clock: &Arc<ManualClock>, lists: &Path) -> Authority {
    let service = Arc::new(Stamper(Arc::clone(rails), Arc::clone(clock)));
    Authority { service, anchors: Arc::clone(&ANCHORS), lists: ListFolder(Some(lists.to_owned())) }
}

/// The second in which something is: stamps and lists know no parts of it.
fn second(at: Instant) -> Instant {
    at.replace_nanosecond(0).unwrap()
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
        let before = self.0.truth.lock().unwrap().stamps.given.last().map(|stamp| stamp.answer.clone());
        if let Some(before) = before.filter(|_| self.0.fault(60, "fault: stamp given before")) {
            return Ok(before);
        }
        let signed = |signer: usize| {
            let signer = &CHAIN.signers[signer];
            stamping::answer(query, now, signer, &[signer])
        };
        // They are revoked one after another.
        let signer = self.0.truth.lock().unwrap().stamps.revoked.len();
        if signer > 0 && self.0.fault(40, "fault: stamp by a revoked signer") {
            return Ok(signed(signer - 1));
        }
        let given = signed(signer);
        {
            let stamps = &mut self.0.truth.lock().unwrap().stamps;
            let (imprint, known) = (read_query(query).unwrap().imprint, stamps.known(now));
            stamps.given.push(Stamped { imprint, answer: given.clone(), at: second(now), signer, known });
        }
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
        if self.chance.percent(40) {
            self.bring_a_list(seen);
        }
        let death = self.death(seen);
        self.say("heads are stamped");
        let done = live(&self.app, death, async |app| {
            sequence_audit(&app).await?;
            stamp_heads(&app).await
        });
        done.await.into_iter().for_each(|done| expect_or_refused(done.map(drop)));
    }

    /// The operator brings the newest list of whoever certifies the signers; it may say that the one who signs was revoked.
    fn bring_a_list(&mut self, seen: &Seen) {
        let now = second(self.clock.now());
        let mut revoked = self.rails.truth.lock().unwrap().stamps.revoked.clone();
        if revoked.len() + 1 < CHAIN.signers.len() && self.chance.percent(60) {
            self.fault(seen, "signer of stamps revoked");
            let since = now - Duration::hours([0, 1, 30][self.chance.below(3)]);
            let why = [None, Some(COMPROMISED), Some(SUPERSEDED)][self.chance.below(3)];
            revoked.push((FIRST + u8::try_from(revoked.len()).unwrap(), since, why));
        }
        self.say(&format!("a list of revoked signers is brought: {revoked:?}"));
        let until = now + Duration::days([1, 60][self.chance.below(2)]);
        let list = list(&CHAIN.root, (now, until), &revoked);
        std::fs::write(self.world.lists.join("root.crl"), list).unwrap();
        let stamps = &mut self.rails.truth.lock().unwrap().stamps;
        (stamps.revoked, stamps.listed_until) = (revoked, Some(until));
        seen.note("revocation list brought");
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
            "select h.size, h.signed, h.at, s.state, s.answer, s.stamped_at, s.asked_at, s.ended_at, s.revocation from head_stamp s
                   join tree_head h on h.size = s.size order by h.size";
        let rows = self.world.rows(sql).await;
        let (mut kept, mut fallen) = (0, Vec::new());
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
            let stamps = &self.rails.truth.lock().unwrap().stamps;
            let given = stamps.given.iter().find(|one| {
                one.imprint.ends_with(&imprint)
                    && one.answer == answer
                    && (one.at - at).abs() < Duration::seconds(1)
            });
            let Some(given) = given else {
                panic!("a stamp that the authority did not give for its head at {at}")
            };
            assert_eq!(row.get::<&str, _>("revocation"), given.known, "what was known when it was stamped");
            if stamps.is_taken(given) {
                fallen.push(u64::try_from(row.get::<i64, _>("size")).unwrap());
            }
        }
        if kept > 0 {
            seen.note("head stamped");
        }
        let judged = judge_stamps(&self.app).await.unwrap().unwrap();
        let (stand, shown) =
            (kept - fallen.len() as u64, self.rails.truth.lock().unwrap().stamps.known(self.clock.now()));
        let (clear, unknown) = if shown == "clear" { (stand, 0) } else { (0, stand) };
        let fell: Vec<_> = fallen.iter().map(|size| (*size, "revoked".to_owned())).collect();
        assert_eq!(
            (judged.clear, judged.unknown, judged.fallen),
            (clear, unknown, fell),
            "stamps judged again"
        );
        if !fallen.is_empty() {
            seen.note("stamp taken by a revocation");
        }
    }
}
