//! The accountant's board: how the last days went, what is to be settled, who holds what. The auditor reads the same.

use super::{
    Error, Result,
    agency_key::{agency_key, kept_words},
    line_told::{PayerTold, open_told},
    officer::{self, Workplace},
    statement_answer::unexplained,
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{self, Agency, Citizen, Id},
        money::Money,
        page::PageRequest,
    },
    payment::{
        case::{Act, By},
        matching::one_may_end,
    },
    store::{
        Tx,
        account::{self, CollectingAccount},
        case::{self, Filter, StoredCase, StoredNote},
        case_facts::{self, PaidFor, Place},
        matching as matches,
        statement::{self, StoredStatement},
        statement_fetch::{self, Missing},
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// How many statements the board compares.
const STATEMENTS: u32 = 14;

/// Which part of the board is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// Of this agency; the first one where the officer works if left out.
    pub agency: Option<Id<Agency>>,
    /// With the days and cases of everybody whom it succeeded.
    pub whole: bool,
    /// Closed cases too.
    pub all: bool,
    /// The cases after this one.
    pub after: Option<Id<id::Case>>,
}

/// The board.
pub struct Board {
    /// Who reads it.
    pub reader: String,
    /// Whose books.
    pub agency: Workplace,
    /// Where the reader works too.
    pub elsewhere: Vec<Workplace>,
    /// The accounts that the agency owns.
    pub accounts: Vec<CollectingAccount>,
    /// Their newest statements, the newest first.
    pub statements: Vec<DayShown>,
    /// Statements that were tried in vain.
    pub missing: Vec<Missing>,
    /// How many cases nobody holds, and how many somebody looks into.
    pub pending: (i64, i64),
    /// The cases.
    pub cases: Vec<CaseShown>,
    /// Where the next ones begin.
    pub next: Option<Id<id::Case>>,
    /// When this was read.
    pub now: Instant,
}

/// A statement on the board.
pub struct DayShown {
    /// The statement.
    pub statement: StoredStatement,
    /// Its account's number.
    pub account: String,
    /// What neither books nor differences account for.
    pub unexplained: Option<Money>,
}

/// A case on the board.
pub struct CaseShown {
    /// The case.
    pub case: StoredCase,
    /// Where the line stands that shows the money.
    pub place: Option<Place>,
    /// What the payment was for.
    pub paid_for: Option<PaidFor>,
    /// The name of who holds it, or held it.
    pub owner: Option<String>,
}

/// The board of an agency where the citizen keeps or audits the books.
pub async fn read_board(app: &App, citizen: Id<Citizen>, asked: &Asked) -> Result<Board> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let mut elsewhere = officer::workplaces(&mut tx, citizen, Day::of(now)).await?;
    let wanted = |place: &Workplace| asked.agency.is_none_or(|id| id == place.id);
    let agency = match elsewhere.iter().position(wanted) {
        Some(at) => elsewhere.remove(at),
        None if elsewhere.is_empty() => return Err(Error::forbidden("accountant_needed")),
        None => return Err(Error::not_found()),
    };
    let accounts = account::accounts_of(&mut tx, agency.id).await?;
    let tree = agency.tree(asked.whole);
    let statements = newest(&mut tx, &tree, &accounts).await?;
    let since = Day::of(now).plus_days(-super::fetch_statement::DAYS_BACK);
    let missing = statement_fetch::missing(&mut tx, agency.id, since).await?;
    let pending = case_facts::pending(&mut tx, &tree).await?;
    let page = PageRequest::new(asked.after, None).ok_or_else(Error::not_found)?;
    let filter = Filter { pending: !asked.all, of_day: None };
    let found = case::list(&mut tx, &tree, filter, &page).await?;
    let next = found.items.last().filter(|_| found.more).map(|last| last.id);
    let (cases, mut names) = shown(app, &mut tx, &agency, found.items, &[citizen]).await?;
    let reader = names.remove(&citizen).unwrap_or_default();
    Ok(Board { reader, agency, elsewhere, accounts, statements, missing, pending, cases, next, now })
}

async fn newest(tx: &mut Tx, owners: &[Id<Agency>], accounts: &[CollectingAccount]) -> Result<Vec<DayShown>> {
    let page = PageRequest::new(None, Some(STATEMENTS)).ok_or_else(Error::not_found)?;
    let found = statement::list_of_owner(tx, owners, &page).await?;
    let number = |statement: &StoredStatement| accounts.iter().find(|a| a.id == statement.account);
    let mut days: Vec<DayShown> = found
        .items
        .into_iter()
        .filter_map(|statement| {
            let account = number(&statement)?.number.clone();
            Some(DayShown { unexplained: unexplained(&statement), account, statement })
        })
        .collect();
    days.sort_by(|a, b| b.statement.day.cmp(&a.statement.day).then_with(|| a.account.cmp(&b.account)));
    Ok(days)
}

type Names = BTreeMap<Id<Citizen>, String>;

/// The cases with what stands around them, and the names of their owners and of those others.
async fn shown(
    app: &App,
    tx: &mut Tx,
    agency: &Workplace,
    cases: Vec<StoredCase>,
    others: &[Id<Citizen>],
) -> Result<(Vec<CaseShown>, Names)> {
    let payments: Vec<_> = cases.iter().filter_map(|case| case.difference.payment).collect();
    let lines: Vec<_> = cases.iter().filter_map(|case| case.difference.line).collect();
    let people: BTreeSet<_> =
        cases.iter().filter_map(|case| case.state.owner()).chain(others.iter().copied()).collect();
    // A bill that was paid before its agency was succeeded is that agency's still.
    let paid_for = case_facts::paid_for(tx, &agency.tree(true), &payments).await?;
    let places = case_facts::places(tx, &lines).await?;
    let names = officer::names(app, tx, &people).await?;
    let shown = cases.into_iter().map(|case| CaseShown {
        place: case.difference.line.and_then(|line| places.get(&line).cloned()),
        paid_for: case.difference.payment.and_then(|payment| paid_for.get(&payment).cloned()),
        owner: case.state.owner().and_then(|owner| names.get(&owner).cloned()),
        case,
    });
    Ok((shown.collect(), names))
}

/// A case with all that is known about it.
pub struct CaseFile {
    /// Who reads it.
    pub reader: String,
    /// Whose books.
    pub agency: Workplace,
    /// The case.
    pub shown: CaseShown,
    /// Whether the reader holds it.
    pub mine: bool,
    /// Whether it leaves no more open than one person may say.
    pub one_may_end: bool,
    /// What the bank told of the payer, where a line shows the money.
    pub payer: Option<String>,
    /// What the payer wrote.
    pub remittance: Vec<String>,
    /// What was done about it, in order.
    pub notes: Vec<NoteShown>,
    /// When this was read.
    pub now: Instant,
}

/// Something that was done about a case.
pub struct NoteShown {
    /// When.
    pub at: Instant,
    /// What.
    pub act: Act,
    /// By whom; absent for the agency's system.
    pub by: Option<String>,
    /// What was said.
    pub words: Option<String>,
}

/// A case of an agency where the citizen keeps or audits the books; any other does not exist for them.
pub async fn read_case_file(app: &App, citizen: Id<Citizen>, id: Id<id::Case>) -> Result<CaseFile> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let places = officer::workplaces(&mut tx, citizen, Day::of(now)).await?;
    let ids: Vec<_> = places.iter().map(|place| place.id).collect();
    let case = case::of_agencies(&mut tx, &ids, id).await?.ok_or(Error::not_found())?;
    let agency = places.into_iter().find(|place| place.id == case.agency).ok_or(Error::not_found())?;
    let mine = case.state.owner() == Some(citizen);
    let tolerance = matches::tolerance(&mut tx, case.account).await?;
    let one_may_end = one_may_end(&case.difference, tolerance).map_err(Error::internal)?;
    let line = case.difference.line;
    let notes = case::notes(&mut tx, id).await?;
    let mut people: Vec<_> = notes.iter().filter_map(author).collect();
    people.push(citizen);
    let (mut shown, names) = shown(app, &mut tx, &agency, vec![case], &people).await?;
    let shown = shown.pop().ok_or(Error::not_found())?;
    let key = agency_key(app, &mut tx, agency.id).await?;
    let told = match line {
        Some(line) => case_facts::told(&mut tx, line).await?.map(|told| (line, told)),
        None => None,
    };
    // What another owner's bank told is another's to read; what one's own told before one took its place is not.
    let told = match told.filter(|(_, told)| told.heir == agency.id) {
        Some((line, told)) => {
            let key = agency_key(app, &mut tx, told.owner).await?;
            open_told(&key, line, &told)?
        }
        None => PayerTold::default(),
    };
    let notes = notes.into_iter().map(|note| {
        let words =
            note.words.as_ref().map(|words| kept_words(&key, note.id.as_bytes(), words)).transpose()?;
        Ok(NoteShown {
            at: note.at,
            act: note.act,
            by: author(&note).map(|by| names.get(&by).cloned().unwrap_or_default()),
            words: words.flatten(),
        })
    });
    Ok(CaseFile {
        reader: names.get(&citizen).cloned().unwrap_or_default(),
        shown,
        mine,
        one_may_end,
        payer: told.counterparty,
        remittance: told.remittance,
        notes: notes.collect::<Result<Vec<_>>>()?,
        agency,
        now,
    })
}

fn author(note: &StoredNote) -> Option<Id<Citizen>> {
    match note.by {
        Some(By::Officer(citizen)) => Some(citizen),
        Some(By::System(_)) | None => None,
    }
}
