//! We as a partner of the national payment platform: INIT, QUERY and GET_BILL go out, CONFIRM comes in.
//!
//! What the platform confirms is an acceptance, never money: the bill is paid when the money arrives in its account,
//! named by our reference, like all other money. Every answer and every confirmation must carry the checksum, the
//! amount must be what was asked for, and silence is a state, not an error.

use super::{
    Error, Result,
    checkout::demand_bill,
    move_payment::{Moved, move_payment},
};
use crate::{
    app::App,
    base::{
        clock::Instant,
        id::{Agency, Id, Payment},
        secret::Secret,
    },
    codec::payment_platform::{
        self as wire, AMOUNT, Confirm, Fee, Init, Item, Kind, NOT_GENUINE, OK, Question, Reply, Slip, UNKNOWN,
    },
    partner::platform::Unsent,
    payment::{
        fee::FeeKind,
        payment::{Event, Report, Way},
    },
    store::{
        Tx,
        account::CollectingAccount,
        bill::StoredBill,
        key_rotation::PLATFORM,
        payment::{self as payments, StoredPayment},
        platform::{self as rows, StoredMembership},
    },
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// The word by which a payer chooses the platform among the banks.
pub const CHOICE: &str = "platform";

/// Who we are there.
struct Membership {
    url: String,
    code: String,
    secret: Secret<String>,
}

/// Joins the platform, or changes how it is reached. Whoever calls this has been allowed to.
pub async fn join(app: &App, url: &str, code: &str, secret: &str) -> Result<()> {
    let context = *PLATFORM.as_bytes();
    let (key, wrapped) = app.keys.new_data_key(&*app.entropy, &context);
    let sealed = key.seal(&*app.entropy, &context, secret.as_bytes());
    let membership = StoredMembership { url: url.to_owned(), code: code.to_owned(), secret: sealed, wrapped };
    let mut tx = app.store.begin().await?;
    rows::put_membership(&mut tx, &membership).await?;
    Ok(tx.commit().await?)
}

/// Whether payers may choose the platform.
pub(super) async fn is_member(tx: &mut Tx) -> Result<bool> {
    Ok(rows::membership(tx).await?.is_some())
}

async fn membership(app: &App) -> Result<Option<Membership>> {
    let context = *PLATFORM.as_bytes();
    let mut tx = app.store.begin().await?;
    let Some(stored) = rows::membership(&mut tx).await? else { return Ok(None) };
    let key = app.keys.data_key(&stored.wrapped, &context)?;
    let plain = key.open(&context, &stored.secret)?;
    let secret = Secret::new(String::from_utf8_lossy(plain.expose()).into_owned());
    Ok(Some(Membership { url: stored.url, code: stored.code, secret }))
}

impl Membership {
    async fn ask(&self, app: &App, body: Vec<u8>, reference: &str) -> std::result::Result<Reply, Unsent> {
        let bytes = app.platform.post(&self.url, body).await?;
        let reply: Reply = serde_json::from_slice(&bytes).map_err(|_| Unsent::NoAnswer)?;
        let genuine = wire::is_genuine(&reply.covered(), self.secret.expose(), &reply.ma_xac_thuc);
        if genuine && reply.ma_tham_chieu == reference {
            Ok(reply)
        } else {
            tracing::warn!(reference, "an answer of the payment platform is not believed");
            Err(Unsent::NoAnswer)
        }
    }

    fn question(&self, kind: Kind, reference: &str, now: Instant) -> Result<Vec<u8>> {
        let mut question = Question {
            loai_ban_tin: kind.as_str().to_owned(),
            phien_ban: wire::VERSION.to_owned(),
            ma_doi_tac: self.code.clone(),
            ma_tham_chieu: reference.to_owned(),
            thoi_gian_gd: wire::stamp(now),
            ma_xac_thuc: String::new(),
        };
        question.ma_xac_thuc = wire::checksum(&question.covered(), self.secret.expose());
        serde_json::to_vec(&question).map_err(Error::internal)
    }
}

/// Begins an attempt there; where the payer goes on is kept.
pub(super) async fn begin(
    app: &App,
    attempt: &StoredPayment,
    of: &StoredBill,
    account: &CollectingAccount,
    now: Instant,
) -> Result<Event> {
    let Some(member) = membership(app).await? else { return Ok(Event::NotSent) };
    let reference = attempt.id.uuid().simple().to_string();
    let mut init = init(&member, of, account, attempt, now);
    init.ma_xac_thuc = wire::checksum(&init.covered(), member.secret.expose());
    let body = serde_json::to_vec(&init).map_err(Error::internal)?;
    Ok(match member.ask(app, body, &reference).await {
        Ok(reply) if reply.ma_loi == OK && reply.url_thanh_toan.starts_with("http") => {
            let mut tx = app.store.begin().await?;
            rows::put_link(&mut tx, attempt.id, &reply.url_thanh_toan).await?;
            tx.commit().await?;
            Event::Handed
        }
        Ok(reply) if reply.ma_loi == OK => Event::NoAnswer,
        Ok(reply) => {
            tracing::warn!(payment = %attempt.id, code = reply.ma_loi, "the payment platform refuses");
            Event::NotSent
        }
        Err(Unsent::NotSent) => Event::NotSent,
        Err(Unsent::NoAnswer) => Event::NoAnswer,
    })
}

fn init(
    member: &Membership,
    of: &StoredBill,
    account: &CollectingAccount,
    attempt: &StoredPayment,
    now: Instant,
) -> Init {
    let fees: Vec<Fee> = of
        .bill
        .lines
        .as_slice()
        .iter()
        .filter(|line| line.amount.is_positive())
        .map(|line| Fee {
            loai_phi_le_phi: if line.kind == FeeKind::Phi { "1" } else { "2" }.to_owned(),
            ma_phi_le_phi: line.fee.to_string(),
            ten_phi_le_phi: line.name.vi.to_string(),
            so_tien: line.amount.decimal(),
        })
        .collect();
    let total = attempt.amount.decimal();
    Init {
        loai_ban_tin: Kind::Init.as_str().to_owned(),
        phien_ban: wire::VERSION.to_owned(),
        ma_doi_tac: member.code.clone(),
        ma_tham_chieu: attempt.id.uuid().simple().to_string(),
        so_tien: total.clone(),
        loai_hinh_thanh_toan: "PAY".to_owned(),
        ma_kenh_thanh_toan: "1".to_owned(),
        ma_thiet_bi: "1".to_owned(),
        ngon_ngu: "vi-VN".to_owned(),
        ma_tien_te: "VND".to_owned(),
        ma_ngan_hang: "PAYMENT".to_owned(),
        thong_tin_giao_dich: of.bill.reference.to_string(),
        thoi_gian_gd: wire::stamp(now),
        ip: "0.0.0.0".to_owned(),
        ma_xac_thuc: String::new(),
        thong_tin_bien_lai: Slip {
            ma_dich_vu: "2".to_owned(),
            ma_tthc: of.procedure.code.to_string(),
            ma_ho_so: of.bill.dossier.to_string(),
            tk_thu_huong: account.number.clone(),
            ma_nh_thu_huong: account.bank.clone(),
            ho_ten_nguoi_nop: String::new(),
            so_cmnd_nguoi_nop: String::new(),
            ds_khoan_nop: vec![Item { noi_dung: of.bill.reference.to_string(), so_tien: total }],
            phi_le_phi: fees,
        },
    }
}

/// Asks what became of an attempt there.
pub(super) async fn inquire(app: &App, attempt: &StoredPayment, now: Instant) -> Result<Option<Report>> {
    let Some(member) = membership(app).await? else { return Ok(None) };
    let reference = attempt.id.uuid().simple().to_string();
    let body = member.question(Kind::Query, &reference, now)?;
    Ok(match member.ask(app, body, &reference).await {
        Ok(reply) if reply.ma_loi == UNKNOWN => Some(Report::NotFound),
        Ok(reply) if reply.ma_loi == OK => match reply.trang_thai_gd.as_str() {
            "0" => Some(Report::Pending),
            "1" => Some(Report::Accepted),
            "2" => "CUST".parse().ok().map(Report::Rejected),
            _ => None,
        },
        Ok(_) | Err(_) => None,
    })
}

/// The platform's own document of a payment of the agency's bills, for whoever compares it with our receipt. There is none of money
/// that came another way.
pub async fn platform_document(app: &App, agency: Id<Agency>, payment: Id<Payment>) -> Result<Vec<u8>> {
    let mut tx = app.store.begin().await?;
    let attempt = payments::payment(&mut tx, payment).await?.ok_or(Error::not_found())?;
    demand_bill(&mut tx, agency, attempt.bill).await?;
    drop(tx);
    if attempt.way == Way::Platform { fetch_bill(app, payment).await } else { Err(Error::not_found()) }
}

/// The platform's document of a payment, a PDF, as it gives it now.
pub async fn fetch_bill(app: &App, payment: Id<Payment>) -> Result<Vec<u8>> {
    let unavailable = || Error::Unavailable(super::Refusal::new("try_again"));
    let member = membership(app).await?.ok_or(Error::not_found())?;
    let reference = payment.uuid().simple().to_string();
    let body = member.question(Kind::GetBill, &reference, app.clock.now())?;
    let reply = member.ask(app, body, &reference).await.map_err(|_| unavailable())?;
    if reply.ma_loi != OK {
        return Err(Error::not_found());
    }
    STANDARD.decode(reply.bien_lai).map_err(|_| unavailable())
}

/// Takes the platform's confirmation of a payment of ours; `None` when it speaks to somebody else.
pub(super) async fn take_confirm(app: &App, body: &[u8]) -> Result<Option<Reply>> {
    let Ok(confirm) = serde_json::from_slice::<Confirm>(body) else { return Ok(None) };
    let Some(member) = membership(app).await?.filter(|member| member.code == confirm.ma_doi_tac) else {
        return Ok(None);
    };
    let code = judge(app, &member, &confirm).await?;
    let reply = Reply {
        ma_loi: code.to_owned(),
        ma_doi_tac: member.code.clone(),
        ma_tham_chieu: confirm.ma_tham_chieu.clone(),
        thoi_gian_gd: wire::stamp(app.clock.now()),
        ..Reply::default()
    };
    Ok(Some(reply.signed(member.secret.expose())))
}

async fn judge(app: &App, member: &Membership, confirm: &Confirm) -> Result<&'static str> {
    if !wire::is_genuine(&confirm.covered(), member.secret.expose(), &confirm.ma_xac_thuc) {
        tracing::warn!("a confirmation of the payment platform without a genuine checksum");
        return Ok(NOT_GENUINE);
    }
    let id = uuid::Uuid::try_parse(&confirm.ma_tham_chieu).ok().map(Id::<Payment>::from_uuid);
    let Some(id) = id else { return Ok(UNKNOWN) };
    let mut tx = app.store.begin().await?;
    let Some(attempt) = payments::payment(&mut tx, id).await? else { return Ok(UNKNOWN) };
    drop(tx);
    if wire::amount(&confirm.so_tien) != Ok(attempt.amount) || confirm.ma_tien_te != "VND" {
        tracing::error!(payment = %id, "the payment platform confirms another amount than was asked for");
        return Ok(AMOUNT);
    }
    let report =
        if confirm.ma_loi == OK { Some(Report::Accepted) } else { "CUST".parse().ok().map(Report::Rejected) };
    if let Some(report) = report {
        match move_payment(app, id, &Event::Reported(report)).await? {
            Moved::Moved(_) | Moved::Asking(_) | Moved::Stayed(_) | Moved::Unknown => {}
        }
    }
    Ok(OK)
}
