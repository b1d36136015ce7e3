//! Answers agency systems that speak the payment platform's protocol: what they begin is a bill here, paid like any
//! other, and they are told of it as they are used to.
//!
//! The checksum is demanded of every message, the amount must be what the fee schedule says, what the checksum does not
//! cover must add up to what it covers, and the account must be the agency's own. Listed deviations of one partner are
//! taken until their last day, each time with a warning; of checksum, amount and account there are none. A partner whose
//! client or agency may do nothing is nobody here, and is told nothing meanwhile.

use super::{
    Error, Refusal, Result,
    agency_key::agency_key,
    create_bill::create_bill,
    national,
    quote_fees::quote_fees,
    render_receipt::{Format, render_receipt},
};
use crate::{
    app::App,
    base::{
        calendar::Day,
        clock::Instant,
        id::{Agency, Bill, Id},
        secret::Secret,
        text::Line,
    },
    codec::payment_platform::{
        self as wire, AMOUNT, BENEFICIARY, CONTENT, Confirm, Fit, Head, Init, Kind, NOT_GENUINE, OK, OTHER,
        Question, REUSED, Reply, TIME, UNKNOWN,
    },
    crypto::digest::{Digest, equal, sha256},
    partner::platform::Unsent,
    payment::{
        bill::{Parties, PartyName, State},
        exemption::{Channel, Circumstances, Dates, Facts},
        fee::Asked,
        issue::{Draft, Grounds},
    },
    store::{
        Tx, account, agency, bill as bills, inheritance,
        platform::{self as rows, StoredOrder, StoredPartner},
        receipt::{self, StoredReceipt},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::future::join_all;
use serde_json::Value;
use std::collections::BTreeMap;
use time::Duration;

/// How many days a bill of the platform may be paid.
const DUE_DAYS: i64 = 30;
/// The number that systems send when they know none.
const PLACEHOLDER_ID: &str = "000000000";
/// What is said of a time that does not fit.
const UNTIMELY: &str = "Thời gian giao dịch lệch quá 15 phút, hoặc không phải giờ 24";
/// How many payments one look tells of.
const AT_ONCE: i64 = 16;

/// Answers one message; `None` when nobody can be answered: nothing says whose it is, or whoever it is may not speak.
pub async fn answer_platform(app: &App, body: &[u8]) -> Result<Option<Reply>> {
    let Ok(head) = serde_json::from_slice::<Head>(body) else { return Ok(None) };
    if Kind::named(&head.loai_ban_tin) == Some(Kind::Confirm)
        && let Some(reply) = national::take_confirm(app, body).await?
    {
        return Ok(Some(reply));
    }
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let Some(partner) = rows::partner(&mut tx, &head.ma_doi_tac).await? else { return Ok(None) };
    if rows::speakers(&mut tx, Some(&partner.code), now).await?.is_empty() {
        return Ok(None);
    }
    let secret = secret(app, &mut tx, &partner).await?;
    drop(tx);
    let answering = Answering { app, now, partner, secret, reference: head.ma_tham_chieu };
    let reply = match Kind::named(&head.loai_ban_tin) {
        Some(Kind::Init) => answering.init(body).await?,
        Some(Kind::Query) => answering.query(body).await?,
        Some(Kind::GetBill) => answering.bill(body).await?,
        Some(Kind::Confirm) | None => answering.no(OTHER, "Bản tin không được nhận ở đây"),
    };
    Ok(Some(reply))
}

async fn secret(app: &App, tx: &mut Tx, partner: &StoredPartner) -> Result<Secret<String>> {
    let key = agency_key(app, tx, partner.agency).await?;
    let plain = key.open(&place(&partner.code), &partner.secret)?;
    Ok(Secret::new(String::from_utf8_lossy(plain.expose()).into_owned()))
}

/// The place that a sealed secret is bound to.
pub(super) fn place(code: &str) -> Vec<u8> {
    [b"platform.secret".as_slice(), code.as_bytes()].concat()
}

struct Answering<'a> {
    app: &'a App,
    now: Instant,
    partner: StoredPartner,
    secret: Secret<String>,
    reference: String,
}

impl Answering<'_> {
    fn reply(&self, code: &str, words: &str) -> Reply {
        Reply {
            ma_loi: code.to_owned(),
            mo_ta_loi: words.to_owned(),
            ma_doi_tac: self.partner.code.clone(),
            ma_tham_chieu: self.reference.clone(),
            thoi_gian_gd: wire::stamp(self.now),
            ..Reply::default()
        }
    }

    fn no(&self, code: &str, words: &str) -> Reply {
        tracing::warn!(partner = self.partner.code, code, "a message of the payment platform is refused");
        self.reply(code, words).signed(self.secret.expose())
    }

    fn is_genuine(&self, covered: &[&str], given: &str) -> bool {
        wire::is_genuine(covered, self.secret.expose(), given)
    }

    /// Whether a listed deviation is taken today; seen with a warning each time.
    async fn tolerates(&self, deviation: &str) -> Result<bool> {
        let mut tx = self.app.store.begin().await?;
        let today = Day::of(self.now);
        let taken = rows::tolerated(&mut tx, &self.partner.code, deviation, today, self.now).await?;
        tx.commit().await?;
        tracing::warn!(partner = self.partner.code, deviation, taken, "a partner deviates from the protocol");
        Ok(taken)
    }

    /// Whether the time is now, or deviates as is tolerated.
    async fn time_fits(&self, told: &str) -> Result<bool> {
        Ok(match wire::instant(told).map(|told| wire::fit(told, self.now)) {
            Ok(Fit::Now) => true,
            Ok(Fit::TwelveHours) => self.tolerates("twelve_hour_time").await?,
            Ok(Fit::Never) | Err(_) => false,
        })
    }

    async fn init(&self, body: &[u8]) -> Result<Reply> {
        let Ok(init) = serde_json::from_slice::<Init>(body) else {
            return Ok(self.no(CONTENT, "Bản tin INIT thiếu trường hoặc sai dạng"));
        };
        if !self.is_genuine(&init.covered(), &init.ma_xac_thuc) {
            return Ok(self.no(NOT_GENUINE, "Mã xác thực không đúng"));
        }
        let digest = sha256(init.covered()[..12].join("|").as_bytes());
        if let Some(order) = self.order().await? {
            return self.begun(&order, &digest).await;
        }
        if !self.time_fits(&init.thoi_gian_gd).await? {
            return Ok(self.no(TIME, UNTIMELY));
        }
        let payer = &init.thong_tin_bien_lai.so_cmnd_nguoi_nop;
        if payer == PLACEHOLDER_ID && !self.tolerates("placeholder_payer_id").await? {
            return Ok(self.no(CONTENT, "Số giấy tờ người nộp là số thay thế"));
        }
        if !init.adds_up() || init.ma_tien_te != "VND" {
            return Ok(self.no(AMOUNT, "Tổng các khoản không bằng số tiền"));
        }
        let Some(agency) = self.owner(&init).await? else {
            return Ok(self.no(BENEFICIARY, "Tài khoản thụ hưởng không phải của cơ quan"));
        };
        match self.issue(&init, agency).await? {
            Ok(bill) => {
                let order = StoredOrder {
                    partner: self.partner.code.clone(),
                    reference: self.reference.clone(),
                    digest,
                    bill,
                    text: init.thong_tin_giao_dich.clone(),
                };
                let mut tx = self.app.store.begin().await?;
                rows::insert_order(&mut tx, &order, self.now).await?;
                tx.commit().await?;
                self.begun(&order, &digest).await
            }
            Err((code, words)) => Ok(self.no(code, words)),
        }
    }

    async fn order(&self) -> Result<Option<StoredOrder>> {
        let mut tx = self.app.store.begin().await?;
        Ok(rows::order(&mut tx, &self.partner.code, &self.reference).await?)
    }

    /// The answer to a payment that was begun, now or before, with the same content.
    async fn begun(&self, order: &StoredOrder, digest: &Digest) -> Result<Reply> {
        if !equal(&order.digest, digest) {
            return Ok(self.no(REUSED, "Mã tham chiếu đã dùng cho nội dung khác"));
        }
        let mut tx = self.app.store.begin().await?;
        let bill = bills::bill(&mut tx, order.bill).await?.ok_or(Error::internal("an order without bill"))?;
        let url = self.app.origin.at(&format!("/pay/{}", bill.bill.reference));
        Ok(Reply { url_thanh_toan: url, ..self.reply(OK, "Thành công") }.signed(self.secret.expose()))
    }

    /// The agency of the partner's dossiers of that procedure, its own or whoever has taken that one's place; nobody where
    /// that one is suspended or the account is not its own.
    async fn owner(&self, init: &Init) -> Result<Option<Id<Agency>>> {
        let slip = &init.thong_tin_bien_lai;
        let mut tx = self.app.store.begin().await?;
        let agency = inheritance::heir(&mut tx, self.partner.agency, Some(&slip.ma_tthc)).await?;
        if agency::find_all(&mut tx, &[agency]).await?.iter().any(|row| !row.active) {
            return Ok(None);
        }
        let own = account::standing(&mut tx, &[agency]).await?.beneficiaries;
        let names = |number: &str, bank: &str| number == slip.tk_thu_huong && bank == slip.ma_nh_thu_huong;
        Ok(own.values().any(|account| names(&account.number, &account.bank)).then_some(agency))
    }

    /// Issues the bill, if every amount is what the schedule says.
    async fn issue(
        &self,
        init: &Init,
        agency: Id<Agency>,
    ) -> Result<std::result::Result<Id<Bill>, (&'static str, &'static str)>> {
        let slip = &init.thong_tin_bien_lai;
        let today = Day::of(self.now);
        let asked: Option<Vec<Asked>> = slip
            .phi_le_phi
            .iter()
            .map(|fee| Some(Asked { fee: fee.ma_phi_le_phi.parse().ok()?, count: 1, copies: 1, value: None }))
            .collect();
        let parsed =
            (slip.ma_tthc.parse(), slip.ma_ho_so.parse(), asked, PartyName::parse(&slip.ho_ten_nguoi_nop));
        let (Ok(procedure), Ok(dossier), Some(asked), Ok(payer)) = parsed else {
            return Ok(Err((CONTENT, "Mã thủ tục, hồ sơ, khoản phí hoặc tên người nộp sai dạng")));
        };
        let circumstances = Circumstances {
            channel: Channel::Counter,
            dates: Dates { submission: today, acceptance: None, payment: None },
            applicant: Facts::default(),
            submitter: Facts::default(),
        };
        let Ok(quote) = quote_fees(self.app, &procedure, &asked, &circumstances).await else {
            return Ok(Err((CONTENT, "Khoản phí không có trong biểu phí của thủ tục")));
        };
        let fits = slip.phi_le_phi.iter().enumerate().all(|(at, fee)| {
            let line = &quote["lines"][at];
            let kind = if line["kind"] == "phi" { "1" } else { "2" };
            line["amount"]["amount"] == fee.so_tien.as_str() && fee.loai_phi_le_phi == kind
        });
        if !fits {
            return Ok(Err((AMOUNT, "Số tiền một khoản không đúng biểu phí")));
        }
        let key = format!("payment-platform {} {}", self.partner.code, self.reference);
        let draft = Draft {
            agency,
            client: self.partner.client,
            key: (key, sha256(init.covered()[..12].join("|").as_bytes())),
            dossier,
            procedure,
            asked,
            circumstances,
            grounds: Grounds::default(),
            owners: BTreeMap::new(),
            obligations: Vec::new(),
            together: false,
            payable_until: None,
            due: today.plus_days(DUE_DAYS),
            parties: Parties { applicant: payer, submitter: None, payer: None, receipt_name: None },
        };
        let answer: Value = match create_bill(self.app, draft).await {
            Ok(answer) => serde_json::from_str(&answer).map_err(Error::internal)?,
            Err(Error::Conflict(_)) => return Ok(Err((REUSED, "Mã tham chiếu đã dùng cho nội dung khác"))),
            Err(Error::Refused(_)) => return Ok(Err((CONTENT, "Khoản nộp không lập được"))),
            Err(other) => return Err(other),
        };
        let id = answer["id"].as_str().and_then(|id| id.parse().ok());
        Ok(Ok(id.ok_or(Error::internal("a bill without its identifier"))?))
    }

    /// Why a question is not answered: one is whose checksum and time fit.
    async fn no_question(&self, body: &[u8]) -> Result<Option<Reply>> {
        let Ok(question) = serde_json::from_slice::<Question>(body) else {
            return Ok(Some(self.no(CONTENT, "Bản tin sai dạng")));
        };
        if !self.is_genuine(&question.covered(), &question.ma_xac_thuc) {
            return Ok(Some(self.no(NOT_GENUINE, "Mã xác thực không đúng")));
        }
        let timely = self.time_fits(&question.thoi_gian_gd).await?;
        Ok((!timely).then(|| self.no(TIME, UNTIMELY)))
    }

    async fn query(&self, body: &[u8]) -> Result<Reply> {
        if let Some(no) = self.no_question(body).await? {
            return Ok(no);
        }
        let Some(order) = self.order().await? else {
            return Ok(self.no(UNKNOWN, "Không có giao dịch này"));
        };
        let mut tx = self.app.store.begin().await?;
        let bill = bills::bill(&mut tx, order.bill).await?.ok_or(Error::internal("an order without bill"))?;
        let state = match bill.state {
            State::Open => "0",
            State::Paid { .. } => "1",
            State::Cancelled { .. } | State::Superseded { .. } => "2",
        };
        let reply = Reply { trang_thai_gd: state.to_owned(), ..self.reply(OK, "Thành công") };
        Ok(reply.signed(self.secret.expose()))
    }

    async fn bill(&self, body: &[u8]) -> Result<Reply> {
        if let Some(no) = self.no_question(body).await? {
            return Ok(no);
        }
        let Some(order) = self.order().await? else {
            return Ok(self.no(UNKNOWN, "Không có giao dịch này"));
        };
        let mut tx = self.app.store.begin().await?;
        let paid = rows::paid_by(&mut tx, order.bill).await?.map(|paid| paid.0);
        drop(tx);
        // The first of what was paid that holds still: none that is void, and none of what went back.
        let given = receipt::of_bill(&self.app.store, order.bill).await?;
        let holds = |one: &&StoredReceipt| {
            Some(one.payment.uuid()) == paid && one.refund.is_none() && one.void.is_none()
        };
        let Some(stored) = given.iter().filter(holds).min_by_key(|one| one.id) else {
            return Ok(self.no(UNKNOWN, "Giao dịch chưa có biên lai"));
        };
        let pdf = render_receipt(self.app, stored, Format::Pdf).await?;
        let reply = Reply { bien_lai: STANDARD.encode(pdf), ..self.reply(OK, "Thành công") };
        Ok(reply.signed(self.secret.expose()))
    }
}

/// Tells partners of payments that are paid, each until it has understood; of how many they were told. A partner that does
/// not answer keeps nobody else waiting for longer than one message.
pub async fn confirm_payments(app: &App) -> Result<usize> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let partners = rows::speakers(&mut tx, None, now).await?;
    let due = rows::claim_confirms(&mut tx, &partners, (now, now + Duration::minutes(5)), AT_ONCE).await?;
    tx.commit().await?;
    let mut written = Vec::with_capacity(due.len());
    let mut tx = app.store.begin().await?;
    for (order, _) in &due {
        written.push(confirmation(app, &mut tx, order, now).await);
    }
    drop(tx);
    let told = due.iter().zip(written).map(|((order, _), written)| async move {
        match written {
            Ok((url, body)) => understood(app, order, &url, body).await,
            Err(error) => {
                tracing::error!(?error, partner = order.partner, "a confirmation could not be written");
                false
            }
        }
    });
    let told = join_all(told).await;
    let mut tx = app.store.begin().await?;
    for ((order, tries), understood) in due.iter().zip(told) {
        let again = now + Duration::minutes(i64::from((*tries).clamp(1, 12)) * 5);
        let (confirmed, again) = if understood { (Some(now), None) } else { (None, Some(again)) };
        rows::finish_confirm(&mut tx, order, confirmed, again).await?;
    }
    tx.commit().await?;
    Ok(due.len())
}

/// The message that says that an order is paid, and where it goes.
async fn confirmation(
    app: &App,
    tx: &mut Tx,
    order: &StoredOrder,
    now: Instant,
) -> Result<(String, Vec<u8>)> {
    let lost = || Error::internal("an order without its partner or payment");
    let partner = rows::partner(tx, &order.partner).await?.ok_or_else(lost)?;
    let secret = secret(app, tx, &partner).await?;
    let (payment, bank, amount) = rows::paid_by(tx, order.bill).await?.ok_or_else(lost)?;
    let mut confirm = Confirm {
        loai_ban_tin: Kind::Confirm.as_str().to_owned(),
        ma_loi: OK.to_owned(),
        ma_doi_tac: order.partner.clone(),
        ma_tham_chieu: order.reference.clone(),
        so_tien: amount.to_string(),
        ma_tien_te: "VND".to_owned(),
        ma_giao_dich: payment.simple().to_string(),
        ma_ngan_hang: bank,
        thoi_gian_gd: wire::stamp(now),
        thong_tin_giao_dich: order.text.clone(),
        ma_xac_thuc: String::new(),
    };
    confirm.ma_xac_thuc = wire::checksum(&confirm.covered(), secret.expose());
    Ok((partner.confirm_url, serde_json::to_vec(&confirm).map_err(Error::internal)?))
}

/// Whether a partner has understood.
async fn understood(app: &App, order: &StoredOrder, url: &str, body: Vec<u8>) -> bool {
    let answer: std::result::Result<Vec<u8>, Unsent> = app.platform.post(url, body).await;
    let reply = answer.ok().and_then(|bytes| serde_json::from_slice::<Reply>(&bytes).ok());
    reply.is_some_and(|reply| reply.ma_loi == OK && reply.ma_tham_chieu == order.reference)
}

/// Lets an agency's system speak the protocol. Whoever calls this has been allowed to.
pub async fn register_partner(
    app: &App,
    agency: Id<Agency>,
    client: Id<crate::base::id::Client>,
    (code, secret): (&Line<50>, &str),
    confirm_url: &str,
) -> Result<()> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let key = agency_key(app, &mut tx, agency).await?;
    let partner = StoredPartner {
        code: code.to_string(),
        agency,
        client,
        secret: key.seal(&*app.entropy, &place(code.as_str()), secret.as_bytes()),
        confirm_url: confirm_url.to_owned(),
    };
    rows::put(&mut tx, &partner, now).await?;
    Ok(tx.commit().await?)
}

/// Lists a deviation of a partner until a day; of anything else there is none.
pub async fn tolerate(app: &App, partner: &str, deviation: &str, until: Day) -> Result<()> {
    if !["twelve_hour_time", "placeholder_payer_id"].contains(&deviation) {
        let wrong =
            Refusal::new("invalid_body").violation("deviation", "unknown", Some(deviation.to_owned()));
        return Err(Error::Refused(wrong));
    }
    let mut tx = app.store.begin().await?;
    let unknown = || Refusal::new("not_found").violation("partner", "unknown", Some(partner.to_owned()));
    rows::partner(&mut tx, partner).await?.ok_or_else(|| Error::NotFound(unknown()))?;
    rows::put_tolerance(&mut tx, partner, deviation, until).await?;
    Ok(tx.commit().await?)
}
