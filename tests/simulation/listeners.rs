//! An agency's endpoint, in some lives: events are told to it at least once, each under its number among those of its
//! thing, whether it is away, its answer gets lost or whoever tells it dies.

use crate::life::Life;
use crate::process::live;
use crate::rails::Rails;
use crate::seen::Seen;
use chung::app::App;
use chung::base::id::{Event, Id};
use chung::flow::{
    Result,
    deliver_events::{Lane, ROUTED_MAX, deliver_events, route_events},
};
use chung::identity::endpoint::EndpointUrl;
use chung::partner::webhook::{Telling, Undelivered, Unfit, Webhooks};
use futures_util::future::BoxFuture;
use sqlx::Row;
use std::sync::Arc;
use std::time::Duration;

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

impl Life<'_> {
    /// In some lives somebody listens.
    pub async fn begin_listening(&mut self, seen: &Seen) {
        if self.chance.percent(25) {
            self.listens = true;
            self.world.sql("update endpoint set state = 'active'").await;
            seen.note("somebody listens");
        }
    }

    /// Tells everything that waits, however often an endpoint was away.
    pub async fn tell_all(&mut self) {
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
