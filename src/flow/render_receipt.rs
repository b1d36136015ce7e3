//! Makes the files of a receipt: signature, XML and PDF, from the content that the settlement fixed. The PDF is signed
//! by the agency itself.
//!
//! They are made when somebody first asks and kept byte for byte; of two makers at once, the first one's bytes stay.

use super::{
    Error, Result,
    agency_key::{agency_key, agency_keys},
    document_signer::sign_pdf,
    receipt_draft::{MANY, place},
};
use crate::app::App;
use crate::base::{
    clock::Instant,
    id::{self, Id},
};
use crate::codec::{
    receipt_content::{self, ReceiptContent},
    receipt_pdf, receipt_xml,
};
use crate::crypto::{keyring::Purpose, seal::DataKey, signing::Signer};
use crate::store::{
    Tx,
    receipt::{self, StoredReceipt},
    receipt_bulk,
};
use std::collections::{HashMap, HashSet};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The signed content as a compact JWS: what the QR code holds.
    Jws,
    /// The XML document.
    Xml,
    /// The PDF/A-3, with the XML attached and the agency's signature (PAdES) in it.
    Pdf,
}

impl Format {
    const ALL: [Self; 3] = [Self::Jws, Self::Xml, Self::Pdf];

    /// The ending of the file's name, and the word in rows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jws => "jws",
            Self::Xml => "xml",
            Self::Pdf => "pdf",
        }
    }

    /// The media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jws => "application/jose",
            Self::Xml => "application/xml",
            Self::Pdf => "application/pdf",
        }
    }
}

/// The bytes of a receipt's file.
pub async fn render_receipt(app: &App, receipt: &StoredReceipt, format: Format) -> Result<Vec<u8>> {
    let key = receipt_key(app, receipt).await?;
    if let Some(kept) = kept(app, receipt, &key, format).await? {
        return Ok(kept);
    }
    make(app, receipt, &key).await?;
    kept(app, receipt, &key, format).await?.ok_or_else(|| Error::internal(receipt.id))
}

/// What the receipt says.
pub async fn receipt_content(app: &App, receipt: &StoredReceipt) -> Result<ReceiptContent> {
    let key = receipt_key(app, receipt).await?;
    content_of(receipt, &key).map(|(content, _)| content)
}

pub(super) async fn receipt_key(app: &App, receipt: &StoredReceipt) -> Result<DataKey> {
    agency_key(app, &mut app.store.begin().await?, receipt.agency).await
}

pub(super) fn content_of(receipt: &StoredReceipt, key: &DataKey) -> Result<(ReceiptContent, Vec<u8>)> {
    let bytes = key.open(&place(receipt.id), &receipt.content)?.expose().clone();
    let content = ReceiptContent::read(&bytes).filter(|_| receipt_content::digest(&bytes) == receipt.digest);
    Ok((content.ok_or_else(|| Error::internal(receipt.id))?, bytes))
}

async fn kept(app: &App, receipt: &StoredReceipt, key: &DataKey, format: Format) -> Result<Option<Vec<u8>>> {
    let sealed = receipt::file(&app.store, receipt.id, format.as_str()).await?;
    let open =
        |sealed| key.open(&file_place(receipt.id, format), &sealed).map(|plain| plain.expose().clone());
    Ok(sealed.map(open).transpose()?)
}

async fn make(app: &App, receipt: &StoredReceipt, key: &DataKey) -> Result<()> {
    let now = app.clock.now();
    let (content, bytes) = content_of(receipt, key)?;
    let signed = match kept(app, receipt, key, Format::Jws).await? {
        Some(signed) => String::from_utf8(signed).map_err(Error::internal)?,
        None => sign(app, &bytes),
    };
    let pdf = receipt_pdf::write(&content, &receipt.digest, &signed).map_err(Error::internal)?;
    let reason = format!("{} {}", receipt_xml::title(content.kind), content.number);
    let pdf = sign_pdf(app, (receipt.agency, key), &pdf, &reason, now).await?;
    let xml = receipt_xml::write(&content, &signed);
    let files = [signed.into_bytes(), xml.into_bytes(), pdf];
    let sealed: Vec<_> = Format::ALL
        .into_iter()
        .zip(files)
        .map(|(format, file)| {
            (format.as_str(), key.seal(&*app.entropy, &file_place(receipt.id, format), &file))
        })
        .collect();
    let mut tx = app.store.begin().await?;
    receipt::keep_files(&mut tx, receipt.id, &sealed, now).await?;
    tx.commit().await?;
    Ok(())
}

fn sign(app: &App, content: &[u8]) -> String {
    let signer = app.keys.signing(Purpose::Record);
    let input = receipt_content::signing_input(content, signer.kid());
    receipt_content::signed(&input, &signer.sign(input.as_bytes()))
}

/// The signed contents of many receipts, in order: made set-wise for those that have none yet, and kept
/// like every file.
pub async fn sign_receipts(app: &App, receipts: &[StoredReceipt]) -> Result<Vec<String>> {
    let now = app.clock.now();
    let ids: Vec<Id<id::Receipt>> = receipts.iter().map(|receipt| receipt.id).collect();
    let mut tx = app.store.begin().await?;
    let keys = agency_keys(app, &mut tx, receipts.iter().map(|receipt| receipt.agency)).await?;
    let key = |receipt: &StoredReceipt| {
        keys.get(&receipt.agency).ok_or(Error::internal("a receipt without its agency"))
    };
    let had: HashSet<Id<id::Receipt>> =
        receipt::files(&mut tx, &ids, Format::Jws.as_str()).await?.into_iter().map(|(id, _)| id).collect();
    let mut made = Vec::new();
    for receipt in receipts.iter().filter(|receipt| !had.contains(&receipt.id)) {
        let key = key(receipt)?;
        let (_, bytes) = content_of(receipt, key)?;
        let place = file_place(receipt.id, Format::Jws);
        made.push((receipt.id, key.seal(&*app.entropy, &place, sign(app, &bytes).as_bytes())));
    }
    if !made.is_empty() {
        receipt::keep_many(&mut tx, &made, Format::Jws.as_str(), now).await?;
    }
    let kept: HashMap<_, _> =
        receipt::files(&mut tx, &ids, Format::Jws.as_str()).await?.into_iter().collect();
    tx.commit().await?;
    let signed = receipts.iter().map(|receipt| {
        let sealed = kept.get(&receipt.id).ok_or_else(|| Error::internal(receipt.id))?;
        let plain = key(receipt)?.open(&file_place(receipt.id, Format::Jws), sealed)?;
        String::from_utf8(plain.expose().clone()).map_err(Error::internal)
    });
    signed.collect()
}

/// Signs contents on another thread, while the caller's transaction goes on.
pub(super) fn sign_beside(app: &App, contents: Vec<Vec<u8>>) -> tokio::task::JoinHandle<Vec<String>> {
    let app = app.clone();
    tokio::task::spawn_blocking(move || contents.iter().map(|content| sign(&app, content)).collect())
}

/// Keeps the signed contents of receipts in the transaction that issues them: they verify offline, and the other files are
/// made when they are asked for.
pub(super) async fn keep_signed(
    app: &App,
    tx: &mut Tx,
    signed: Vec<(Id<id::Receipt>, &DataKey, String)>,
    now: Instant,
) -> Result<()> {
    let seal = |(id, key, text): (Id<id::Receipt>, &DataKey, String)| {
        (id, key.seal(&*app.entropy, &file_place(id, Format::Jws), text.as_bytes()))
    };
    let made: Vec<_> = signed.into_iter().map(seal).collect();
    if made.len() < MANY {
        return Ok(receipt::keep_many(tx, &made, Format::Jws.as_str(), now).await?);
    }
    Ok(receipt_bulk::insert_files(tx, &made, Format::Jws.as_str(), now).await?)
}

fn file_place(receipt: Id<id::Receipt>, format: Format) -> Vec<u8> {
    [b"receipt.file.".as_slice(), format.as_str().as_bytes(), receipt.uuid().as_bytes()].concat()
}
