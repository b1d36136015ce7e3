//! `chung import`: the register's people, the fee schedule, the chart of accounts and the like, from files.

use super::{
    environment::{self, Opened, refused},
    out,
};
use crate::app::App;
use crate::base::calendar::Day;
use crate::config::Config;
use crate::flow::{
    Error,
    delegation_rules::import_rules,
    import_banks::import_banks,
    import_calendar::import_calendar,
    import_chart::import_chart,
    import_cut_offs::import_cut_offs,
    import_fees::import_fees,
    import_population::{Listener, Progress, Stopped, import_population},
    population_file::Reject,
};
use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What to import
#[derive(Debug, clap::Subcommand)]
pub enum Import {
    /// Bring people into the local register from a CSV file; running it twice changes nothing
    ///
    /// UTF-8, one person a line, the first line names the columns, in any order:
    ///
    /// number (12 digits), name, birth_date (1985-03-15, 1985-03 or 1985), sex (male, female), province (2 digits),
    /// status (active, pending, locked, deceased); optional: old_number (9 digits), phone, died_on, account_level (1, 2),
    /// standings (student merit poor_household near_poor_household disabled, separated by spaces), parents and guardians
    /// (numbers separated by spaces), capacity_lost_on (a day), former_names (Name@2020-05-01, separated by semicolons).
    ///
    /// Who is on record already is changed where the file differs; nobody is removed. A line that cannot be read is
    /// left out and written to the rejects file with its number and the reason. Memory stays flat: a million lines
    /// go in one run. An import that was cut short can simply be run again. What a signed notice of the register told
    /// on the file's day or later (or ever, if no day is given) stays as the notice said it.
    #[command(verbatim_doc_comment)]
    Population {
        /// The CSV file
        file: PathBuf,
        /// Where rejected lines are named [default: FILE.rejects.csv]
        #[arg(long, value_name = "FILE")]
        rejects: Option<PathBuf>,
        /// The day on which the file was drawn from the register, as 2026-11-20
        #[arg(long, value_name = "DAY")]
        as_of: Option<Day>,
    },
    /// Bring a fee schedule into force from two CSV files: all of it, or nothing if one row is wrong
    ///
    /// ITEMS has the columns fee_code procedure_code procedure_vi procedure_en kind (phi, le_phi) item_vi item_en
    /// amount_vnd unit legal_basis valid_from valid_to retained_pct chapter sub_item and, if wanted, sensitive.
    /// ADJUSTMENTS has adjustment_code applies_to effect value condition whose_fact governing_date evidence
    /// legal_basis valid_from valid_to. Every bad row is named. The same two files twice change nothing.
    Fees {
        /// The items
        items: PathBuf,
        /// The reductions and exemptions
        adjustments: PathBuf,
    },
    /// Name the days on which banks do not go by the weekday, from a CSV file: a yearly one
    ///
    /// Columns: day (2026-09-02), working (yes, no), name_vi, name_en, basis. A day that is not listed goes by its
    /// weekday. Listed days are added or changed, none is removed; the same file twice changes nothing.
    Calendar {
        /// The CSV file
        file: PathBuf,
    },
    /// Say when the clearing sessions stop taking orders from a day on, from a CSV file
    ///
    /// Columns: valid_from (2027-01-04), session (low_value, high_value), opens, closes, closes_month_end (16:00, Vietnam
    /// time; the last one on the last two working days of a month), amount_max (đồng: the largest order of low_value; empty
    /// for high_value), basis. The hours hold until the next day that has hours of its own; each day names both sessions.
    /// The day must not be over: what held before stays. A bad row is named and nothing is imported. The same file twice
    /// changes nothing.
    CutOffs {
        /// The CSV file
        file: PathBuf,
    },
    /// Say which accounts of the prescribed chart stand for the books' own from a day on, from a CSV file
    ///
    /// Columns: kind (clearing, suspense, fee_phi ...), valid_from (2027-01-01), code (digits), name_vi, name_en, basis.
    /// The day must be ahead: what is or was in force stays, so that a journal reads the same whenever it is exported.
    /// The same file twice changes nothing.
    Chart {
        /// The CSV file
        file: PathBuf,
    },
    /// Say which procedures take a delegate and in what form, from a CSV file
    ///
    /// The columns: procedure, allowed (electronic, certified_paper, kinship, none), valid_from, valid_to, legal_basis.
    /// A procedure without a line in force takes no delegate. The same line again changes its last day and its law.
    Delegation {
        /// The CSV file
        file: PathBuf,
    },
    /// Name the banks among which a payer chooses, from a CSV file with the columns code and name
    ///
    /// The code is the bank's number in the clearing system, e.g. 970436. Banks that exist are renamed, none is
    /// removed. Without any bank the checkout page offers none.
    Banks {
        /// The CSV file
        file: PathBuf,
    },
}

/// Runs the command.
pub async fn run(config: &Config, command: &Import) -> anyhow::Result<()> {
    let opened = Opened::new(config).await?;
    let done = match environment::office(config, opened.store.clone()) {
        Ok(app) => match command {
            Import::Population { file, rejects, as_of } => {
                let rejects = rejects.clone().unwrap_or_else(|| rejects_of(file));
                population(&app, file, &rejects, *as_of).await.map(|done| told(&done, &rejects))
            }
            Import::Fees { items, adjustments } => fees(&app, items, adjustments).await,
            Import::Calendar { file } => calendar(&app, file).await,
            Import::CutOffs { file } => cut_offs(&app, file).await,
            Import::Chart { file } => chart(&app, file).await,
            Import::Banks { file } => banks(&app, file).await,
            Import::Delegation { file } => delegation(&app, file).await,
        },
        Err(error) => Err(error),
    };
    opened.close().await;
    done
}

/// Where the rejected lines of a file are named if nobody says otherwise.
pub fn rejects_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".rejects.csv");
    PathBuf::from(name)
}

fn told(done: &Progress, rejects: &Path) {
    let counts = done.counts;
    out::line(&format!(
        "{} people added, {} changed, {} as before, {} lines left out",
        counts.added, counts.changed, counts.unchanged, counts.rejected
    ));
    if done.findings > 0 {
        out::line(&format!(
            "{} numbers whose digits disagree with the record beside them; they were taken",
            done.findings
        ));
    }
    if done.noticed > 0 {
        out::line(&format!(
            "{} people whose facts stay as a later notice of the register told them",
            done.noticed
        ));
    }
    if counts.rejected > 0 {
        out::line(&format!("the lines left out, with reasons: {}", rejects.display()));
    }
}

/// Imports a population file under a progress bar, naming rejected lines in a file of their own.
pub async fn population(
    app: &App,
    file: &Path,
    rejects: &Path,
    as_of: Option<Day>,
) -> anyhow::Result<Progress> {
    let input = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let bytes = input.metadata().map_or(0, |about| about.len());
    let bar = ProgressBar::new(bytes);
    bar.set_style(ProgressStyle::with_template(
        "{bar:30} {percent:>3} %  {msg} people, {elapsed} gone, {eta} to go",
    )?);
    let mut desk = Desk { bar, rejects, file: None };
    let done = import_population(app, input, as_of, &mut desk).await;
    desk.bar.finish_and_clear();
    let done = match done {
        Ok(done) => done,
        Err(Stopped::Store(Error::Conflict(_))) => bail!("another import is running; wait until it ends"),
        Err(Stopped::Store(error)) => return Err(refused(&error)),
        Err(stopped) => return Err(stopped).with_context(|| file.display().to_string()),
    };
    match desk.file {
        Some(mut file) => file.flush().with_context(|| format!("cannot write {}", rejects.display()))?,
        // Those of an earlier run would mislead.
        None => match fs::remove_file(rejects) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", rejects.display()));
            }
            Ok(()) | Err(_) => {}
        },
    }
    Ok(done)
}

/// Who sits beside the import: draws the bar and writes down what was left out.
struct Desk<'a> {
    bar: ProgressBar,
    rejects: &'a Path,
    file: Option<BufWriter<File>>,
}

impl Listener for Desk<'_> {
    fn rejected(&mut self, reject: &Reject) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            empty @ None => {
                let mut file = BufWriter::new(File::create(self.rejects)?);
                writeln!(file, "line,reason")?;
                empty.insert(file)
            }
        };
        writeln!(file, "{},\"{}\"", reject.line, reject.reason.replace('"', "\"\""))
    }

    fn progressed(&mut self, progress: &Progress) {
        let counts = progress.counts;
        self.bar.set_position(progress.bytes);
        self.bar.set_message((counts.added + counts.changed + counts.unchanged).to_string());
    }
}

async fn fees(app: &App, items: &Path, adjustments: &Path) -> anyhow::Result<()> {
    let read =
        |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let done = import_fees(app, &read(items)?, &read(adjustments)?).await.map_err(|error| refused(&error))?;
    let state = if done.new { "now in force" } else { "imported before, nothing changed" };
    out::line(&format!("{}: {} items, {} adjustments, {state}", done.schedule, done.items, done.adjustments));
    Ok(())
}

async fn calendar(app: &App, file: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let changed = import_calendar(app, &text).await.map_err(|error| refused(&error))?;
    out::line(&format!("days changed: {changed}"));
    Ok(())
}

async fn cut_offs(app: &App, file: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let changed = import_cut_offs(app, &text).await.map_err(|error| refused(&error))?;
    out::line(&format!("hours of clearing sessions changed: {changed}"));
    Ok(())
}

async fn chart(app: &App, file: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let changed = import_chart(app, &text).await.map_err(|error| refused(&error))?;
    out::line(&format!("accounts of the chart changed: {changed}"));
    Ok(())
}

async fn delegation(app: &App, file: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let count = import_rules(app, &text).await.map_err(|error| match &error {
        Error::Refused(refusal) => {
            let place = refusal.violations.first().map(|fault| fault.field.clone()).unwrap_or_default();
            anyhow::anyhow!("{}, {place}: it does not read; nothing was imported", file.display())
        }
        other => anyhow::anyhow!("{}", other.code()),
    })?;
    out::line(&format!("{count} rules say which procedures take a delegate."));
    Ok(())
}

async fn banks(app: &App, file: &Path) -> anyhow::Result<()> {
    let told = || format!("the banks in {}", file.display());
    let mut rows = csv::Reader::from_path(file).with_context(told)?;
    ensure!(rows.headers().with_context(told)? == ["code", "name"].as_slice(), "the first line is code,name");
    let banks = rows.deserialize().collect::<Result<Vec<(String, String)>, _>>().with_context(told)?;
    let named = import_banks(app, &banks).await.map_err(|error| refused(&error))?;
    out::line(&format!("banks named: {named}"));
    Ok(())
}
