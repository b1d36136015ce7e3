//! The national payment platform as a program: takes INIT, QUERY and GET_BILL of the service, lets a payer pay, moves
//! the money to the account that was named and confirms. Checksums are demanded and given like the real one's.

use super::Sandbox;
use super::central_bank::Transfer;
use super::fault::Kind as Fault;
use super::{member_bank, page};
use crate::base::text::Line;
use crate::codec::iso20022::EndToEndId;
use crate::codec::payment_platform::{
    self as wire, Confirm, Head, Init, Kind, NOT_GENUINE, OK, OTHER, Question, Reply, UNKNOWN,
};
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Our partner's code and secret here: this is a sandbox, and both are known to everybody.
pub const PARTNER: &str = "CHUNG";
/// See [`PARTNER`].
pub const SECRET: &str = "sandbox-platform-secret";

/// The payments that were begun: what was asked, and whether it was paid. They are forgotten when the program ends.
#[derive(Default)]
pub struct Orders(Mutex<BTreeMap<String, (Init, bool)>>);

pub(super) fn routes() -> Router<Arc<Sandbox>> {
    Router::new()
        .route("/platform", post(take))
        .route("/platform/pay/{reference}", get(show).post(pay))
        .route("/script/platform", get(list))
        .route("/script/platform/{reference}/pay", post(pay_by_script))
}

impl Sandbox {
    fn orders(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, (Init, bool)>> {
        self.orders.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    let Ok(head) = serde_json::from_slice::<Head>(&body) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let named = format!("platform.{}", head.loai_ban_tin.to_lowercase());
    let payment = head.ma_tham_chieu.parse().ok();
    if sandbox.faults().strike(Fault::DropRequest, &named, payment).is_some() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let reply = Reply {
        ma_doi_tac: head.ma_doi_tac.clone(),
        ma_tham_chieu: head.ma_tham_chieu.clone(),
        thoi_gian_gd: wire::stamp(sandbox.now()),
        ..Reply::default()
    };
    let reply = match (head.ma_doi_tac == PARTNER, Kind::named(&head.loai_ban_tin)) {
        (true, Some(Kind::Init)) => init(&sandbox, &body, reply),
        (true, Some(Kind::Query | Kind::GetBill)) => question(&sandbox, &body, reply),
        _ => Reply { ma_loi: OTHER.to_owned(), ..reply },
    };
    if sandbox.faults().strike(Fault::DropAnswer, &named, payment).is_some() {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    Json(reply.signed(SECRET)).into_response()
}

fn init(sandbox: &Sandbox, body: &[u8], reply: Reply) -> Reply {
    let Ok(init) = serde_json::from_slice::<Init>(body) else {
        return Reply { ma_loi: OTHER.to_owned(), ..reply };
    };
    if !wire::is_genuine(&init.covered(), SECRET, &init.ma_xac_thuc) || !init.adds_up() {
        return Reply { ma_loi: NOT_GENUINE.to_owned(), ..reply };
    }
    let url = format!("{}platform/pay/{}", sandbox.settings.origin, init.ma_tham_chieu);
    sandbox.orders().entry(init.ma_tham_chieu.clone()).or_insert((init, false));
    Reply { ma_loi: OK.to_owned(), url_thanh_toan: url, ..reply }
}

fn question(sandbox: &Sandbox, body: &[u8], reply: Reply) -> Reply {
    let Ok(question) = serde_json::from_slice::<Question>(body) else {
        return Reply { ma_loi: OTHER.to_owned(), ..reply };
    };
    if !wire::is_genuine(&question.covered(), SECRET, &question.ma_xac_thuc) {
        return Reply { ma_loi: NOT_GENUINE.to_owned(), ..reply };
    }
    sandbox.observed().inquiries.extend(question.ma_tham_chieu.parse::<EndToEndId>());
    let paid = sandbox.orders().get(&question.ma_tham_chieu).map(|(_, paid)| *paid);
    match (paid, Kind::named(&question.loai_ban_tin)) {
        (None, _) | (Some(false), Some(Kind::GetBill)) => Reply { ma_loi: UNKNOWN.to_owned(), ..reply },
        (Some(_), Some(Kind::GetBill)) => {
            Reply { ma_loi: OK.to_owned(), bien_lai: STANDARD.encode(b"%PDF-1.4 sandbox"), ..reply }
        }
        (Some(paid), _) => {
            let state = if paid { "1" } else { "0" };
            Reply { ma_loi: OK.to_owned(), trang_thai_gd: state.to_owned(), ..reply }
        }
    }
}

async fn show(State(sandbox): State<Arc<Sandbox>>, Path(reference): Path<String>) -> Response {
    let Some((init, paid)) = sandbox.orders().get(&reference).cloned() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let amount = init.so_tien;
    let act = if paid {
        "<p>Đã thanh toán.</p>".to_owned()
    } else {
        "<form method=\"post\"><button>Thanh toán</button></form>".to_owned()
    };
    let html = format!(
        "<!doctype html><html lang=\"vi\"><head><meta charset=\"utf-8\"><title>Nền tảng thanh toán (thử)</title>\
         <link rel=\"stylesheet\" href=\"/sandbox.css\"></head><body><main><h1>Nền tảng thanh toán (thử)</h1>\
         <p>{amount} đ</p>{act}</main></body></html>"
    );
    page(Ok(html))
}

async fn pay(State(sandbox): State<Arc<Sandbox>>, Path(reference): Path<String>) -> Response {
    if carry_out(&sandbox, &reference).await {
        Html("<!doctype html><html lang=\"vi\"><title>Đã thanh toán</title><p>Đã thanh toán.</p></html>")
            .into_response()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

async fn pay_by_script(State(sandbox): State<Arc<Sandbox>>, Path(reference): Path<String>) -> StatusCode {
    if carry_out(&sandbox, &reference).await { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

/// Moves the money, once, and confirms.
async fn carry_out(sandbox: &Sandbox, reference: &str) -> bool {
    let init = {
        let mut orders = sandbox.orders();
        let Some((init, paid)) = orders.get_mut(reference) else { return false };
        if *paid {
            return true;
        }
        *paid = true;
        init.clone()
    };
    let read = || -> Option<Transfer> {
        Some(Transfer {
            account: init.thong_tin_bien_lai.tk_thu_huong.parse().ok()?,
            amount: wire::amount(&init.so_tien).ok()?,
            remittance: Line::parse(&init.thong_tin_giao_dich).ok()?,
            payer: Line::parse("NGUOI NOP QUA NEN TANG").ok()?,
            bank: member_bank::BANKS[0].0.parse().ok()?,
            names: Line::parse(reference).ok(),
        })
    };
    if let Some(transfer) = read() {
        sandbox.transfer(transfer);
    }
    let mut confirm = Confirm {
        loai_ban_tin: Kind::Confirm.as_str().to_owned(),
        ma_loi: OK.to_owned(),
        ma_doi_tac: PARTNER.to_owned(),
        ma_tham_chieu: reference.to_owned(),
        so_tien: init.so_tien.clone(),
        ma_tien_te: "VND".to_owned(),
        ma_giao_dich: format!("NTTT{reference}"),
        ma_ngan_hang: member_bank::BANKS[0].0.to_owned(),
        thoi_gian_gd: wire::stamp(sandbox.now()),
        thong_tin_giao_dich: init.thong_tin_giao_dich.clone(),
        ma_xac_thuc: String::new(),
    };
    confirm.ma_xac_thuc = wire::checksum(&confirm.covered(), SECRET);
    // The service asks by QUERY when this gets lost.
    if sandbox.faults().strike(Fault::Lose, "platform.confirm", reference.parse().ok()).is_some() {
        return true;
    }
    if let Ok(url) = sandbox.settings.inbox.join("/payment-platform") {
        let sent = sandbox.http.post(url).json(&confirm).send().await;
        tracing::info!(delivered = sent.is_ok(), "a confirmation of the platform");
    }
    true
}

async fn list(State(sandbox): State<Arc<Sandbox>>) -> Json<Value> {
    let orders = sandbox.orders();
    let shown = orders.iter().map(
        |(reference, (init, paid))| json!({"reference": reference, "amount": init.so_tien, "paid": paid}),
    );
    Json(json!({"orders": shown.collect::<Vec<_>>()}))
}
