//! `chung audit`: the log recomputed, and its newest head to keep elsewhere.

use super::{
    environment::{self, Opened},
    out,
};
use crate::base::{
    calendar::rfc3339,
    clock::{Clock as _, SystemClock},
};
use crate::config::Config;
use crate::flow::{
    Error,
    judge_stamps::{self, judge_stamps},
    verify_audit::{Report, verify_audit},
    verify_books::verify_books,
    witness_heads::{Witness, add_witness, read_witnesses, retire_witness},
};
use crate::store::audit_tree;
use anyhow::{Context, bail};
use std::fs;
use std::path::PathBuf;

/// What to do with the audit log
#[derive(Debug, clap::Subcommand)]
pub enum Audit {
    /// Recompute the log, every balance and every document's state, and name the first thing that does not fit
    ///
    /// Reads every leaf in its place, recomputes every hash and every signed head, and opens the details that an
    /// agency's key opens; then rebuilds the balances from the entries in the order of the log, compares the checkpoints,
    /// and holds bills, payments, receipts and money in suspense against them. Needs the service's keys; changes nothing; may run while the service does.
    Verify {
        /// A signed head that was kept elsewhere (`chung audit head`): finds a rewritten log too
        #[arg(long, value_name = "FILE")]
        head: Option<PathBuf>,
    },
    /// Print the newest signed head, to keep it where nobody can rewrite it
    Head,
    /// Send heads to an institution outside, once an hour and with every closing that is approved
    ///
    /// A known one gets another address. What does not arrive is tried again for three days.
    Witness {
        /// Its name, as `Kho bạc Nhà nước`
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Where heads are posted; https, on the public internet
        #[arg(long, value_name = "URL", required_unless_present = "retire", conflicts_with = "retire")]
        url: Option<String>,
        /// Send it nothing any more
        #[arg(long)]
        retire: bool,
    },
    /// List the institutions outside that are sent heads: the newest head that each has, and what is on its way
    Witnesses,
}

/// Runs the command.
pub async fn run(config: &Config, command: &Audit) -> anyhow::Result<()> {
    let opened = Opened::new(config).await?;
    let done = match command {
        Audit::Verify { head } => verify(config, &opened, head.as_ref()).await,
        Audit::Head => head(&opened).await,
        Audit::Witness { name, url, .. } => witness(config, &opened, name, url.as_deref()).await,
        Audit::Witnesses => witnesses(config, &opened).await,
    };
    opened.close().await;
    done
}

async fn verify(config: &Config, opened: &Opened, head: Option<&PathBuf>) -> anyhow::Result<()> {
    let read =
        |path: &PathBuf| fs::read_to_string(path).with_context(|| format!("the head in {}", path.display()));
    let kept = head.map(read).transpose()?;
    let keys = environment::keys(config)?;
    let progress = indicatif::ProgressBar::no_length().with_message("leaves");
    let report =
        verify_audit(&opened.store, &keys, kept.as_deref(), |done| progress.set_position(done)).await;
    progress.finish_and_clear();
    let report = report.map_err(|error| anyhow::anyhow!("the log could not be read: {error:?}"))?;
    tell(&report)?;
    let progress = indicatif::ProgressBar::no_length().with_message("places");
    let books = verify_books(&opened.store, |done| progress.set_position(done)).await;
    progress.finish_and_clear();
    let books = books.map_err(|error| anyhow::anyhow!("the books could not be read: {error:?}"))?;
    out::line(&format!("{} balances rebuilt, {} checkpoints compared", books.accounts, books.checkpoints));
    if let Some(finding) = books.finding {
        bail!("the books do not hold: {finding}");
    }
    out::line("the books are consistent");
    if config.time_stamp.is_none() {
        return Ok(());
    }
    let app = environment::office(config, opened.store.clone())?;
    let stamps = judge_stamps(&app).await;
    match stamps.map_err(|error| anyhow::anyhow!("the time stamps could not be read: {error:?}"))? {
        Some(stamps) => stamped(&stamps),
        None => Ok(()),
    }
}

/// What revocation lists show today of the stamps that were kept.
fn stamped(report: &judge_stamps::Report) -> anyhow::Result<()> {
    let judge_stamps::Report { clear, unknown, fallen } = report;
    out::line(&format!(
        "{} time stamps stand, of {unknown} no list shows whether their signer was revoked",
        clear + unknown
    ));
    if let Some((size, why)) = fallen.first() {
        bail!("{} time stamps stand no more; the first is of the head of {size} leaves: {why}", fallen.len());
    }
    Ok(())
}

fn tell(report: &Report) -> anyhow::Result<()> {
    let Report { leaves, waiting, heads, opened, erased, .. } = report;
    out::line(&format!(
        "{leaves} leaves in place, {heads} signed heads compared, {opened} details opened, {erased} erased, \
         {waiting} waiting for a place"
    ));
    if let Some(finding) = report.finding_at(SystemClock.now()) {
        bail!("the audit log does not hold: {finding}");
    }
    out::line("the audit log is consistent");
    Ok(())
}

async fn head(opened: &Opened) -> anyhow::Result<()> {
    let head = audit_tree::last_head(&mut opened.store.begin().await?).await?;
    let head = head.context("the log has no head yet: nothing was decided")?;
    out::line(&head.signed);
    Ok(())
}

async fn witness(config: &Config, opened: &Opened, name: &str, url: Option<&str>) -> anyhow::Result<()> {
    let (app, _queues) = environment::app(config, opened.store.clone())?;
    let done = match url {
        Some(url) => add_witness(&app, name, url).await,
        None => retire_witness(&app, name).await,
    };
    match done {
        Ok(()) => Ok(()),
        Err(Error::NotFound(_)) => bail!("no witness has the name {name}"),
        Err(Error::Refused(_)) => bail!("a witness has a name and an https address on the public internet"),
        Err(error) => bail!("the witness was not kept: {error:?}"),
    }
}

async fn witnesses(config: &Config, opened: &Opened) -> anyhow::Result<()> {
    let (app, _queues) = environment::app(config, opened.store.clone())?;
    let found = read_witnesses(&app).await;
    let found = found.map_err(|error| anyhow::anyhow!("the witnesses could not be read: {error:?}"))?;
    if found.is_empty() {
        out::note("nobody outside is sent heads yet: `chung audit witness` adds somebody");
    }
    for Witness { name, url, told, waiting } in found {
        let told =
            told.map_or_else(|| "nothing yet".to_owned(), |(size, at)| format!("{size} at {}", rfc3339(at)));
        let waiting = waiting.map_or_else(String::new, |(size, attempts, outcome)| {
            format!(
                "  {size} on its way, {attempts} attempts, {}",
                outcome.as_deref().unwrap_or("none answered")
            )
        });
        out::line(&format!("{name}  {url}  has {told}{waiting}"));
    }
    Ok(())
}
