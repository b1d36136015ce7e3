//! What empties the database between two lives.

use crate::world::{ACCOUNT, ACCOUNTANTS, APPROVERS, CASHIERS};
use chung::base::id::{Agency, Id};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};

/// Who empties it.
pub struct Sweeper {
    connection: PgConnection,
    /// The tables that are empty when a life begins.
    emptied: Vec<String>,
    /// Which of them the last life filled: a look at an empty one costs less than a delete from it.
    filled: String,
    /// What else empties the database for the next life.
    again: String,
    /// How many lives it has seen since the last vacuum.
    lives: u32,
}

impl Sweeper {
    /// So many lives leave behind what slows the next ones more than a vacuum does.
    const VACUUM: u32 = 50;

    /// On a connection of its own, which asks no foreign key.
    pub async fn connect(options: PgConnectOptions, agencies: &[Id<Agency>]) -> Self {
        let options = options.options([("session_replication_role", "replica"), ("jit", "off")]);
        let options = options.statement_cache_capacity(500);
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut connection).await.unwrap();
        let founded = sqlx::query_scalar(AssertSqlSafe(filled(&tables))).fetch_all(&mut connection);
        let founded: Vec<String> = founded.await.unwrap();
        let emptied =
            |table: &String| !founded.contains(table) || EMPTIED.split_whitespace().any(|one| one == table);
        let emptied: Vec<String> = tables.into_iter().filter(emptied).collect();
        Self { connection, filled: filled(&emptied), emptied, again: again(agencies), lives: 0 }
    }

    /// Whether one of these processes of the server waits for a lock.
    pub async fn sees_a_wait(&mut self, backends: &[i32]) -> bool {
        let waits = "select exists (select from pg_locks where not granted and pid = any($1))";
        sqlx::query_scalar(waits).bind(backends).fetch_one(&mut self.connection).await.unwrap()
    }

    /// Empties it for the next life.
    pub async fn sweep(&mut self) {
        let mut tx = self.connection.begin().await.unwrap();
        // Planned once, each.
        let filled = sqlx::query_scalar(AssertSqlSafe(self.filled.clone()));
        let filled: Vec<String> = filled.fetch_all(&mut *tx).await.unwrap();
        for table in &filled {
            let delete = format!("delete from \"{table}\"");
            sqlx::query(AssertSqlSafe(delete)).execute(&mut *tx).await.unwrap();
        }
        sqlx::raw_sql(AssertSqlSafe(self.again.clone())).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        self.lives += 1;
        if self.lives >= Self::VACUUM {
            self.lives = 0;
            let tables = self.emptied.iter().map(String::as_str).chain(CHANGED.split_whitespace());
            let tables: Vec<_> = tables.map(|table| format!("\"{table}\"")).collect();
            let vacuum = format!("vacuum {}", tables.join(", "));
            sqlx::raw_sql(AssertSqlSafe(vacuum)).execute(&mut self.connection).await.unwrap();
        }
    }
}

/// The tables; what is in parts is one.
const TABLES: &str = "select relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition order by 1";

/// Which of these hold something.
fn filled(tables: &[String]) -> String {
    let each = tables
        .iter()
        .map(|table| format!("select '{table}' as table_name where exists (select from \"{table}\")"));
    each.collect::<Vec<_>>().join(" union all ")
}

/// What is emptied although the founding has filled it.
const EMPTIED: &str = "audit_detail audit_leaf idempotency_key";

/// The others that it changes.
const CHANGED: &str =
    "ledger_account collecting_account agency endpoint fee_item fee_adjustment fee_procedure fee_schedule";

/// What the last life changed is as it was.
fn again(agencies: &[Id<Agency>]) -> String {
    let people = ACCOUNTANTS.map(|who| (who, "accountant")).into_iter();
    let people =
        people.chain(APPROVERS.map(|who| (who, "approver"))).chain(CASHIERS.map(|who| (who, "cashier")));
    let grants: Vec<String> = people
        .flat_map(|(who, role)| agencies.iter().map(move |agency| (who, role, agency)))
        .map(|(who, role, agency)| {
            format!(
                "(gen_random_uuid(), '{}', '{}', '{role}', '2026-11-01', '2026-11-01Z')",
                who.uuid(),
                agency.uuid()
            )
        })
        .collect();
    format!(
        "delete from ledger_account where drawer_id is not null or counterpart_id is not null
             or account_id in (select id from collecting_account where number <> '{ACCOUNT}');
         update agency_collection set account_id = (select id from collecting_account where number = '{ACCOUNT}')
             where account_id in (select id from collecting_account where number <> '{ACCOUNT}');
         update agency_account set account_no = '{ACCOUNT}' where account_no <> '{ACCOUNT}';
         delete from collecting_account where number <> '{ACCOUNT}';
         select setval('payout_slip', 1, false), setval('payout_waiting_id_seq', 1, false),
             setval('ledger_account_id_seq', (select max(id) from ledger_account));
         update agency set state = 'active', valid_until = null where state <> 'active';
         update collecting_account set heir_id = null where heir_id is not null;
         delete from fee_item where schedule_id in (select id from fee_schedule where agency_id is not null);
         delete from fee_adjustment where schedule_id in (select id from fee_schedule where agency_id is not null);
         delete from fee_procedure where schedule_id in (select id from fee_schedule where agency_id is not null);
         delete from fee_schedule where agency_id is not null;
         update endpoint set state = 'suspended', failures = 0, rest_until = null, outcome = null, secret_before = null,
             key_before = null, before_until = null;
         insert into role_grant (id, citizen_id, agency_id, role, valid_from, granted_at) values {}",
        grants.join(", ")
    )
}
