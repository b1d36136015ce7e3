//! `/board/cash`: the accountant follows cash and cards to the statement. What lies in each till and since when, which
//! credit a bank's slip turned out to be, and for which card slips a card company paid. A shift that its cashier does not
//! close is closed here.

use super::board::{failed, why};
use super::desk::dong;
use super::page::{Page, Reader, show};
use crate::app::App;
use crate::base::{
    calendar::display_vi,
    id::{Agency, Case, Drawer, Id, Payment},
    money::{Currency, Money},
    text::Line,
};
use crate::flow::{
    Error,
    cash::{CashPage, Proposal, confirm_slip, read_cash, settle_cards},
    desk::close_in_place,
    transfer_collected::transfer_collected,
};
use crate::http::sent::SentForm;
use crate::http::session::SignedIn;
use crate::payment::desk_match::What;
use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new().route("/board/cash", get(open).post(act))
}

async fn open(State(app): State<App>, signed_in: SignedIn, reader: Reader) -> Response {
    show_cash(&app, &signed_in, &reader, None).await
}

async fn show_cash(app: &App, signed_in: &SignedIn, reader: &Reader, wrong: Option<Error>) -> Response {
    let cash = match read_cash(app, signed_in.session.citizen).await {
        Ok(cash) => cash,
        Err(error) => return failed(reader, &error),
    };
    let page =
        Page::new(reader, "cash-title").signed_in(cash.reader.clone(), Some(signed_in.form_token())).wide();
    if let Some(error @ Error::Internal(_)) = &wrong {
        return failed(reader, error);
    }
    let (page, status) = page.refused_if("cash", why(reader.lang, wrong.as_ref()));
    let view = view(&page, &cash, signed_in.form_token());
    show(status, &page, &view)
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Sent {
    act: String,
    slip: String,
    case: String,
    payment: Vec<String>,
    till: String,
    to: String,
    amount: String,
    counted: String,
}

async fn act(
    State(app): State<App>,
    reader: Reader,
    SentForm { signed_in, form: sent }: SentForm<Sent>,
) -> Response {
    let act = async {
        let officer = signed_in.session.citizen;
        if sent.act == "close" {
            let till: Id<Drawer> = sent.till.parse().map_err(|_| Error::not_found())?;
            return close_in_place(&app, officer, till, dong(&sent.counted)?).await.map(|_| ());
        }
        if sent.act == "transfer" {
            let till: Id<Drawer> = sent.till.parse().map_err(|_| Error::not_found())?;
            let to: Id<Agency> = sent.to.parse().map_err(|_| Error::not_found())?;
            let amount =
                Money::parse(&sent.amount, Currency::Vnd).map_err(|_| Error::refused("tender_differs"))?;
            return transfer_collected(&app, officer, (till, to), amount).await.map(|_| ());
        }
        let case: Id<Case> = sent.case.parse().map_err(|_| Error::not_found())?;
        match sent.act.as_str() {
            "slip" => {
                let slip = Line::parse(&sent.slip).map_err(|_| Error::not_found())?;
                confirm_slip(&app, officer, &slip, case).await
            }
            "cards" => {
                let payments: Result<Vec<Id<Payment>>, _> = sent.payment.iter().map(|p| p.parse()).collect();
                let payments = payments.map_err(|_| Error::not_found())?;
                settle_cards(&app, officer, case, &payments).await.map(|_| ())
            }
            _ => Err(Error::refused("invalid_body")),
        }
    };
    match act.await {
        Ok(()) => Redirect::to("/board/cash").into_response(),
        Err(error) => show_cash(&app, &signed_in, &reader, Some(error)).await,
    }
}

struct Till {
    name: String,
    open: bool,
    expected: String,
    since: String,
    late: bool,
    id: String,
    /// What it owes: to whom, how much in words for a reader, the bare number, and the act of transferring it.
    owes: Vec<[String; 4]>,
}

struct Slip {
    number: String,
    amount: String,
    shifts: i64,
    tills: String,
    at: String,
    arrived: bool,
    /// The credits of exactly that amount.
    credits: Vec<(String, String)>,
}

/// A proposal, as it is confirmed by one button.
struct Proposed {
    case: String,
    credit: String,
    slip: Option<String>,
    payments: Vec<String>,
    says: String,
}

fn proposed(page: &Page, cash: &CashPage, proposal: &Proposal) -> Proposed {
    let credit = cash.credits.iter().find(|money| money.case == proposal.case);
    let (slip, payments, says) = match &proposal.what {
        What::Slip(slip) => {
            let args = [("slip", slip.clone().into())];
            (Some(slip.clone()), Vec::new(), page.with("cash-proposal-slip", &args))
        }
        What::Cards(payments, kept) => {
            let count = payments.len().to_string();
            let args = [("count", count.into()), ("discount", kept.display_vi().into())];
            let payments = payments.iter().map(ToString::to_string).collect();
            (None, payments, page.with("cash-proposal-cards", &args))
        }
    };
    let credit =
        credit.map(|money| format!("{} · {}", money.amount.display_vi(), display_vi(money.opened_at)));
    Proposed { case: proposal.case.to_string(), credit: credit.unwrap_or_default(), slip, payments, says }
}

fn view<'a>(page: &'a Page, cash: &CashPage, form_token: String) -> CashView<'a> {
    let credit = |money: &crate::flow::cash::Credit| {
        (
            money.case.to_string(),
            format!(
                "{} · {} · {}",
                money.amount.display_vi(),
                display_vi(money.opened_at),
                money.servicer_reference
            ),
        )
    };
    CashView {
        tills: cash
            .tills
            .iter()
            .map(|shown| Till {
                name: shown.till.name.clone(),
                open: shown.till.open,
                expected: shown.till.expected.display_vi(),
                since: shown.since.map(display_vi).unwrap_or_default(),
                late: shown.late,
                id: shown.till.id.to_string(),
                owes: shown
                    .owes
                    .iter()
                    .map(|(to, name, sum)| {
                        let (shown, agency) = (sum.display_vi(), name.as_str());
                        let act = [("amount", shown.as_str().into()), ("agency", agency.into())];
                        [
                            to.to_string(),
                            format!("{name}: {shown}"),
                            sum.decimal(),
                            page.with("cash-transfer", &act),
                        ]
                    })
                    .collect(),
            })
            .collect(),
        slips: cash
            .slips
            .iter()
            .map(|slip| Slip {
                number: slip.slip.clone(),
                amount: slip.amount.display_vi(),
                shifts: slip.shifts,
                tills: slip.tills.clone(),
                at: display_vi(slip.at),
                arrived: slip.case.is_some(),
                credits: cash
                    .credits
                    .iter()
                    .filter(|money| money.amount == slip.amount && money.agency == slip.agency)
                    .map(credit)
                    .collect(),
            })
            .collect(),
        cards: cash
            .cards
            .iter()
            .map(|slip| {
                (slip.payment.to_string(), slip.slip.clone(), display_vi(slip.at), slip.amount.display_vi())
            })
            .collect(),
        settlements: cash
            .settlements
            .iter()
            .map(|s| (display_vi(s.at), s.slips, s.amount.display_vi(), s.discount.display_vi()))
            .collect(),
        credits: cash.credits.iter().map(credit).collect(),
        proposals: cash.proposals.iter().map(|one| proposed(page, cash, one)).collect(),
        acts: cash.acts,
        form_token,
        page,
    }
}

#[derive(Template)]
#[template(path = "pages/board_cash.html")]
struct CashView<'a> {
    page: &'a Page,
    tills: Vec<Till>,
    slips: Vec<Slip>,
    cards: Vec<(String, String, String, String)>,
    settlements: Vec<(String, i64, String, String)>,
    credits: Vec<(String, String)>,
    proposals: Vec<Proposed>,
    acts: bool,
    form_token: String,
}
