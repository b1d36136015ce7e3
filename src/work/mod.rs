//! Bounded loops beside the requests; each tick is one flow call.
//!
//! A loop that finds work comes back at once, one that finds none or fails rests. Nothing here decides, and nothing here
//! is spawned: whoever runs the service runs these futures and drops them at its end, which is safe at any point because
//! every flow survives a crash at any point.

use crate::app::{App, Queues};
use crate::batch::Patience;
use crate::flow::{self, deliver_events::Lane};
use futures_util::future::BoxFuture;
use std::time::Duration;

/// A person waits for a code.
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

/// Every loop of a node.
pub fn loops(app: &App, queues: Queues) -> Vec<BoxFuture<'static, ()>> {
    let mut loops = vec![Box::pin(run_queues(app.clone(), queues)) as BoxFuture<'static, ()>];
    loops.extend(to_people(app));
    loops.extend(to_systems(app));
    loops.extend(with_partners(app));
    loops.extend(in_the_house(app));
    loops
}

/// Messages, and questions of people that wait.
fn to_people(app: &App) -> [BoxFuture<'static, ()>; 4] {
    [
        forever(app, MESSAGE_REST, "messages did not go out", |app| async move {
            Ok(flow::deliver_messages::deliver_messages(&app).await? > 0)
        }),
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
fn to_systems(app: &App) -> [BoxFuture<'static, ()>; 5] {
    [
        forever(app, EVENT_REST, "portals were not told that sessions ended", |app| async move {
            Ok(flow::tell_logout::tell_logouts(&app).await? > 0)
        }),
        forever(app, EVENT_REST, "events were not routed", |app| async move {
            Ok(flow::deliver_events::route_events(&app).await? >= flow::deliver_events::ROUTED_MAX)
        }),
        forever(app, EVENT_REST, "events did not go out", |app| async move {
            Ok(flow::deliver_events::deliver_events(&app, Lane::Well).await? > 0)
        }),
        forever(app, EVENT_REST, "events did not go out to endpoints that fail", |app| async move {
            Ok(flow::deliver_events::deliver_events(&app, Lane::Failing).await? > 0)
        }),
        forever(app, MINUTE, "old deliveries were not tended", |app| async move {
            Ok(flow::deliver_events::tend_deliveries(&app).await? > 0)
        }),
    ]
}

/// The clearing system, and whoever keeps or stamps heads of the log.
fn with_partners(app: &App) -> [BoxFuture<'static, ()>; 7] {
    [
        forever(app, PARTNER_REST, "silent attempts were not asked about", |app| async move {
            Ok(flow::inquire_payment::inquire_due(&app).await? > 0)
        }),
        forever(app, PARTNER_REST, "money that goes out was not looked after", |app| async move {
            let begun = flow::return_second_money::return_second_money(&app).await?;
            let after = flow::send_refund::look_after_refunds(&app).await?;
            let told = flow::platform::confirm_payments(&app).await?;
            let passed = flow::pass_on::pass_on(&app).await?;
            Ok(begun + after + told + passed + flow::recall::send_recalls(&app).await? > 0)
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
fn in_the_house(app: &App) -> [BoxFuture<'static, ()>; 9] {
    [
        forever(app, SEQUENCE_REST, "leaves did not get their places", |app| async move {
            Ok(flow::sequence_audit::sequence_audit(&app).await? >= flow::sequence_audit::LEAVES_MAX)
        }),
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
                false
            });
            if !worked {
                tokio::time::sleep(rest).await;
            }
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
    let silent = queues.silent.run(most, Patience::Patient, |asked| {
        let app = app.clone();
        async move { Ok(flow::answer_silently::answer_all(&app, asked).await) }
    });
    let codes = queues.codes.run(most, Patience::Patient, |codes| {
        let app = app.clone();
        async move { Ok(flow::redeem_codes::redeem_all(&app, codes).await) }
    });
    let renewals = queues.renewals.run(most, Patience::Patient, |shown| {
        let app = app.clone();
        async move { Ok(flow::renew_tokens::renew_all(&app, shown).await) }
    });
    // Whoever asks about a person has them waiting: no question is kept for the sake of the next.
    let verifications = queues.verifications.run(most, Patience::None, |questions| {
        let app = app.clone();
        async move { flow::verify_identity::verify_all(&app, questions).await.map_err(|e| flow::undone(&e)) }
    });
    let bills = queues.bills.run(most, Patience::Patient, |drafts| {
        let app = app.clone();
        async move { flow::create_bill::create_all(&app, drafts).await.map_err(|e| flow::undone(&e)) }
    });
    let notifications = queues.notifications.run(most, Patience::Patient, |told| {
        let app = app.clone();
        async move { flow::settle_payments::settle_all(&app, told).await.map_err(|e| flow::undone(&e)) }
    });
    let records = queues.records.run(most, Patience::Patient, |told| {
        let app = app.clone();
        async move { flow::post_records::post_all(&app, told).await.map_err(|e| flow::undone(&e)) }
    });
    tokio::join!(
        standing,
        clients,
        once,
        silent,
        codes,
        renewals,
        verifications,
        bills,
        notifications,
        records
    );
}
