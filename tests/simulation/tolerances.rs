//! What a partner of the payment platform's protocol does otherwise than it says: taken until a day where somebody listed it,
//! refused afterwards and without. Checksums, amounts and beneficiaries are never otherwise.

use crate::life::Life;
use crate::seen::Seen;
use crate::systems::SYSTEM;
use chung::base::{calendar::Day, clock::Clock};
use chung::codec::payment_platform::{self as wire, CONTENT, Init, TIME};
use chung::flow::{cash::warn_kept_cash, platform::tolerate};
use std::time::Duration;

/// Who pays where a system knows nobody's number.
const NOBODY: &str = "000000000";

impl Life<'_> {
    /// The message as the system sends it today: otherwise than the protocol says, where that is taken.
    pub async fn deviating(&mut self, init: Init, seen: &Seen) -> Init {
        if !self.beside.percent(40) {
            return init;
        }
        let (now, today) = (self.clock.now(), Day::of(self.clock.now()));
        let (deviation, code) =
            [("twelve_hour_time", TIME), ("placeholder_payer_id", CONTENT)][self.beside.below(2)];
        if self.beside.percent(50) {
            let until = today.plus_days(self.beside.below(3) as i64 - 1);
            tolerate(&self.app, SYSTEM.0, deviation, until).await.unwrap();
            self.tolerated.insert(deviation, until);
            let never = ["checksum", "amount", "beneficiary"][self.beside.below(3)];
            let listed = tolerate(&self.app, SYSTEM.0, never, until).await;
            assert_eq!(listed.err().map(|error| error.code()), Some("invalid_body"));
        }
        let mut other = init.clone();
        if deviation == "twelve_hour_time" {
            other.thoi_gian_gd = wire::stamp(now - Duration::from_secs(12 * 3_600));
        } else {
            other.thong_tin_bien_lai.so_cmnd_nguoi_nop = NOBODY.to_owned();
        }
        other.ma_xac_thuc = wire::checksum(&other.covered(), SYSTEM.1);
        if self.tolerated.get(deviation).is_some_and(|until| *until >= today) {
            seen.note(format!("deviation taken: {deviation}"));
            return other;
        }
        let reply = self.say_to_platform(&other, None).await.unwrap();
        assert_eq!(reply.ma_loi, code, "{deviation} is not tolerated: {}", reply.mo_ta_loi);
        seen.note(format!("deviation refused: {deviation}"));
        init
    }

    /// Agencies are told of cash that lies in their tills too long: once a day.
    pub async fn warn(&mut self, seen: &Seen) {
        if warn_kept_cash(&self.app).await.unwrap() > 0 {
            seen.note("cash kept too long");
        }
        assert_eq!(warn_kept_cash(&self.app).await.unwrap(), 0, "cash is told of once a day");
    }
}
