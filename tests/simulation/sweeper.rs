//! What empties the database between two lives.

use crate::world::{ACCOUNT, ACCOUNTANTS, APPROVERS, CASHIERS};
use chung::base::id::{Agency, Id};
use sqlx::{AssertSqlSafe, Connection, PgConnection, postgres::PgConnectOptions};

/// Who empties it.
pub struct Sweeper {
    connection: PgConnection,
    /// Which tables the last life filled: a look at an empty one costs less than a delete from it.
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
        let connection = PgConnection::connect_with(&options).await.unwrap();
        let filled = FILLED
            .split_whitespace()
            .map(|table| format!("select '{table}' as table_name where exists (select from \"{table}\")"));
        let filled = filled.collect::<Vec<_>>().join(" union all ");
        Self { connection, filled, again: again(agencies), lives: 0 }
    }

    /// Whether a statement of somebody else waits for a lock in this database.
    pub async fn sees_a_wait(&mut self) -> bool {
        let waits = "select exists (select from pg_locks l join pg_stat_activity a on a.pid = l.pid
             where not l.granted and a.datname = current_database())";
        sqlx::query_scalar(waits).fetch_one(&mut self.connection).await.unwrap()
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
            let tables = FILLED.split_whitespace().chain(CHANGED.split_whitespace());
            let tables: Vec<_> = tables.map(|table| format!("\"{table}\"")).collect();
            let vacuum = format!("vacuum {}", tables.join(", "));
            sqlx::raw_sql(AssertSqlSafe(vacuum)).execute(&mut self.connection).await.unwrap();
        }
    }
}

/// The tables that a life fills.
const FILLED: &str = "role_grant agency_successor agency_succession balance_at_checkpoint balance_checkpoint bill_link \
    bill_version audit_detail audit_leaf audit_node audit_place tree_head bill bill_content case case_note credit_origin \
    credit idempotency_key inbox_message ledger_entry posting live_attempt outbox payment_silence suspense_decision cash_alarm platform_tolerance payment recall \
    card_settlement card_slip_settled cash_deposit desk_collection desk_payout desk_payment shift drawer debit \
    adjustment_order provided_adjustment refund_approval refund_line refund_line_source refund_source refund payout_day payout_item payout closing_file closing \
    leaf_void receipt_leaf receipt_block receipt_void receipt_file receipt_due receipt receipt_series reversal withdrawn_line \
    payout_waiting clearing_report statement_import_piece statement_import_part \
    statement_revision statement_import shown_credit statement statement_line statement_told named_line suspense uetr_claim \
    event_sequence fee_evidence seller_invoice seller_invoice_claim platform_order platform_link delivery \
    long_day provided_receipt receipt_issuer head_stamp match_member match_group";

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
