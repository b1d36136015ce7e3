//! Asks the clearing system about attempts that are silent: a bounded number each time, each at most three times.

use super::{
    Result,
    move_payment::{Moved, move_payment},
    national,
};
use crate::{
    app::App,
    base::id::{self, Id, Payment},
    codec::iso20022::{AboutWhat, EndToEndId, MessageId, StatusInquiry, Uetr},
    payment::payment::{Event, Way},
    store::payment,
};

/// How many attempts one call asks about.
const AT_ONCE: i64 = 32;

/// Asks about every attempt whose time has come; how many were asked about.
pub async fn inquire_due(app: &App) -> Result<usize> {
    let mut tx = app.store.begin().await?;
    let due = payment::due_attempts(&mut tx, app.clock.now(), AT_ONCE).await?;
    drop(tx);
    let mut asked = 0;
    for attempt in due {
        asked += usize::from(inquire_payment(app, attempt).await?);
    }
    Ok(asked)
}

/// Asks about one attempt if its time has come. The intent is recorded first, so that a crash counts as an inquiry.
pub async fn inquire_payment(app: &App, attempt: Id<Payment>) -> Result<bool> {
    let Moved::Asking(attempt) = move_payment(app, attempt, &Event::InquiryDue).await? else {
        return Ok(false);
    };
    let now = app.clock.now();
    if attempt.way == Way::Platform {
        if let Some(report) = national::inquire(app, &attempt, now).await? {
            move_payment(app, attempt.id, &Event::Reported(report)).await?;
        }
        return Ok(true);
    }
    let message: Id<id::Message> = Id::new(now, &*app.entropy);
    let inquiry = StatusInquiry {
        about: AboutWhat::Request,
        original: MessageId(attempt.id.uuid()),
        end_to_end_id: EndToEndId(attempt.id.uuid()),
        uetr: Some(Uetr::new(attempt.uetr)),
    };
    if let Some(report) = app.clearing.inquire(MessageId(message.uuid()), inquiry, now).await {
        move_payment(app, attempt.id, &Event::Reported(report)).await?;
    }
    Ok(true)
}
