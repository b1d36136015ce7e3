//! Every bound of the service, with its unit in its name and its default beside it.

use super::ConfigError;
use serde::Deserialize;
use std::time::Duration;

/// What one request, one message, one attempt may use.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of a request's body at the public interfaces. Default 1 MiB.
    pub body_bytes_max: usize,
    /// Bytes of one message between institutions. Default 1 MiB.
    pub message_bytes_max: usize,
    /// Bytes of one bank statement. Default 64 MiB: a million lines arrive in several.
    pub statement_bytes_max: usize,
    /// Bytes of a statement that people bring as a file; no file is in memory as a whole. Default 1 GiB.
    pub import_bytes_max: usize,
    /// Rows of such a file that are in memory at a time. Default 5,000.
    pub import_rows_at_once: usize,
    /// Lines of a day up to which a person's browser waits for their matching; a longer day is matched beside. Default 20,000.
    pub lines_waited_for: usize,
    /// Attempts and orders that nobody answers about and that are looked at on one look of a matching; one after the other all of
    /// them are, and so many of each end with it. Default 1,000.
    pub silent_at_once: usize,
    /// Milliseconds until a request that has not been answered is given up. Default 10,000.
    pub request_timeout_ms: u64,
    /// Milliseconds until the confirmation of a statement that people bring is given up: it waits for the matching of
    /// up to `lines_waited_for` lines. Default 600,000.
    pub import_timeout_ms: u64,
    /// Milliseconds within which `upload_window_bytes_min` of a file must come; else it is given up. Default 10,000.
    pub upload_window_ms: u64,
    /// Bytes of a file that must come within each such window; a file as a whole has no deadline. Default 32 KiB.
    pub upload_window_bytes_min: usize,
    /// Milliseconds that running requests get to finish when the service stops. Default 20,000.
    pub drain_timeout_ms: u64,
    /// Milliseconds that a partner gets to answer. Default 5,000.
    pub partner_timeout_ms: u64,
    /// Connections to PostgreSQL that requests share, beside seven of writers and loops. Default 16.
    pub connections_max: u32,
    /// Commands that may wait in front of one batch writer; more are told to come back. Default 4,096.
    pub queue_max: usize,
    /// Commands that one transaction of a batch writer takes. Default 256.
    pub batch_max: usize,
    /// Milliseconds that the remote population register gets for one look-up, a retry included. Default 3,000.
    pub population_timeout_ms: u64,
    /// Look-ups at the remote population register that may be under way at once. Default 256.
    pub look_ups_max: usize,
    /// Questions about one number a day by one portal, without the person. Default 20.
    pub number_asks_portal_max: u32,
    /// Questions about one number a day by all portals together, without the person. Default 60.
    pub number_asks_max: u32,
    /// Misses of one portal in ten minutes that look like probing numbers, if they are also more than half. Default 50.
    pub misses_max: u32,
    /// Rows of one batch of questions. Default 1,000,000.
    pub batch_rows_max: u32,
    /// Đồng up to which one approver decides a refund; above it two do. Default 50,000,000.
    pub refund_one_approver_vnd_max: i64,
    /// Đồng that one agency's officers may approve for refunds in a day. Default 2,000,000,000.
    pub refund_day_vnd_max: i64,
    /// Working days that a desk may keep cash before it is carried to the bank. Default 1.
    pub cash_days_max: u32,
    /// Webhook deliveries in flight at once. Default 16.
    pub deliveries_max: usize,
    /// Milliseconds for which a one-time code is accepted. Default 300,000.
    pub code_life_ms: u32,
    /// Answers that one code bears. Default 5.
    pub code_tries_max: u8,
    /// Codes that one sign-in may use. Default 3.
    pub codes_per_sign_in_max: u8,
    /// Milliseconds until a sign-in may ask for another code. Default 30,000.
    pub code_pause_ms: u32,
    /// Codes for one number in an hour. Default 6.
    pub codes_per_number_max: u32,
    /// Codes asked for from one network address in an hour. Default 60.
    pub codes_per_address_max: u32,
    /// Codes for sign-ins to one portal in an hour. Default 100,000.
    pub codes_per_portal_max: u32,
    /// What one segment of an SMS costs, in dong, for the report. Default 400.
    pub sms_price_dong: u32,
    /// Segments that one agency may use in a month, unless it has a cap of its own. Default 500,000.
    pub sms_per_agency_month_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 1 << 20,
            message_bytes_max: 1 << 20,
            statement_bytes_max: 64 << 20,
            import_bytes_max: 1 << 30,
            import_rows_at_once: 5_000,
            lines_waited_for: 20_000,
            silent_at_once: 1_000,
            request_timeout_ms: 10_000,
            import_timeout_ms: 600_000,
            upload_window_ms: 10_000,
            upload_window_bytes_min: 32 << 10,
            drain_timeout_ms: 20_000,
            partner_timeout_ms: 5_000,
            connections_max: 16,
            queue_max: 4_096,
            batch_max: 256,
            population_timeout_ms: 3_000,
            look_ups_max: 256,
            number_asks_portal_max: 20,
            number_asks_max: 60,
            misses_max: 50,
            batch_rows_max: 1_000_000,
            refund_one_approver_vnd_max: 50_000_000,
            refund_day_vnd_max: 2_000_000_000,
            cash_days_max: 1,
            deliveries_max: 16,
            code_life_ms: 300_000,
            code_tries_max: 5,
            codes_per_sign_in_max: 3,
            code_pause_ms: 30_000,
            codes_per_number_max: 6,
            codes_per_address_max: 60,
            codes_per_portal_max: 100_000,
            sms_price_dong: 400,
            sms_per_agency_month_max: 500_000,
        }
    }
}

impl Limits {
    /// The deadline of a request.
    pub const fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    /// The deadline of a request that confirms a statement.
    pub const fn import_timeout(&self) -> Duration {
        Duration::from_millis(self.import_timeout_ms)
    }

    /// The time in which a file must come on.
    pub const fn upload_window(&self) -> Duration {
        Duration::from_millis(self.upload_window_ms)
    }

    /// The time to finish when the service stops.
    pub const fn drain_timeout(&self) -> Duration {
        Duration::from_millis(self.drain_timeout_ms)
    }

    /// The deadline of a call to a partner.
    pub const fn partner_timeout(&self) -> Duration {
        Duration::from_millis(self.partner_timeout_ms)
    }

    /// Refuses a zero, which would stop the service rather than bound it.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let zeros = [
            ("body_bytes_max", self.body_bytes_max == 0),
            ("message_bytes_max", self.message_bytes_max == 0),
            ("statement_bytes_max", self.statement_bytes_max == 0),
            ("import_bytes_max", self.import_bytes_max == 0),
            ("import_rows_at_once", self.import_rows_at_once == 0),
            ("silent_at_once", self.silent_at_once == 0),
            ("request_timeout_ms", self.request_timeout_ms == 0),
            ("import_timeout_ms", self.import_timeout_ms == 0),
            ("upload_window_ms", self.upload_window_ms == 0),
            ("upload_window_bytes_min", self.upload_window_bytes_min == 0),
            ("drain_timeout_ms", self.drain_timeout_ms == 0),
            ("partner_timeout_ms", self.partner_timeout_ms == 0),
            ("connections_max", self.connections_max == 0),
            ("queue_max", self.queue_max == 0),
            ("batch_max", self.batch_max == 0),
            ("population_timeout_ms", self.population_timeout_ms == 0),
            ("look_ups_max", self.look_ups_max == 0),
            ("number_asks_portal_max", self.number_asks_portal_max == 0),
            ("number_asks_max", self.number_asks_max == 0),
            ("misses_max", self.misses_max == 0),
            ("batch_rows_max", self.batch_rows_max == 0),
            ("refund_one_approver_vnd_max", self.refund_one_approver_vnd_max <= 0),
            ("refund_day_vnd_max", self.refund_day_vnd_max <= 0),
            ("deliveries_max", self.deliveries_max == 0),
            ("code_life_ms", self.code_life_ms == 0),
            ("code_tries_max", self.code_tries_max == 0),
            ("codes_per_sign_in_max", self.codes_per_sign_in_max == 0),
            ("codes_per_number_max", self.codes_per_number_max == 0),
            ("codes_per_address_max", self.codes_per_address_max == 0),
            ("codes_per_portal_max", self.codes_per_portal_max == 0),
            ("sms_per_agency_month_max", self.sms_per_agency_month_max == 0),
        ];
        zeros.iter().find(|(_, zero)| *zero).map_or(Ok(()), |(name, _)| Err(ConfigError::ZeroLimit(name)))
    }
}
