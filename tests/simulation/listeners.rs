//! An agency's endpoint, in some lives: events are told to it at least once, each under its number among those of its
//! thing, whether it is away, its answer gets lost or whoever tells it dies. Its agency suspends and resumes it, changes its key
//! and has it told again what it missed.

use crate::life::{BEGAN, Life};
use crate::process::live;
use crate::rails::Rails;
use crate::seen::Seen;
use chung::app::App;
use chung::base::clock::Clock;
use chung::base::id::{Endpoint, Event, Id};
use chung::flow::{
    Error, Result,
    deliver_events::{Lane, ROUTED_MAX, deliver_events, route_events},
    endpoints::{rotate_secret, set_endpoint_active},
    replay_events::{Again, replay_events},
};
use chung::identity::endpoint::EndpointUrl;
use chung::partner::webhook::{Telling, Undelivered, Unfit, Webhooks};
use futures_util::future::BoxFuture;
use sqlx::Row;
use std::sync::Arc;
use std::time::Duration;

/// How long a key signs beside the one that follows it.
const OVERLAP: time::Duration = time::Duration::days(1);

/// Whoever listens.
pub struct Listener(pub Arc<Rails>);

impl Webhooks for Listener {
    fn accepts(&self, _: &EndpointUrl) -> std::result::Result<(), Unfit> {
        Ok(())
    }

    fn deliver<'a>(&'a self, telling: &'a Telling) -> BoxFuture<'a, std::result::Result<(), Undelivered>> {
        let answer = self.hear(telling);
        Box::pin(async move {
            tokio::task::yield_now().await;
            answer
        })
    }

    fn post_form<'a>(
        &'a self,
        _: &'a EndpointUrl,
        _: (&'a str, &'a str),
    ) -> BoxFuture<'a, std::result::Result<(), Undelivered>> {
        Box::pin(async { Ok(()) })
    }
}

impl Listener {
    fn hear(&self, telling: &Telling) -> std::result::Result<(), Undelivered> {
        if self.0.fault(10, "fault: listener away") {
            return Err(Undelivered::Unreachable);
        }
        let changed = self.0.truth.lock().unwrap().key_changed;
        let keys = if changed.is_some_and(|at| telling.at < at + OVERLAP) { 2 } else { 1 };
        assert_eq!(telling.secrets.len(), keys, "both keys sign for a day after a change, and one key else");
        let told: serde_json::Value = serde_json::from_slice(&telling.body).unwrap();
        let heard = self.0.truth.lock().unwrap().heard.insert(telling.event.clone(), told.clone());
        assert!(heard.is_none_or(|before| before == told), "an event is told as it was told before: {told}");
        if self.0.fault(10, "fault: listener's answer lost") {
            return Err(Undelivered::TooSlow);
        }
        Ok(())
    }
}

/// Routes and tells what waits.
pub async fn tell_events(app: &App) -> Result<()> {
    while route_events(app).await? >= ROUTED_MAX {}
    deliver_events(app, Lane::Well).await?;
    deliver_events(app, Lane::Failing).await?;
    Ok(())
}

/// What an agency's system wants of its endpoint.
#[derive(Clone, Copy)]
enum Wish {
    Active(bool),
    Rotate,
    Replay(Again),
}

impl Life<'_> {
    /// In some lives somebody listens.
    pub async fn begin_listening(&mut self, seen: &Seen) {
        if self.chance.percent(25) {
            self.listens = true;
            self.world.sql("update endpoint set state = 'active'").await;
            seen.note("somebody listens");
        }
    }

    /// Whoever listens asks not to be told for a while and then for all that it missed; it changes its key; or it asks for
    /// something once more.
    pub async fn mind_listener(&mut self, seen: &Seen) {
        if !self.listens || self.agencies[0] != self.world.agencies[0] {
            return;
        }
        match self.beside.below(4) {
            0 | 1 if self.rests => self.listen_again(seen).await,
            0 => {
                self.rests = true;
                self.minded(seen, ("endpoint suspended", Wish::Active(false))).await;
            }
            1 => {
                let now = self.clock.now();
                self.minded(seen, ("endpoint's key changed", Wish::Rotate)).await;
                self.rails.truth.lock().unwrap().key_changed = Some(now);
            }
            2 if !self.rests => {
                let day = time::Duration::days(1);
                let again = Again::Between(self.clock.now() - day, self.clock.now());
                self.minded(seen, ("events of a day told again", Wish::Replay(again))).await;
            }
            3 if !self.rests => {
                let told = "select event_id from delivery order by event_id";
                let told = self.world.rows(told).await;
                if !told.is_empty() {
                    let one = Id::from_uuid(told[self.beside.below(told.len())].get("event_id"));
                    self.minded(seen, ("event told again", Wish::Replay(Again::One(one)))).await;
                }
            }
            _ => {}
        }
    }

    /// It is told again, and of what happened meanwhile.
    async fn listen_again(&mut self, seen: &Seen) {
        self.rests = false;
        self.minded(seen, ("endpoint resumed", Wish::Active(true))).await;
        let missed = Again::Between(BEGAN, self.clock.now() + time::Duration::seconds(1));
        self.minded(seen, ("what was missed told again", Wish::Replay(missed))).await;
    }

    /// Asks until it is answered, whoever dies over it.
    async fn minded(&mut self, seen: &Seen, (what, wish): (&'static str, Wish)) {
        let agency = self.agencies[0];
        let endpoint: Id<Endpoint> =
            Id::from_uuid(self.world.rows("select id from endpoint").await[0].get("id"));
        let (key, death) = (self.act_key("endpoint"), self.dies_beside(seen));
        self.say(what);
        let act = async |app: App| match wish {
            Wish::Active(active) => set_endpoint_active(&app, agency, endpoint, active, &key).await,
            Wish::Rotate => rotate_secret(&app, agency, endpoint, &key).await,
            Wish::Replay(again) => replay_events(&app, agency, endpoint, again, &key).await,
        };
        live(&self.app, death, act).await;
        loop {
            match live(&self.app, None, act).await.unwrap() {
                Ok(_) => return seen.note(what),
                Err(Error::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(1)).await,
                Err(error) => panic!("{what}: {error:?}"),
            }
        }
    }

    /// Tells everything that waits, however often an endpoint was away.
    pub async fn tell_all(&mut self, seen: &Seen) {
        if self.rests && self.agencies[0] == self.world.agencies[0] {
            self.listen_again(seen).await;
        }
        for _ in 0..if self.listens { 2 } else { 0 } {
            live(&self.app, None, async |app| tell_events(&app).await).await.unwrap().unwrap();
            self.clock.advance(Duration::from_secs(7 * 3_600));
        }
    }

    /// Whoever listened has heard everything, under its number, unless its agency is no more, and nothing else.
    pub async fn check_heard(&self, seen: &Seen) {
        let sql = "select o.id, o.sequence, coalesce(d.state, '') = 'dead' as dead from outbox o
                   join endpoint e on e.agency_id = o.agency_id
                   left join delivery d on d.endpoint_id = e.id and d.event_id = o.id where o.topic = 'event'";
        let rows = self.world.rows(sql).await;
        let truth = self.rails.truth.lock().unwrap();
        let stands = self.agencies.contains(&self.world.agencies[0]);
        let mut known = 0;
        for row in rows.iter().filter(|_| self.listens) {
            let (id, sequence): (_, i32) = (Id::<Event>::from_uuid(row.get("id")), row.get("sequence"));
            let heard = truth.heard.get(&id.to_string());
            known += usize::from(heard.is_some());
            // What nobody could be told for three days is given up.
            assert!(heard.is_some() || !stands || row.get("dead"), "{id} was never told");
            assert!(
                heard.is_none_or(|told| told["sequence"] == sequence),
                "{id} is number {sequence}: {heard:?}"
            );
        }
        assert_eq!(truth.heard.len(), known, "something was told that never happened");
        if known > 0 {
            seen.note("events heard");
        }
    }
}
