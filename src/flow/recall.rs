//! Money that is asked back between institutions (`camt.056`), and what is answered (`camt.029`), in both directions.
//!
//! A bank that asks us gets its answer from an officer of the agency whose money it is; money that goes back then goes
//! by a refund like any other. We ask a bank when a refund of ours went wrong; what comes back is a credit like any
//! other. Asking takes nothing, and silence changes nothing: an answer that got lost is sent again.

use super::{
    Error, Result,
    agency_key::{agency_key, agency_keys, kept_words},
    audit_leaf,
    event::event_row,
    officer,
    request_refund::{NewRefund, Of, ask_in, refused},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Agency, Citizen, Id},
        money::Money,
        text::Line,
    },
    codec::iso20022::{
        CancellationRequest, EndToEndId, MessageId, OriginalTransfer, Resolution, ResolutionAnswer, Uetr,
    },
    crypto::seal::DataKey,
    identity::role::Role,
    payment::refund::{Answer, Extent, Reason, Refusal as NoRefund, State, Way},
    store::{
        Tx, account, audit, debit, inheritance, outbox,
        recall::{self as rows, Direction, Stand, StoredRecall},
        refund::{self, Source, StoredRefund},
    },
};
use serde_json::json;
use time::Duration;
use uuid::Uuid;

/// When a message of ours that nobody took is sent again.
const AGAIN_AFTER: Duration = Duration::minutes(15);
/// How many one look takes.
const AT_ONCE: i64 = 32;
/// What is answered when nobody here knows the transfer (no original transaction received).
const UNKNOWN_TRANSFER: &str = "NOOR";
/// What is answered when the money was given back already (already returned).
const RETURNED: &str = "ARDT";

/// Takes a bank's request for money back. What nobody here knows, or what has gone back, is answered at once; the rest
/// waits for an officer. The same request twice is one.
pub async fn take_recall(app: &App, message: MessageId, asked: &CancellationRequest) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if rows::find(&mut tx, Id::from_uuid(asked.id.0)).await?.is_some() {
        return Ok(());
    }
    let original = &asked.original;
    let end_to_end = original.end_to_end.as_ref().and_then(|line| line.as_str().parse::<EndToEndId>().ok());
    let found = debit::named(
        &mut tx,
        end_to_end.map(|id| id.0),
        original.uetr.map(Uetr::uuid),
        original.clearing_reference.as_ref().map(Line::as_str),
    )
    .await?;
    let Some((key, amount, payment)) = found.filter(|(_, amount, _)| *amount == asked.amount) else {
        drop(tx);
        return answer(app, (asked.id, message), ResolutionAnswer::Rejected(code(UNKNOWN_TRANSFER)?)).await;
    };
    let case = debit::case_of(&mut tx, &key).await?;
    let source = case.map(Source::Case).or(payment.map(Source::Payment)).ok_or(Error::not_found())?;
    let (owner, procedure) = rows::agency_of(&mut tx, source).await?.ok_or(Error::not_found())?;
    // Who answers for it now, if that agency is no more.
    let agency = inheritance::heir(&mut tx, owner, procedure.as_deref()).await?;
    let gone = refund::refunded(&mut tx, source).await? == amount;
    let sealing = agency_key(app, &mut tx, agency).await?;
    let id: Id<id::Recall> = Id::from_uuid(asked.id.0);
    let words =
        asked.text.as_ref().map(|text| sealing.seal(&*app.entropy, &place(id), text.as_str().as_bytes()));
    let recall = StoredRecall {
        id,
        direction: Direction::In,
        agency,
        source: Some(source),
        refund: None,
        amount,
        reason: asked.reason.to_string(),
        words,
        message: message.0,
        state: if gone { Stand::Refused(RETURNED.to_owned()) } else { Stand::Open },
        opened_at: now,
        next_at: gone.then_some(now),
    };
    match rows::insert(&mut tx, &recall, gone.then_some(now)).await {
        // Another node took the same request at the same moment.
        Err(e) if e.violates("recall_pkey") => return Ok(()),
        done => done?,
    }
    record(app, &mut tx, &recall, "recall.received", (&sealing, None), now).await?;
    tx.commit().await?;
    Ok(())
}

/// An officer's answer to a bank. With `Ok` a refund is asked for, and the bank hears it once another officer has approved
/// that: declined, the request is open again. With a reason the money stays.
pub async fn decide_recall(
    app: &App,
    officer: Id<Citizen>,
    id: Id<id::Recall>,
    refusal: Option<&str>,
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let recall = rows::lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    officer::demand(&mut tx, officer, recall.agency, Role::Accountant, Day::of(now)).await?;
    let (Direction::In, Stand::Open, Some(source)) = (recall.direction, &recall.state, recall.source) else {
        return Err(Error::conflict("recall_decided"));
    };
    let (state, refund) = match refusal {
        Some(reason) => (Stand::Refused(code(reason)?.to_string()), None),
        None => {
            let new = give_back(&mut tx, source, officer).await?;
            let asked = ask_in(app, &mut tx, recall.agency, (&new, None), now).await?;
            // A bank hears one yes about all of it: what was remitted in part is not given back by one act.
            let [refund] = asked.as_slice() else { return Err(refused(NoRefund::LiesApart)) };
            (Stand::Accepted, Some(refund.id))
        }
    };
    if !rows::decide(&mut tx, id, &state, refund, Some(officer), now).await? {
        return Err(Error::conflict("recall_decided"));
    }
    if refund.is_some() {
        rows::look_again(&mut tx, id, None).await?;
    }
    let recall = StoredRecall { state, refund, ..recall };
    let sealing = agency_key(app, &mut tx, recall.agency).await?;
    record(app, &mut tx, &recall, "recall.answered", (&sealing, Some(officer)), now).await?;
    tx.commit().await?;
    send_recall(app, id).await
}

/// All of the money that a bank asks back.
async fn give_back(tx: &mut Tx, source: Source, officer: Id<Citizen>) -> Result<NewRefund> {
    let of = match source {
        Source::Payment(payment) => {
            let paid = crate::store::payment::payment(tx, payment).await?;
            Of::Bill(paid.ok_or(Error::not_found())?.bill)
        }
        Source::Case(case) => Of::Case(case),
    };
    Ok(NewRefund {
        of,
        extent: Extent::Whole,
        reason: Reason::Recalled,
        words: Line::parse("Ngân hàng của người nộp yêu cầu hoàn trả.").map_err(Error::internal)?,
        in_cash: false,
        work_begun: false,
        officer,
    })
}

/// Whether a bank can be asked for a refund's money: it has left, by a return that a bank carried out.
pub fn can_be_asked_back(refund: &StoredRefund) -> bool {
    matches!(refund.state, State::Done { .. } | State::Sent) && refund.way == Way::Clearing
}

/// Asks a bank for the money of a refund that went to the wrong place. Only what has left can be asked back.
pub async fn ask_back(
    app: &App,
    officer: Id<Citizen>,
    of: Id<id::Refund>,
    reason: &str,
) -> Result<Id<id::Recall>> {
    let now = app.clock.now();
    let reason = code(reason)?;
    let mut tx = app.store.begin().await?;
    let sent = refund::lock(&mut tx, of).await?.ok_or(Error::not_found())?;
    // Who answers for it now, if the agency that gave it back is no more.
    let procedure = rows::agency_of(&mut tx, sent.source).await?.and_then(|(_, procedure)| procedure);
    let agency = inheritance::heir(&mut tx, sent.agency, procedure.as_deref()).await?;
    officer::demand(&mut tx, officer, agency, Role::Accountant, Day::of(now)).await?;
    if !can_be_asked_back(&sent) || rows::of_refund(&mut tx, of).await?.is_some() {
        return Err(Error::conflict("recall_not_possible"));
    }
    let recall = StoredRecall {
        id: Id::new(now, &*app.entropy),
        direction: Direction::Out,
        agency,
        source: None,
        refund: Some(of),
        amount: sent.amount,
        reason: reason.to_string(),
        words: None,
        message: Uuid::nil(),
        state: Stand::Open,
        opened_at: now,
        next_at: Some(now),
    };
    rows::insert(&mut tx, &recall, None).await?;
    let sealing = agency_key(app, &mut tx, agency).await?;
    record(app, &mut tx, &recall, "recall.sent", (&sealing, Some(officer)), now).await?;
    tx.commit().await?;
    send_recall(app, recall.id).await?;
    Ok(recall.id)
}

/// Takes a bank's answer to what we asked back. An answer to nothing of ours, or a second one, changes nothing.
pub async fn take_resolution(app: &App, told: &Resolution) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let Some(recall) = rows::lock(&mut tx, Id::from_uuid(told.request.0)).await? else { return Ok(()) };
    if recall.direction != Direction::Out || recall.state != Stand::Open {
        return Ok(());
    }
    let state = match &told.answer {
        ResolutionAnswer::Pending => return Ok(()),
        ResolutionAnswer::Accepted => Stand::Accepted,
        ResolutionAnswer::Rejected(code) => Stand::Refused(code.to_string()),
    };
    rows::decide(&mut tx, recall.id, &state, recall.refund, None, now).await?;
    rows::look_again(&mut tx, recall.id, None).await?;
    let recall = StoredRecall { state, ..recall };
    let sealing = agency_key(app, &mut tx, recall.agency).await?;
    record(app, &mut tx, &recall, "recall.answered", (&sealing, None), now).await?;
    Ok(tx.commit().await?)
}

/// Sends every message about money asked back that nobody has taken yet; how many were tried.
pub async fn send_recalls(app: &App) -> Result<usize> {
    let mut tx = app.store.begin().await?;
    let due = rows::due(&mut tx, app.clock.now(), AT_ONCE).await?;
    drop(tx);
    for id in &due {
        send_recall(app, *id).await?;
    }
    Ok(due.len())
}

async fn send_recall(app: &App, id: Id<id::Recall>) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let Some(recall) = rows::find(&mut tx, id).await?.filter(|recall| recall.next_at.is_some()) else {
        return Ok(());
    };
    rows::look_again(&mut tx, id, Some(now + AGAIN_AFTER)).await?;
    let request = match recall.direction {
        Direction::Out => Some(request(app, &mut tx, &recall).await?),
        Direction::In => None,
    };
    tx.commit().await?;
    let message: Id<id::Message> = Id::new(now, &*app.entropy);
    let taken = match (&request, &recall.state) {
        (Some(request), Stand::Open) => app.clearing.ask_back(MessageId(message.uuid()), request, now).await,
        (None, Stand::Accepted) => {
            resolve(app, (EndToEndId(id.uuid()), MessageId(recall.message)), ResolutionAnswer::Accepted).await
        }
        (None, Stand::Refused(reason)) => {
            let answer = ResolutionAnswer::Rejected(code(reason)?);
            resolve(app, (EndToEndId(id.uuid()), MessageId(recall.message)), answer).await
        }
        (None, Stand::Open) | (Some(_), Stand::Accepted | Stand::Refused(_)) => Answer::Taken,
    };
    if taken == Answer::Taken {
        let mut tx = app.store.begin().await?;
        rows::look_again(&mut tx, id, None).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// What we ask back: the transfer that our return was.
async fn request(app: &App, tx: &mut Tx, recall: &StoredRecall) -> Result<CancellationRequest> {
    let of = recall.refund.ok_or(Error::internal("a recall of nothing"))?;
    let sent = refund::find(tx, of).await?.ok_or(Error::internal("a recall of a refund that is gone"))?;
    let account = sent.account.ok_or(Error::internal("a recall of cash"))?;
    account::account(tx, account).await?.ok_or(Error::internal("an account that is gone"))?;
    let settled = match &sent.state {
        State::Done { at } => Day::of(*at),
        _ => Day::of(app.clock.now()),
    };
    Ok(CancellationRequest {
        id: EndToEndId(recall.id.uuid()),
        original: OriginalTransfer {
            end_to_end: Line::parse(&EndToEndId(of.uuid()).to_string()).ok(),
            ..OriginalTransfer::default()
        },
        amount: sent.amount,
        settled,
        reason: code(&recall.reason)?,
        text: None,
    })
}

async fn answer(app: &App, to: (EndToEndId, MessageId), answer: ResolutionAnswer) -> Result<()> {
    match resolve(app, to, answer).await {
        Answer::Taken => Ok(()),
        // The bank repeats its request, and gets the answer then.
        Answer::NeverGot | Answer::Refused(_) | Answer::None => {
            Err(Error::Unavailable(super::Refusal::new("try_again")))
        }
    }
}

async fn resolve(
    app: &App,
    (request, original): (EndToEndId, MessageId),
    answer: ResolutionAnswer,
) -> Answer {
    let now = app.clock.now();
    let message: Id<id::Message> = Id::new(now, &*app.entropy);
    let resolution = Resolution { request, original, answer, text: None };
    app.clearing.answer_recall(MessageId(message.uuid()), &resolution, now).await
}

fn code(text: &str) -> Result<Line<4>> {
    let fits = text.len() == 4 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    if fits { Line::parse(text).map_err(Error::internal) } else { Err(Error::refused("invalid_body")) }
}

pub(super) fn place(recall: Id<id::Recall>) -> Vec<u8> {
    [b"recall.words".as_slice(), recall.uuid().as_bytes()].concat()
}

async fn record(
    app: &App,
    tx: &mut Tx,
    recall: &StoredRecall,
    kind: &'static str,
    (sealing, by): (&DataKey, Option<Id<Citizen>>),
    now: Instant,
) -> Result<()> {
    let told = json!({
        "recall": recall.id.to_string(),
        "direction": recall.direction.as_str(),
        "amount": super::explain::money(recall.amount),
        "reason": recall.reason,
        "status": recall.state.as_str(),
    });
    let mut details = told.clone();
    details["by"] = json!(by.map(|by| by.to_string()));
    let agency: Id<Agency> = recall.agency;
    let concern = audit_leaf::Concern { citizen: None, agency: Some(agency), object: recall.id.uuid() };
    let leaf = audit_leaf::leaf(app, now, kind, concern, sealing, &details);
    audit::append(tx, &[leaf]).await?;
    let event = event_row(app, now, kind, (agency, recall.id.uuid()), &told);
    Ok(outbox::enqueue(tx, &[event]).await?)
}

/// An open or decided recall as the board lists it.
pub struct RecallShown {
    /// The recall.
    pub recall: StoredRecall,
    /// What the bank said.
    pub words: Option<String>,
}

/// The recalls of these agencies, the newest first.
pub(super) async fn shown(app: &App, tx: &mut Tx, agencies: &[Id<Agency>]) -> Result<Vec<RecallShown>> {
    let recalls = rows::of_agencies(tx, agencies).await?;
    let keys = agency_keys(app, tx, recalls.iter().map(|recall| recall.agency)).await?;
    let mut shown = Vec::with_capacity(recalls.len());
    for recall in recalls {
        let words = match &recall.words {
            Some(sealed) => {
                let key = keys.get(&recall.agency).ok_or(Error::not_found())?;
                kept_words(key, &place(recall.id), sealed)?
            }
            None => None,
        };
        shown.push(RecallShown { recall, words });
    }
    Ok(shown)
}

/// What a recall is about, in money: for pages.
pub const fn amount(recall: &StoredRecall) -> Money {
    recall.amount
}
