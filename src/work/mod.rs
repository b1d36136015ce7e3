//! Bounded loops beside the requests; each tick is one flow call.
//!
//! A loop that finds work comes back at once, one that finds none or fails rests. Those whose work must not wait are sent by
//! one look for all of them ([`flow::due`]), so that a service at rest asks little. Nothing here decides, and nothing here
//! is spawned: whoever runs the service runs these futures and drops them at its end, which is safe at any point because
//! every flow survives a crash at any point.

use crate::app::{App, Queues};
use crate::batch::Patience;
use crate::flow::{self, deliver_events::Lane};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// A person waits for a code; whatever one look sends waits as long.
const MESSAGE_REST: Duration = Duration::from_millis(200);
/// A head follows a decision within a second, and under load one head and one set of statements serve all decisions
/// of that time.
const SEQUENCE_REST: Duration = Duration::from_millis(400);
const EVENT_REST: Duration = Duration::from_millis(500);
const BATCH_REST: Duration = Duration::from_secs(1);
const RECEIPT_REST: Duration = Duration::from_secs(2);
const PARTNER_REST: Duration = Duration::from_secs(5);
const WITNESS_REST: Duration = Duration::from_secs(15);
const MINUTE: Duration = Duration::from_mins(1);
const ROTATE_REST: Duration = Duration::from_mins(10);
const HOUR: Duration = Duration::from_hours(1);
/// How long a loop that nobody sends waits before it looks itself.
const UNSENT: Duration = Duration::from_secs(10);

/// Whom the look sends.
#[derive(Default)]
struct Sent {
    messages: Notify,
    logouts: Notify,
    events: Notify,
    well: Notify,
    failing: Notify,
    leaves: Notify,
}

/// Every loop of a node.
pub fn loops(app: &App, queues: Queues) -> Vec<BoxFuture<'static, ()>> {
    let mut loops = vec![Box::pin(run_queues(app.clone(), queues)) as BoxFuture<'static, ()>];
    let sent = Arc::new(Sent::default());
    loops.push(look(app, &sent));
    loops.extend(to_people(app, &sent));
    loops.extend(to_systems(app, &sent));
    loops.extend(with_partners(app));
    loops.extend(in_the_house(app, &sent));
    loops
}

/// Sends whoever may have work.
fn look(app: &App, sent: &Arc<Sent>) -> BoxFuture<'static, ()> {
    let sent = Arc::clone(sent);
    forever(app, MESSAGE_REST, "nobody knows what is due", move |app| {
        let sent = Arc::clone(&sent);
        async move {
            let due = flow::due::look(&app).await?;
            let whom = [
                (due.messages, &sent.messages),
                (due.told, &sent.logouts),
                (due.told, &sent.events),
                (due.deliveries, &sent.well),
                (due.deliveries, &sent.failing),
                (due.leaves, &sent.leaves),
            ];
            whom.iter().filter(|(due, _)| *due).for_each(|(_, whom)| whom.notify_one());
            Ok(false)
        }
    })
}

/// Messages, and questions of people that wait.
fn to_people(app: &App, sent: &Arc<Sent>) -> [BoxFuture<'static, ()>; 4] {
    [
        when_sent(
            app,
            (sent, |sent| &sent.messages),
            MESSAGE_REST,
            "messages did not go out",
            |app| async move { Ok(flow::deliver_messages::deliver_messages(&app).await? > 0) },
        ),
        forever(app, RECEIPT_REST, "waiting receipts were not issued", |app| async move {
            let issued = flow::issue_due_receipts::issue_due_receipts(&app).await?;
            Ok(issued + flow::adjust_receipts::adjust_due_receipts(&app).await? > 0)
        }),
        forever(app, PARTNER_REST, "questions were not asked again", |app| async move {
            Ok(flow::confirm_verifications::confirm_verifications(&app).await? > 0)
        }),
        forever(app, BATCH_REST, "a chunk of a batch was not answered", |app| async move {
            flow::run_batches::run_batches(&app).await
        }),
    ]
}

/// Events and ended sessions.
fn to_systems(app: &App, sent: &Arc<Sent>) -> [BoxFuture<'static, ()>; 5] {
    [
        when_sent(
            app,
            (sent, |sent| &sent.logouts),
            EVENT_REST,
            "portals were not told that sessions ended",
            |app| async move { Ok(flow::tell_logout::tell_logouts(&app).await? > 0) },
        ),
        when_sent(app, (sent, |sent| &sent.events), EVENT_REST, "events were not routed", |app| async move {
            Ok(flow::deliver_events::route_events(&app).await? >= flow::deliver_events::ROUTED_MAX)
        }),
        when_sent(app, (sent, |sent| &sent.well), EVENT_REST, "events did not go out", |app| async move {
            Ok(flow::deliver_events::deliver_events(&app, Lane::Well).await? > 0)
        }),
        when_sent(
            app,
            (sent, |sent| &sent.failing),
            EVENT_REST,
            "events did not go out to endpoints that fail",
            |app| async move { Ok(flow::deliver_events::deliver_events(&app, Lane::Failing).await? > 0) },
        ),
        forever(app, MINUTE, "old deliveries were not tended", |app| async move {
            Ok(flow::deliver_events::tend_deliveries(&app).await? > 0)
        }),
    ]
}

/// The clearing system, and whoever keeps or stamps heads of the log.
fn with_partners(app: &App) -> [BoxFuture<'static, ()>; 8] {
    [
        forever(app, PARTNER_REST, "silent attempts were not asked about", |app| async move {
            Ok(flow::inquire_payment::inquire_due(&app).await? > 0)
        }),
        forever(app, PARTNER_REST, "money that goes out was not looked after", |app| async move {
            let begun = flow::return_second_money::return_second_money(&app).await?;
            let after = flow::send_refund::look_after_refunds(&app).await?;
            let passed = flow::pass_on::pass_on(&app).await?;
            Ok(begun + after + passed + flow::recall::send_recalls(&app).await? > 0)
        }),
        forever(app, PARTNER_REST, "partners were not told of payments", |app| async move {
            Ok(flow::platform::confirm_payments(&app).await? > 0)
        }),
        forever(app, MINUTE, "statements were not looked for", |app| async move {
            flow::fetch_statement::fetch_due_statement(&app).await
        }),
        forever(app, BATCH_REST, "a long day was not taken up", |app| async move {
            flow::match_long_days::match_long_day(&app).await
        }),
        forever(app, BATCH_REST, "a long closing was not taken up", |app| async move {
            flow::long_closings::prepare_long_closing(&app).await
        }),
        forever(app, WITNESS_REST, "heads were not sent outside", |app| async move {
            Ok(flow::witness_heads::witness_heads(&app).await? > 0)
        }),
        forever(app, WITNESS_REST, "heads were not stamped", |app| async move {
            Ok(flow::stamp_heads::stamp_heads(&app).await? > 0)
        }),
    ]
}

/// The log, the books, the keys, and what is over.
fn in_the_house(app: &App, sent: &Arc<Sent>) -> [BoxFuture<'static, ()>; 9] {
    [
        when_sent(
            app,
            (sent, |sent| &sent.leaves),
            SEQUENCE_REST,
            "leaves did not get their places",
            |app| async move {
                Ok(flow::sequence_audit::sequence_audit(&app).await? >= flow::sequence_audit::LEAVES_MAX)
            },
        ),
        forever(app, MINUTE, "balances were not kept", |app| async move {
            let least = flow::trial_balance::LEAVES_PER_CHECKPOINT;
            flow::trial_balance::checkpoint_balances(&app, least).await
        }),
        forever(app, MINUTE, "a succession did not take effect", |app| async move {
            flow::succeed_agency::effect_successions(&app).await
        }),
        forever(app, PARTNER_REST, "the time of a signing key did not come", |app| async move {
            app.keys.turn(app.clock.now());
            Ok(false)
        }),
        forever(app, ROTATE_REST, "data keys were not wrapped anew", |app| async move {
            Ok(flow::rotate_keys::rotate_keys(&app).await? > 0)
        }),
        forever(app, HOUR, "what is over was not removed", |app| async move {
            Ok(flow::retention::retain(&app).await? > 0)
        }),
        forever(app, HOUR, "the house was not tidied", |app| async move {
            flow::tidy::tidy(&app).await?;
            Ok(false)
        }),
        forever(app, HOUR, "nobody was warned of what ends", |app| async move {
            flow::warn_expiry::warn_expiry(&app).await?;
            Ok(false)
        }),
        forever(app, HOUR, "nobody was warned of cash that is kept", |app| async move {
            flow::cash::warn_kept_cash(&app).await?;
            Ok(false)
        }),
    ]
}

/// One tick after the other: at once while there is work, after a rest where there is none or it failed.
fn forever<F>(
    app: &App,
    rest: Duration,
    undone: &'static str,
    tick: impl Fn(App) -> F + Send + 'static,
) -> BoxFuture<'static, ()>
where
    F: Future<Output = flow::Result<bool>> + Send + 'static,
{
    let app = app.clone();
    Box::pin(async move {
        loop {
            let worked = tick(app.clone()).await.unwrap_or_else(|error| {
                tracing::warn!(?error, "{undone}");
                metrics::counter!("chung_work_failures_total", "work" => undone).increment(1);
                false
            });
            if !worked {
                tokio::time::sleep(rest).await;
            }
        }
    })
}

/// One tick after the other while there is work, each after a rest where the one before found none; then when it is sent.
fn when_sent<F>(
    app: &App,
    (sent, whom): (&Arc<Sent>, fn(&Sent) -> &Notify),
    rest: Duration,
    undone: &'static str,
    tick: impl Fn(App) -> F + Send + Sync + 'static,
) -> BoxFuture<'static, ()>
where
    F: Future<Output = flow::Result<bool>> + Send + 'static,
{
    let (sent, tick) = (Arc::clone(sent), Arc::new(tick));
    forever(app, rest, undone, move |app| {
        let (sent, tick) = (Arc::clone(&sent), Arc::clone(&tick));
        async move {
            let _unsent = tokio::time::timeout(UNSENT, whom(&sent).notified()).await;
            while tick(app.clone()).await? {}
            Ok(false)
        }
    })
}

/// Runs the set-wise flows until every sender is gone.
pub async fn run_queues(app: App, queues: Queues) {
    let most = app.limits.batch_max;
    let standing = queues.standing.run(most, Patience::None, |bearers| {
        let app = app.clone();
        async move { flow::standing::standing_all(&app, bearers).await.map_err(|e| flow::undone(&e)) }
    });
    // Each step of a sign-in begins with the question which client asks: those who come in a burst ask it together.
    let clients = queues.clients.run(most, Patience::Patient, |asked| {
        let app = app.clone();
        async move { flow::asking_client::clients_all(&app, asked).await.map_err(|e| flow::undone(&e)) }
    });
    let once = queues.once.run(most, Patience::None, |marks| {
        let app = app.clone();
        async move { flow::use_once::use_all(&app, marks).await }
    });
    let silent = queues.silent.run(most, Patience::Merging, |asked| {
        let app = app.clone();
        async move { Ok(flow::answer_silently::answer_all(&app, asked).await) }
    });
    let codes = queues.codes.run(most, Patience::Merging, |codes| {
        let app = app.clone();
        async move { Ok(flow::redeem_codes::redeem_all(&app, codes).await) }
    });
    let renewals = queues.renewals.run(most, Patience::Merging, |shown| {
        let app = app.clone();
        async move { Ok(flow::renew_tokens::renew_all(&app, shown).await) }
    });
    // Whoever asks about a person has them waiting: no question is kept for the sake of the next, and while the answers to
    // some are flushed, others are looked up and signed.
    let verifications = queues.verifications.lanes(2).run(most, Patience::None, |questions| {
        let app = app.clone();
        async move { flow::verify_identity::verify_all(&app, questions).await.map_err(|e| flow::undone(&e)) }
    });
    let bills = queues.bills.run(most, Patience::Patient, |drafts| {
        let app = app.clone();
        async move { flow::create_bill::create_all(&app, drafts).await.map_err(|e| flow::undone(&e)) }
    });
    let notifications = queues.notifications.run(most, Patience::Whole, |told| {
        let app = app.clone();
        async move { flow::settle_payments::settle_all(&app, told).await.map_err(|e| flow::undone(&e)) }
    });
    let records = queues.records.run(most, Patience::Patient, |told| {
        let app = app.clone();
        async move { flow::post_records::post_all(&app, told).await.map_err(|e| flow::undone(&e)) }
    });
    let attempts = queues.attempts.run(most, Patience::Patient, |choices| {
        let app = app.clone();
        async move { flow::plain_attempts::begin_all(&app, choices).await.map_err(|e| flow::undone(&e)) }
    });
    let moves = queues.moves.run(most, Patience::Patient, |told| {
        let app = app.clone();
        async move { flow::plain_attempts::move_all(&app, told).await.map_err(|e| flow::undone(&e)) }
    });
    // Each is polled when something came for it, and not whenever something came for any.
    let all: [BoxFuture<'_, ()>; 12] = [
        Box::pin(standing),
        Box::pin(clients),
        Box::pin(once),
        Box::pin(silent),
        Box::pin(codes),
        Box::pin(renewals),
        Box::pin(verifications),
        Box::pin(bills),
        Box::pin(notifications),
        Box::pin(records),
        Box::pin(attempts),
        Box::pin(moves),
    ];
    let mut all: FuturesUnordered<_> = all.into_iter().collect();
    while all.next().await.is_some() {}
}
