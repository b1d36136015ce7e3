//! `chung verify`: documents checked offline, with nothing but public keys.

use super::out;
use crate::audit::{evidence::Evidence, head::TreeHead};
use crate::base::calendar::display_vi;
use crate::base::clock::{Clock as _, SystemClock};
use crate::codec::{
    amount_in_words::dong_in_words,
    certificate::Anchors,
    receipt_content::{self, Proof, ReceiptContent, leaf_names},
    receipt_xml,
    revocation::{Revocation, RevocationLists, Why},
    time_stamp::{self, Trust},
    verification_statement::{self, Statement},
};
use crate::crypto::{
    digest::{Digest, sha256},
    signing::KeyList,
};
use anyhow::{Context, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// What to check
#[derive(Debug, clap::Subcommand)]
pub enum Verify {
    /// Check a receipt: its PDF, its XML, or the text of its QR code
    ///
    /// Needs no network and no database. The keys are the service's published ones (`/receipts/keys`, or the `record`
    /// set of `chung keys list`). Prints what the receipt says; compare it with the paper.
    Receipt {
        /// The file: PDF, XML or QR text
        file: PathBuf,
        /// The public keys as a JWK set
        #[arg(long, value_name = "JWKS")]
        keys: PathBuf,
        /// The proof that the audit log holds the receipt (`/receipts/NUMBER/proof`)
        #[arg(long, value_name = "FILE")]
        proof: Option<PathBuf>,
        /// A signed tree head kept elsewhere: the proof must lead to it
        #[arg(long, value_name = "FILE", requires = "proof")]
        head: Option<PathBuf>,
    },
    /// Check the proof of an entry of one's own history (`/me`)
    ///
    /// Needs no network and no database. The keys are the service's published ones (`/receipts/keys`, or the `record`
    /// set of `chung keys list`). Prints what was decided, and where the audit log holds it.
    Proof {
        /// The file as it was downloaded
        file: PathBuf,
        /// The public keys as a JWK set
        #[arg(long, value_name = "JWKS")]
        keys: PathBuf,
        /// A signed tree head kept elsewhere: the proof must lead to it
        #[arg(long, value_name = "FILE")]
        head: Option<PathBuf>,
    },
    /// Check a signed head of the audit log, and its time stamp
    ///
    /// Needs no network and no database. The keys are the service's published ones (`/receipts/keys`, or the `record`
    /// set of `chung keys list`); the anchor is the certificate of whoever certifies the authority's signers. Prints
    /// how large the log was, and since when it cannot have been written anew.
    Head {
        /// The head as it was signed
        file: PathBuf,
        /// The public keys as a JWK set
        #[arg(long, value_name = "JWKS")]
        keys: PathBuf,
        /// The authority's answer (RFC 3161)
        #[arg(long, value_name = "FILE", requires = "anchor")]
        stamp: Option<PathBuf>,
        /// The trusted certificate, as DER or PEM
        #[arg(long, value_name = "FILE", requires = "stamp")]
        anchor: Option<PathBuf>,
        /// Revocation lists of whoever certified, as DER or PEM; without them revocation is unknown, and said to be
        #[arg(long, value_name = "FILE", requires = "stamp")]
        lists: Vec<PathBuf>,
    },
    /// Check the signed statement of a verification
    ///
    /// Needs no network and no database. The keys are the service's published ones (`/receipts/keys`, or the `record`
    /// set of `chung keys list`). Prints who asked, why, and how each claim was graded; the statement holds no value.
    Statement {
        /// The file: the statement itself, or the whole answer of `/v1/verifications` that carries it
        file: PathBuf,
        /// The public keys as a JWK set
        #[arg(long, value_name = "JWKS")]
        keys: PathBuf,
    },
}

/// Runs the command.
pub fn run(command: &Verify) -> anyhow::Result<()> {
    match command {
        Verify::Receipt { file, keys, proof, head } => {
            let keys = read_keys(keys)?;
            let (content, digest) = receipt(file, &keys)?;
            tell(&content, &digest);
            if let Some(proof) = proof {
                out::line(&proven(proof, head.as_deref(), &content, &digest, &keys)?);
            }
            Ok(())
        }
        Verify::Proof { file, keys, head } => {
            let entry: Entry = serde_json::from_slice(&read(file)?).context("the proof")?;
            let Some(evidence) = entry.evidence else { bail!("{PENDING}") };
            let place = standing(&evidence, head.as_deref(), &read_keys(keys)?)?.0;
            out::line(&format!("valid: {} at {}", evidence.kind, evidence.at));
            out::line(&format!("  {}", evidence.details));
            out::line(&place);
            Ok(())
        }
        Verify::Head { file, keys, stamp, anchor, lists } => {
            for line in head(file, keys, stamp.as_deref().zip(anchor.as_deref()), lists)? {
                out::line(&line);
            }
            Ok(())
        }
        Verify::Statement { file, keys } => {
            let text = String::from_utf8(read(file)?).context("the statement")?;
            let statement = statement(&text, &read_keys(keys)?)
                .with_context(|| format!("{} is not a valid statement", file.display()))?;
            for line in told(&statement) {
                out::line(&line);
            }
            Ok(())
        }
    }
}

/// What a signed head says, and its time stamp beside it.
fn head(
    file: &Path,
    keys: &Path,
    stamp: Option<(&Path, &Path)>,
    lists: &[PathBuf],
) -> anyhow::Result<Vec<String>> {
    let text = String::from_utf8(read(file)?).context("the head")?;
    let (head, log) = TreeHead::verify(text.trim(), &read_keys(keys)?)
        .with_context(|| format!("{} is not a valid head", file.display()))?;
    let mut lines = vec![
        format!("valid: the audit log of {log}, {} leaves, signed {}", head.size, display_vi(head.at)),
        format!("  root         {}", hex::encode(head.root)),
    ];
    if let Some((stamp, anchor)) = stamp {
        let anchors = Anchors::read([read(anchor)?.as_slice()]).context("the anchor")?;
        let lists = lists.iter().map(|list| read(list)).collect::<anyhow::Result<Vec<_>>>()?;
        let lists = RevocationLists::read(lists.iter().map(Vec::as_slice)).context("the revocation lists")?;
        let trust = Trust { anchors: &anchors, lists: &lists, now: SystemClock.now() };
        let stamp = time_stamp::verify(&read(stamp)?, &sha256(text.trim().as_bytes()), None, trust)
            .with_context(|| format!("{} is not a time stamp of this head", stamp.display()))?;
        lines.push(format!("stamped: {} by {}", display_vi(stamp.at), stamp.authority));
        lines.push(format!("  number       {} (policy {})", stamp.serial, stamp.policy));
        lines.push(format!("  anchor       sha256 {}", hex::encode(stamp.anchor)));
        lines.push(match stamp.revocation {
            Revocation::Clear { as_of } => format!("  revocation   none, by lists of {}", display_vi(as_of)),
            Revocation::Unknown(Why::NoList) => {
                "  revocation   unknown: no list of whoever certified was given".to_owned()
            }
            Revocation::Unknown(Why::ListOver) => "  revocation   unknown: a list is out of date".to_owned(),
            Revocation::Unknown(Why::ListTooLate) => {
                "  revocation   unknown: a list is later than the end of its certificate".to_owned()
            }
        });
    }
    Ok(lines)
}

/// The statement of a file: a JWS, or a JSON answer whose `statement` is one.
fn statement(text: &str, keys: &KeyList) -> anyhow::Result<Statement> {
    let answer: Option<serde_json::Value> = serde_json::from_str(text).ok();
    let carried = answer.as_ref().and_then(|answer| answer.get("statement")?.as_str());
    Ok(verification_statement::verify(carried.unwrap_or(text).trim(), keys)?)
}

fn told(statement: &Statement) -> Vec<String> {
    let mut lines = vec![
        format!("valid: {} {}", statement.jti, statement.state),
        format!("  issued by    {}", statement.iss),
        format!("  asked by     {}, officer {}", statement.agency, statement.officer),
        format!("  purpose      {}", statement.purpose),
        format!("  dossier      {} ({})", statement.dossier, statement.procedure),
        format!("  source       {} as of {}", statement.source, statement.as_of.as_deref().unwrap_or("—")),
        format!("  policy       {}", statement.policy),
    ];
    lines.extend(statement.attributes.iter().map(|(word, answer)| {
        let precision = answer.precision.as_deref().map(|p| format!(" (to the {p})")).unwrap_or_default();
        format!("  {word:<12} {}{precision}", answer.grade.as_deref().unwrap_or("not compared"))
    }));
    lines.extend(statement.findings.iter().map(|finding| format!("  finding      {finding}")));
    lines
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn read_keys(path: &Path) -> anyhow::Result<KeyList> {
    let text = String::from_utf8(read(path)?).context("the keys")?;
    KeyList::from_jwks(&text).with_context(|| format!("the keys in {}", path.display()))
}

/// The receipt of a file, if one of these keys signed it.
pub(super) fn receipt(file: &Path, keys: &KeyList) -> anyhow::Result<(ReceiptContent, Digest)> {
    receipt_xml::read_any(&read(file)?, keys)
        .with_context(|| format!("{} is not a valid receipt", file.display()))
}

fn tell(content: &ReceiptContent, digest: &Digest) {
    out::line(&format!("valid: {} {}", receipt_xml::title(content.kind), content.number));
    out::line(&format!(
        "  issued by    {} ({}) through {}",
        content.agency.name, content.agency.code, content.iss
    ));
    out::line(&format!(
        "  paid at      {}",
        content.issued_at().map_or_else(|| content.at.clone(), display_vi)
    ));
    out::line(&format!("  payer        {}", content.payer));
    out::line(&format!("  dossier      {} ({})", content.dossier, content.procedure.1));
    for (code, name, count, amount) in &content.lines {
        out::line(&format!("  {code} × {count}  {name}: {amount} đ"));
    }
    let words = dong_in_words(content.total.unsigned_abs());
    out::line(&format!("  total        {} ({words})", content.total().display_vi()));
    out::line(&format!("  content      sha256 {}", hex::encode(digest)));
    out::line(&format!("  check code   {}", receipt_content::check_code(digest)));
}

/// Where the audit log holds a receipt, if the proof leads there.
pub(super) fn proven(
    proof: &Path,
    head: Option<&Path>,
    content: &ReceiptContent,
    digest: &Digest,
    keys: &KeyList,
) -> anyhow::Result<String> {
    let proof: Proof<Evidence> = serde_json::from_slice(&read(proof)?).context("the proof")?;
    ensure!(proof.content_sha256 == hex::encode(digest), "the proof is of another receipt");
    let Some(evidence) = proof.evidence else { bail!("{PENDING}") };
    let details: serde_json::Value =
        serde_json::from_str(&evidence.details).context("the proof's details")?;
    let number = content.number.to_string();
    ensure!(leaf_names(&details, &number, digest), "the proof is of another decision");
    let (place, log) = standing(&evidence, head, keys)?;
    ensure!(log == content.iss, "the proof is from the log of {log}, the receipt from {}", content.iss);
    Ok(place)
}

/// Where the audit log holds the entry of a citizen's history, if the file proves it.
pub(super) fn history_entry(file: &Path, keys: &KeyList) -> anyhow::Result<String> {
    let entry: Entry = serde_json::from_slice(&read(file)?).context("the proof")?;
    let Some(evidence) = entry.evidence else { bail!("{PENDING}") };
    Ok(standing(&evidence, None, keys)?.0)
}

const PENDING: &str = "the proof is pending: fetch it again in a few seconds";

/// The proof of an entry, as `/me` gives it.
#[derive(serde::Deserialize)]
struct Entry {
    evidence: Option<Evidence>,
}

/// Where the log holds a decision, in words, and whose log it is; a head that was kept must be the one it leads to.
fn standing(evidence: &Evidence, head: Option<&Path>, keys: &KeyList) -> anyhow::Result<(String, String)> {
    let (tip, log) = evidence.verify(keys)?;
    if let Some(head) = head {
        let kept = String::from_utf8(read(head)?).context("the head")?;
        let (kept, _) = TreeHead::verify(&kept, keys).context("the kept head")?;
        ensure!(
            (kept.size, kept.root) == (tip.size, tip.root),
            "the proof leads to a head of {} leaves, the kept head has {}",
            tip.size,
            kept.size
        );
    }
    let (place, size) = (evidence.place, tip.size);
    Ok((format!("in the audit log at place {place} of {size}, {}", display_vi(tip.at)), log))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::entropy::SystemEntropy;
    use crate::crypto::keyring::{KeyRing, Purpose};
    use crate::crypto::{self, jwt};
    use serde_json::json;

    #[test]
    fn a_statement_is_believed_bare_or_in_its_answer_and_only_from_the_right_key() {
        crypto::install();
        let ring = KeyRing::generate(&SystemEntropy::new());
        let claims = json!({
            "iss": "http://localhost:8080", "jti": "verif_1", "iat": 1, "agency": "agency_1", "purpose": "nộp hồ sơ",
            "procedure": "2.000488", "dossier": "H29.14-261124-0001", "officer": "NV-01", "source": "local_register",
            "policy": "standard-1", "state": "match", "number": "x",
            "attributes": {"birth_date": {"grade": "exact", "precision": "day", "claimed": "y"}},
        });
        let signed = jwt::sign(ring.signing(Purpose::Record), verification_statement::TYP, &claims);
        let keys = ring.published(Purpose::Record);
        let bare = statement(&format!("{signed}\n"), keys).unwrap();
        assert_eq!(statement(&json!({ "statement": signed }).to_string(), keys).unwrap(), bare);
        assert!(told(&bare).iter().any(|line| line.trim() == "birth_date   exact (to the day)"));
        assert!(statement(&signed, ring.published(Purpose::Token)).is_err());
        let altered = signed.replacen('.', ".A", 1);
        assert!(statement(&altered, keys).is_err() && statement("{}", keys).is_err());
    }
}
