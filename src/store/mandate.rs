//! Mandates, what procedures say about delegates, and in whose name something was done.

use super::{Result, StoreError, Tx, moved_one};
use crate::base::{
    calendar::Day,
    clock::Instant,
    id::{self, Agency, Citizen, Id},
    page::{Page, PageRequest},
    text::Line,
};
use crate::identity::mandate::{Act, Allowed, Delegate, End, Extent, Form, Mandate, Paper, State};
use time::Date;
use uuid::Uuid;

/// Who recorded a mandate that was not given on a page: the agency and its officer.
pub type Recorder = (Id<Agency>, Id<Citizen>);

/// Writes a mandate.
pub async fn insert(tx: &mut Tx, mandate: &Mandate, by: Option<Recorder>) -> Result<()> {
    let (person, organisation) = match mandate.delegate {
        Delegate::Person(person) => (Some(person.uuid()), None),
        Delegate::Organisation(agency) => (None, Some(agency.uuid())),
    };
    let acts: Vec<&str> = mandate.extent.acts.iter().map(|act| act.word()).collect();
    let procedures: Vec<&str> = mandate.extent.procedures.iter().map(String::as_str).collect();
    let agencies: Vec<Uuid> = mandate.extent.agencies.iter().map(|id| id.uuid()).collect();
    let accepted_at = match mandate.state {
        State::Accepted { at } => Some(at),
        State::Offered | State::Ended { .. } => None,
    };
    let paper = mandate.paper.as_ref();
    sqlx::query!(
        "INSERT INTO mandate (id, principal_id, delegate_id, organisation_id, acts, procedures, agencies, valid_from,
             valid_to, form, certifier, certificate_no, certified_on, recorded_at, officer_id, given_at, state, accepted_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        mandate.id.uuid(),
        mandate.principal.uuid(),
        person,
        organisation,
        &acts as &[&str],
        &procedures as &[&str],
        &agencies,
        mandate.extent.from.date(),
        mandate.extent.to.date(),
        mandate.form.word(),
        paper.map(|paper| paper.certifier.as_str()),
        paper.map(|paper| paper.number.as_str()),
        paper.map(|paper| paper.on.date()),
        by.map(|(agency, _)| agency.uuid()),
        by.map(|(_, officer)| officer.uuid()),
        mandate.given_at,
        mandate.state.word(),
        accepted_at,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// Moves a mandate on from the state it was read in; false when somebody else moved it first.
pub async fn advance(tx: &mut Tx, id: Id<id::Mandate>, from: &State, to: &State) -> Result<bool> {
    let (accepted_at, ended) = match to {
        State::Offered => (None, None),
        State::Accepted { at } => (Some(*at), None),
        State::Ended { end, at } => (None, Some((end.word(), *at))),
    };
    let done = sqlx::query!(
        "UPDATE mandate SET state = $3, accepted_at = coalesce($4, accepted_at), ended_by = $5, ended_at = $6
         WHERE id = $1 AND state = $2",
        id.uuid(),
        from.word(),
        to.word(),
        accepted_at,
        ended.map(|(by, _)| by),
        ended.map(|(_, at)| at),
    )
    .execute(tx.conn())
    .await?;
    Ok(moved_one(&done))
}

/// Ends every mandate that a person gave or got and that has not ended, and takes the papers' names off all of them; those
/// that ended now.
pub async fn end_of_citizen(
    tx: &mut Tx,
    citizen: Id<Citizen>,
    end: End,
    at: Instant,
) -> Result<Vec<Mandate>> {
    sqlx::query!(
        "UPDATE mandate SET certifier = '-', certificate_no = '-'
         WHERE (principal_id = $1 OR delegate_id = $1) AND certifier IS NOT NULL",
        citizen.uuid(),
    )
    .execute(tx.conn())
    .await?;
    let rows = sqlx::query_as!(
        Raw,
        "UPDATE mandate SET state = 'ended', ended_by = $2, ended_at = $3
         WHERE (principal_id = $1 OR delegate_id = $1) AND state <> 'ended'
         RETURNING id, principal_id, delegate_id, organisation_id, acts, procedures, agencies, valid_from, valid_to, form,
                   certifier, certificate_no, certified_on, given_at, state, accepted_at, ended_at, ended_by",
        citizen.uuid(),
        end.word(),
        at,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// A mandate, held against every change until this transaction ends: what is done under it and its end cannot cross.
pub async fn hold(tx: &mut Tx, id: Id<id::Mandate>) -> Result<Option<Mandate>> {
    let row = sqlx::query_as!(
        Raw,
        "SELECT id, principal_id, delegate_id, organisation_id, acts, procedures, agencies, valid_from, valid_to, form,
                certifier, certificate_no, certified_on, given_at, state, accepted_at, ended_at, ended_by
         FROM mandate WHERE id = $1 FOR SHARE",
        id.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// A mandate that is about to change.
pub async fn lock(tx: &mut Tx, id: Id<id::Mandate>) -> Result<Option<Mandate>> {
    let row = sqlx::query_as!(
        Raw,
        "SELECT id, principal_id, delegate_id, organisation_id, acts, procedures, agencies, valid_from, valid_to, form,
                certifier, certificate_no, certified_on, given_at, state, accepted_at, ended_at, ended_by
         FROM mandate WHERE id = $1 FOR UPDATE",
        id.uuid(),
    )
    .fetch_optional(tx.conn())
    .await?;
    row.map(TryInto::try_into).transpose()
}

/// The mandates that a person gave or got, the newest first; the first two hundred.
pub async fn of_citizen(tx: &mut Tx, citizen: Id<Citizen>) -> Result<Vec<Mandate>> {
    let rows = sqlx::query_as!(
        Raw,
        "SELECT id, principal_id, delegate_id, organisation_id, acts, procedures, agencies, valid_from, valid_to, form,
                certifier, certificate_no, certified_on, given_at, state, accepted_at, ended_at, ended_by
         FROM mandate WHERE principal_id = $1 OR delegate_id = $1 ORDER BY id DESC LIMIT 200",
        citizen.uuid(),
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The mandates of these principals for these people and organisations that have not ended, the newest first, held
/// against every change until this transaction ends. Who is whose delegate is for the caller.
pub async fn hold_between(
    tx: &mut Tx,
    principals: &[Id<Citizen>],
    people: &[Id<Citizen>],
    organisations: &[Id<Agency>],
) -> Result<Vec<Mandate>> {
    let principals: Vec<Uuid> = principals.iter().map(|id| id.uuid()).collect();
    let people: Vec<Uuid> = people.iter().map(|id| id.uuid()).collect();
    let organisations: Vec<Uuid> = organisations.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Raw,
        "SELECT id, principal_id, delegate_id, organisation_id, acts, procedures, agencies, valid_from, valid_to, form,
                certifier, certificate_no, certified_on, given_at, state, accepted_at, ended_at, ended_by
         FROM mandate WHERE principal_id = ANY($1) AND state <> 'ended'
           AND (delegate_id = ANY($2) OR organisation_id = ANY($3)) ORDER BY id DESC FOR SHARE",
        &principals,
        &people,
        &organisations,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The mandates that an agency recorded or holds as an organisation, the newest first.
pub async fn of_agency(
    tx: &mut Tx,
    agency: Id<Agency>,
    page: &PageRequest<Id<id::Mandate>>,
) -> Result<Page<Mandate>> {
    let rows = sqlx::query_as!(
        Raw,
        "SELECT id, principal_id, delegate_id, organisation_id, acts, procedures, agencies, valid_from, valid_to, form,
                certifier, certificate_no, certified_on, given_at, state, accepted_at, ended_at, ended_by
         FROM mandate WHERE (recorded_at = $1 OR organisation_id = $1) AND ($2::uuid IS NULL OR id < $2)
         ORDER BY id DESC LIMIT $3",
        agency.uuid(),
        page.after.map(Id::uuid),
        page.fetch(),
    )
    .fetch_all(tx.conn())
    .await?;
    let items = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<Mandate>>>()?;
    Ok(Page::from_rows(items, page))
}

/// The mandates that wait for one of these organisations to accept them, the oldest first; the first hundred.
pub async fn offered_to(tx: &mut Tx, organisations: &[Id<Agency>]) -> Result<Vec<Mandate>> {
    let organisations: Vec<Uuid> = organisations.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        Raw,
        "SELECT id, principal_id, delegate_id, organisation_id, acts, procedures, agencies, valid_from, valid_to, form,
                certifier, certificate_no, certified_on, given_at, state, accepted_at, ended_at, ended_by
         FROM mandate WHERE organisation_id = ANY($1) AND state = 'offered' ORDER BY id LIMIT 100",
        &organisations,
    )
    .fetch_all(tx.conn())
    .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Which agency recorded a mandate.
pub async fn recorder(tx: &mut Tx, id: Id<id::Mandate>) -> Result<Option<Id<Agency>>> {
    let agency = sqlx::query_scalar!("SELECT recorded_at FROM mandate WHERE id = $1", id.uuid())
        .fetch_optional(tx.conn())
        .await?;
    Ok(agency.flatten().map(Id::from_uuid))
}

/// What procedures say about delegates, each on a day: one statement, an answer for each, in order.
pub async fn rules(tx: &mut Tx, asked: &[(&str, Day)]) -> Result<Vec<Vec<Allowed>>> {
    let procedures: Vec<&str> = asked.iter().map(|(procedure, _)| *procedure).collect();
    let days: Vec<Date> = asked.iter().map(|(_, day)| day.date()).collect();
    let rows = sqlx::query!(
        r#"SELECT a.place AS "place!", r.allowed, r.procedure
           FROM unnest($1::text[], $2::date[]) WITH ORDINALITY AS a (procedure, day, place)
           JOIN delegation_rule r ON r.procedure = a.procedure
             AND r.valid_from <= a.day AND (r.valid_to IS NULL OR r.valid_to >= a.day)"#,
        &procedures as &[&str],
        &days,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut rules = vec![Vec::new(); asked.len()];
    for row in rows {
        let allowed = Allowed::of(&row.allowed)
            .ok_or_else(|| StoreError::corrupt("delegation_rule", "allowed", &row.procedure))?;
        let place = usize::try_from(row.place).ok().and_then(|place| place.checked_sub(1));
        if let Some(of) = place.and_then(|place| rules.get_mut(place)) {
            of.push(allowed);
        }
    }
    Ok(rules)
}

/// One line of what procedures say about delegates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The procedure.
    pub procedure: String,
    /// What it takes.
    pub allowed: Allowed,
    /// The first day.
    pub from: Day,
    /// The last day; open if absent.
    pub to: Option<Day>,
    /// The law.
    pub legal_basis: String,
}

/// Puts a rule; the same again changes its last day and its law.
pub async fn put_rule(tx: &mut Tx, rule: &Rule) -> Result<()> {
    sqlx::query!(
        "INSERT INTO delegation_rule (procedure, allowed, valid_from, valid_to, legal_basis)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (procedure, allowed, valid_from)
         DO UPDATE SET valid_to = EXCLUDED.valid_to, legal_basis = EXCLUDED.legal_basis",
        rule.procedure,
        rule.allowed.word(),
        rule.from.date(),
        rule.to.map(Day::date),
        rule.legal_basis,
    )
    .execute(tx.conn())
    .await?;
    Ok(())
}

/// The rules of a procedure, or of all.
pub async fn all_rules(tx: &mut Tx, procedure: Option<&str>) -> Result<Vec<Rule>> {
    let rows = sqlx::query!(
        "SELECT procedure, allowed, valid_from, valid_to, legal_basis FROM delegation_rule
         WHERE $1::text IS NULL OR procedure = $1 ORDER BY procedure, valid_from, allowed LIMIT 1000",
        procedure,
    )
    .fetch_all(tx.conn())
    .await?;
    let rule = rows.into_iter().map(|row| {
        let allowed = Allowed::of(&row.allowed);
        Ok(Rule {
            allowed: allowed
                .ok_or_else(|| StoreError::corrupt("delegation_rule", "allowed", &row.procedure))?,
            procedure: row.procedure,
            from: Day::from_date(row.valid_from),
            to: row.valid_to.map(Day::from_date),
            legal_basis: row.legal_basis,
        })
    });
    rule.collect()
}

struct Raw {
    id: Uuid,
    principal_id: Uuid,
    delegate_id: Option<Uuid>,
    organisation_id: Option<Uuid>,
    acts: Vec<String>,
    procedures: Vec<String>,
    agencies: Vec<Uuid>,
    valid_from: Date,
    valid_to: Date,
    form: String,
    certifier: Option<String>,
    certificate_no: Option<String>,
    certified_on: Option<Date>,
    given_at: Instant,
    state: String,
    accepted_at: Option<Instant>,
    ended_at: Option<Instant>,
    ended_by: Option<String>,
}

impl TryFrom<Raw> for Mandate {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self> {
        let id: Id<id::Mandate> = Id::from_uuid(raw.id);
        let corrupt = |column| StoreError::corrupt("mandate", column, id);
        let delegate = match (raw.delegate_id, raw.organisation_id) {
            (Some(person), None) => Delegate::Person(Id::from_uuid(person)),
            (None, Some(agency)) => Delegate::Organisation(Id::from_uuid(agency)),
            _ => return Err(corrupt("delegate_id")),
        };
        let state = match (raw.state.as_str(), raw.accepted_at, raw.ended_at) {
            ("offered", None, None) => State::Offered,
            ("accepted", Some(at), None) => State::Accepted { at },
            ("ended", _, Some(at)) => {
                let end = raw.ended_by.as_deref().and_then(End::of).ok_or_else(|| corrupt("ended_by"))?;
                State::Ended { end, at }
            }
            _ => return Err(corrupt("state")),
        };
        let paper = match (raw.certifier, raw.certificate_no, raw.certified_on) {
            (Some(certifier), Some(number), Some(on)) => Some(Paper {
                certifier: Line::parse(&certifier).map_err(|_| corrupt("certifier"))?,
                number: Line::parse(&number).map_err(|_| corrupt("certificate_no"))?,
                on: Day::from_date(on),
            }),
            _ => None,
        };
        let acts = raw.acts.iter().map(|word| word.parse::<Act>());
        Ok(Self {
            id,
            principal: Id::from_uuid(raw.principal_id),
            delegate,
            extent: Extent {
                acts: acts.collect::<std::result::Result<_, _>>().map_err(|_| corrupt("acts"))?,
                procedures: raw.procedures.into_iter().collect(),
                agencies: raw.agencies.into_iter().map(Id::from_uuid).collect(),
                from: Day::from_date(raw.valid_from),
                to: Day::from_date(raw.valid_to),
            },
            form: Form::of(&raw.form).ok_or_else(|| corrupt("form"))?,
            paper,
            given_at: raw.given_at,
            state,
        })
    }
}
