//! The text of the legal instrument behind a version of the fee schedule: attached to a draft by an accountant, kept with
//! its digest, and read by whoever reads versions. A file that is not what its digest says is never given out.

use super::{
    Error, Refusal, Result,
    fee_versions::{log, refused, version_json},
    idempotency::Idempotency,
    officer, read_fee_page,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        id::{self, Agency, Citizen, Id},
        text::Line,
    },
    crypto::digest::{Digest, sha256},
    identity::role::Role,
    payment::{
        attachment::{Attachment, Media, Unfit},
        fee_version::{self as rules, State},
    },
    store::{Tx, fee_version as rows},
};
use serde_json::{Value, json};

/// What is attached to a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInstrument {
    /// Who attaches it.
    pub officer: Id<Citizen>,
    /// Number and title of the instrument; what was said before, if left out.
    pub title: Option<Line<300>>,
    /// Its text.
    pub file: Attachment,
}

/// The text of an instrument as a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstrumentFile {
    /// What it is.
    pub media: Media,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their digest.
    pub sha256: Digest,
}

/// A file that is no attachment, by what is wrong with it.
pub fn unfit(field: &str, why: Unfit) -> Error {
    Error::Refused(Refusal::new("fee_instrument_unfit").violation(field, why.as_str(), None))
}

/// Attaches the text to a draft of the agency, in the place of one that was attached before.
pub async fn attach_instrument(
    app: &App,
    agency: Id<Agency>,
    id: Id<id::Schedule>,
    new: &NewInstrument,
    key: Option<&Idempotency>,
) -> Result<Value> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if let Some(key) = key
        && let Some(answer) = key.claim(&mut tx).await?
    {
        return Ok(answer);
    }
    let version =
        rows::lock(&mut tx, id).await?.filter(|v| v.agency == Some(agency)).ok_or(Error::not_found())?;
    if version.life.state != State::Draft {
        return Err(refused(rules::Refusal::NotADraft));
    }
    officer::demand(&mut tx, new.officer, agency, Role::Accountant, Day::of(now)).await?;
    let digest = sha256(new.file.bytes());
    let title = new.title.as_ref().map(Line::as_str);
    rows::attach(&mut tx, id, title, (&new.file, &digest)).await?;
    let told = json!({
        "version": id.to_string(), "by": new.officer.to_string(), "sha256": hex::encode(digest),
        "media": new.file.media().as_str(), "bytes": new.file.bytes().len(),
    });
    log(app, &mut tx, (agency, id), "fee.instrument_attached", &told).await?;
    let version = rows::lock(&mut tx, id).await?.ok_or(Error::not_found())?;
    let answer = version_json(&version);
    if let Some(key) = key {
        key.keep(&mut tx, id.uuid(), &answer, now).await?;
    }
    tx.commit().await?;
    Ok(answer)
}

/// The text that is attached to a version.
pub async fn read_instrument(app: &App, id: Id<id::Schedule>) -> Result<InstrumentFile> {
    read(&mut app.store.begin().await?, id).await
}

/// The same for a person who reads versions on pages.
pub async fn read_instrument_as(
    app: &App,
    officer: Id<Citizen>,
    id: Id<id::Schedule>,
) -> Result<InstrumentFile> {
    let mut tx = app.store.begin().await?;
    read_fee_page::seats(&mut tx, officer, Day::of(app.clock.now())).await?;
    read(&mut tx, id).await
}

async fn read(tx: &mut Tx, id: Id<id::Schedule>) -> Result<InstrumentFile> {
    let (media, bytes, kept) = rows::instrument(tx, id).await?.ok_or(Error::not_found())?;
    let sha256 = sha256(&bytes);
    if sha256.as_slice() != kept {
        return Err(Error::internal("the text of an instrument is not what its digest says"));
    }
    let media = Media::named(&media).ok_or(Error::internal("an instrument of an unknown kind"))?;
    Ok(InstrumentFile { media, bytes, sha256 })
}
