//! Bounded loops beside the requests; each tick is one flow call.
//!
//! A loop that finds work comes back at once, one that finds none or fails waits its period. Nothing here decides, and
//! nothing here is spawned: whoever runs the service runs these futures and drops them at its end, which is safe at
//! any point because every flow survives a crash at any point.

use crate::app::{App, Queues};
use crate::batch::Patience;
use crate::flow::{self, deliver_events::Lane};
use futures_util::future::BoxFuture;
use std::time::Duration;

/// Every loop of a node.
pub fn loops(app: App, queues: Queues) -> Vec<BoxFuture<'static, ()>> {
    vec![
        Box::pin(run_queues(app.clone(), queues)),
        Box::pin(inquire(app.clone())),
        Box::pin(give_back(app.clone())),
        Box::pin(deliver(app.clone())),
        Box::pin(tell_logouts(app.clone())),
        Box::pin(turn_keys(app.clone())),
        Box::pin(route(app.clone())),
        Box::pin(tell(app.clone(), Lane::Well)),
        Box::pin(tell(app.clone(), Lane::Failing)),
        Box::pin(tend(app.clone())),
        Box::pin(issue_due(app.clone())),
        Box::pin(sequence(app.clone())),
        Box::pin(witness(app.clone())),
        Box::pin(confirm(app.clone())),
        Box::pin(answer_batches(app.clone())),
        Box::pin(checkpoint(app.clone())),
        Box::pin(succeed(app.clone())),
        Box::pin(fetch_statements(app.clone())),
        Box::pin(rotate(app.clone())),
        Box::pin(retain(app.clone())),
        Box::pin(tidy(app)),
    ]
}

/// How long the inquiries rest when none is due.
const INQUIRY_PAUSE: Duration = Duration::from_secs(5);

/// How long the messages rest when none is due: a person waits for a code.
const MESSAGE_PAUSE: Duration = Duration::from_millis(200);

/// Hands messages to the gateway, for ever.
async fn deliver(app: App) {
    loop {
        let claimed = flow::deliver_messages::deliver_messages(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "messages did not go out");
            0
        });
        if claimed == 0 {
            tokio::time::sleep(MESSAGE_PAUSE).await;
        }
    }
}

/// Tells portals that sessions ended, for ever.
async fn tell_logouts(app: App) {
    loop {
        let claimed = flow::tell_logout::tell_logouts(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "portals were not told that sessions ended");
            0
        });
        if claimed == 0 {
            tokio::time::sleep(EVENT_PAUSE).await;
        }
    }
}

/// How often it is looked whether another key's time has come.
const KEYS_PAUSE: Duration = Duration::from_secs(5);

/// Lets the time of signing keys come, for ever.
async fn turn_keys(app: App) {
    loop {
        app.keys.turn(app.clock.now());
        tokio::time::sleep(KEYS_PAUSE).await;
    }
}

/// How long events rest when none waits.
const EVENT_PAUSE: Duration = Duration::from_millis(500);

/// Finds the endpoints that want what happened, for ever.
async fn route(app: App) {
    loop {
        let routed = flow::deliver_events::route_events(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "events were not routed");
            0
        });
        if routed < flow::deliver_events::ROUTED_MAX {
            tokio::time::sleep(EVENT_PAUSE).await;
        }
    }
}

/// Tells the endpoints of one lane, for ever.
async fn tell(app: App, lane: Lane) {
    loop {
        let claimed = flow::deliver_events::deliver_events(&app, lane).await.unwrap_or_else(|error| {
            tracing::warn!(?error, ?lane, "events did not go out");
            0
        });
        if claimed == 0 {
            tokio::time::sleep(EVENT_PAUSE).await;
        }
    }
}

/// How long batches rest when no chunk is due.
const BATCH_PAUSE: Duration = Duration::from_secs(1);

/// Answers batches of questions, one chunk after the other, for ever.
async fn answer_batches(app: App) {
    loop {
        let worked = flow::run_batches::run_batches(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "a chunk of a batch was not answered");
            false
        });
        if !worked {
            tokio::time::sleep(BATCH_PAUSE).await;
        }
    }
}

/// How long questions without an answer rest when none is due.
const CONFIRM_PAUSE: Duration = Duration::from_secs(5);

/// Asks again what the population register did not answer, for ever.
async fn confirm(app: App) {
    loop {
        let asked = flow::confirm_verifications::confirm_verifications(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "questions were not asked again");
            0
        });
        if asked == 0 {
            tokio::time::sleep(CONFIRM_PAUSE).await;
        }
    }
}

/// How long waiting receipts rest when none is due.
const RECEIPT_PAUSE: Duration = Duration::from_secs(2);

/// Issues receipts that had to wait, for ever.
async fn issue_due(app: App) {
    loop {
        let tried = flow::issue_due_receipts::issue_due_receipts(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "waiting receipts were not issued");
            0
        });
        if tried == 0 {
            tokio::time::sleep(RECEIPT_PAUSE).await;
        }
    }
}

/// How long what was delivered is left alone.
const TEND_PAUSE: Duration = Duration::from_secs(60);

/// Gives up and forgets deliveries, for ever.
async fn tend(app: App) {
    loop {
        let touched = flow::deliver_events::tend_deliveries(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "old deliveries were not tended");
            0
        });
        if touched == 0 {
            tokio::time::sleep(TEND_PAUSE).await;
        }
    }
}

/// How long the sequencer rests unless more leaves wait than one tick takes: a head follows a decision within a
/// second, and under load one head and one set of statements serve all decisions of that time.
const SEQUENCE_PAUSE: Duration = Duration::from_millis(400);

/// Gives leaves their places and signs heads, for ever.
async fn sequence(app: App) {
    loop {
        let placed = flow::sequence_audit::sequence_audit(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "leaves did not get their places");
            0
        });
        if placed < flow::sequence_audit::LEAVES_MAX {
            tokio::time::sleep(SEQUENCE_PAUSE).await;
        }
    }
}

/// How long the balances rest when no checkpoint is due.
const CHECKPOINT_PAUSE: Duration = Duration::from_secs(60);

/// Keeps the balances of the books at places of the log, for ever.
async fn checkpoint(app: App) {
    loop {
        let least = flow::trial_balance::LEAVES_PER_CHECKPOINT;
        if let Err(error) = flow::trial_balance::checkpoint_balances(&app, least).await {
            tracing::warn!(?error, "balances were not kept");
        }
        tokio::time::sleep(CHECKPOINT_PAUSE).await;
    }
}

/// How long the heads rest when none is due.
const WITNESS_PAUSE: Duration = Duration::from_secs(15);

/// Sends heads of the log to whoever keeps them outside, and has them stamped, for ever.
async fn witness(app: App) {
    loop {
        let tried = flow::witness_heads::witness_heads(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "heads were not sent outside");
            0
        });
        let stamped = flow::stamp_heads::stamp_heads(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "heads were not stamped");
            0
        });
        if tried + stamped == 0 {
            tokio::time::sleep(WITNESS_PAUSE).await;
        }
    }
}

/// How long successions rest when none is due.
const SUCCESSION_PAUSE: Duration = Duration::from_secs(60);

/// Passes on what agencies leave to their successors, for ever.
async fn succeed(app: App) {
    loop {
        let done = flow::succeed_agency::effect_successions(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "a succession did not take effect");
            false
        });
        if !done {
            tokio::time::sleep(SUCCESSION_PAUSE).await;
        }
    }
}

/// Asks the clearing system about silent attempts, for ever.
async fn inquire(app: App) {
    loop {
        let asked = flow::inquire_payment::inquire_due(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "inquiries failed");
            0
        });
        if asked == 0 {
            tokio::time::sleep(INQUIRY_PAUSE).await;
        }
    }
}

/// Gives second money back, passes on what was collected, sends refunds and recalls, and asks about those that are
/// silent, for ever.
async fn give_back(app: App) {
    loop {
        let looked = async {
            let begun = flow::return_second_money::return_second_money(&app).await?;
            let after = flow::send_refund::look_after_refunds(&app).await?;
            let told = flow::platform::confirm_payments(&app).await?;
            let passed = flow::pass_on::pass_on(&app).await?;
            Ok::<_, flow::Error>(begun + after + told + passed + flow::recall::send_recalls(&app).await?)
        };
        let looked = looked.await.unwrap_or_else(|error| {
            tracing::warn!(?error, "refunds were not looked after");
            0
        });
        if looked == 0 {
            tokio::time::sleep(INQUIRY_PAUSE).await;
        }
    }
}

/// How long the statements rest when none is due.
const STATEMENT_PAUSE: Duration = Duration::from_secs(60);

/// Fetches the statements of days that are over, for ever.
async fn fetch_statements(app: App) {
    loop {
        let tried = flow::fetch_statement::fetch_due_statement(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "statements were not looked for");
            false
        });
        if !tried {
            tokio::time::sleep(STATEMENT_PAUSE).await;
        }
    }
}

/// How long the keys rest when all are wrapped by the newest master key.
const ROTATE_PAUSE: Duration = Duration::from_mins(10);

/// Wraps data keys by the newest master key, for ever.
async fn rotate(app: App) {
    loop {
        let rewrapped = flow::rotate_keys::rotate_keys(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "data keys were not wrapped anew");
            0
        });
        if rewrapped == 0 {
            tokio::time::sleep(ROTATE_PAUSE).await;
        }
    }
}

/// How long data is left alone when nothing of it is over.
const RETAIN_PAUSE: Duration = Duration::from_hours(1);

/// Removes what is over, for ever.
async fn retain(app: App) {
    loop {
        let removed = flow::retention::retain(&app).await.unwrap_or_else(|error| {
            tracing::warn!(?error, "what is over was not removed");
            0
        });
        if removed == 0 {
            tokio::time::sleep(RETAIN_PAUSE).await;
        }
    }
}

/// How long the house is left alone after it was tidied.
const TIDY_PAUSE: Duration = Duration::from_hours(1);

/// Opens months and forgets what is over, for ever.
async fn tidy(app: App) {
    loop {
        if let Err(error) = flow::tidy::tidy(&app).await {
            tracing::warn!(?error, "the house was not tidied");
        }
        if let Err(error) = flow::warn_expiry::warn_expiry(&app).await {
            tracing::warn!(?error, "nobody was warned of what ends");
        }
        if let Err(error) = flow::cash::warn_kept_cash(&app).await {
            tracing::warn!(?error, "nobody was warned of cash that is kept");
        }
        tokio::time::sleep(TIDY_PAUSE).await;
    }
}

/// Runs the set-wise flows until every sender is gone.
pub async fn run_queues(app: App, queues: Queues) {
    let most = app.limits.batch_max;
    let standing = queues.standing.run(most, Patience::None, |bearers| {
        let app = app.clone();
        async move { flow::standing::standing_all(&app, bearers).await.map_err(|e| flow::undone(&e)) }
    });
    let clients = queues.clients.run(most, Patience::None, |asked| {
        let app = app.clone();
        async move { flow::asking_client::clients_all(&app, asked).await.map_err(|e| flow::undone(&e)) }
    });
    let once = queues.once.run(most, Patience::None, |marks| {
        let app = app.clone();
        async move { flow::use_once::use_all(&app, marks).await }
    });
    let verifications = queues.verifications.run(most, Patience::Patient, |questions| {
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
    tokio::join!(standing, clients, once, verifications, bills, notifications, records);
}
