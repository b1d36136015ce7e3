//! The national payment platform as the sandbox plays it, over real sockets: INIT, QUERY and GET_BILL go out, CONFIRM comes
//! in, and whatever gets lost on the way is asked about.

use crate::outside::Outside;
use chung::flow::{inquire_payment::inquire_due, national};
use chung::sandbox::platform::{PARTNER, SECRET};
use serde_json::{Value, json};
use std::time::Duration;

impl Outside {
    /// An outside world that this service is a partner of, under that secret.
    async fn joined(secret: &str) -> Self {
        let outside = Self::start().await;
        let url = outside.origin.join("platform").unwrap();
        national::join(&outside.world.app, url.as_str(), PARTNER, secret).await.unwrap();
        outside
    }

    /// A payer chooses the platform: the page of the new bill, and the payment.
    async fn choose(&self, key: &str) -> (String, String) {
        let bill = self.office.bill(&self.world, key).await;
        let path = format!("/pay/{}", bill["reference"].as_str().unwrap());
        let payer = self.world.stranger();
        payer.post_form(&path, &[("bank", "platform")]).await.expect(303);
        self.world.later(Duration::from_secs(1));
        let of = format!("/v1/payments?bill={}", bill["id"].as_str().unwrap());
        let payments = self.office.system(&self.world, "payment.read").get(&of).await.expect(200).json();
        (path, payments["items"][0]["id"].as_str().unwrap().to_owned())
    }

    /// Asks about what is silent, later.
    async fn ask_later(&self) {
        self.world.later(Duration::from_secs(30 * 60));
        inquire_due(&self.world.app).await.unwrap();
    }

    async fn shown(&self, path: &str) -> String {
        self.world.stranger().get(path).await.expect(200).text()
    }

    async fn pays(&self, payment: &str) -> u16 {
        let path = format!("script/platform/{}/pay", bare(payment));
        self.script(&path, &json!({})).await.0
    }
}

/// The platform's name for a payment.
fn bare(payment: &str) -> &str {
    payment.strip_prefix("pay_").unwrap()
}

#[tokio::test]
async fn a_bill_is_paid_at_the_platform_and_its_document_is_fetched() {
    let outside = Outside::joined(SECRET).await;
    let (path, payment) = outside.choose("k").await;
    assert_eq!(outside.status(&payment).await, "submitted");
    assert_eq!(
        outside.list("script/platform").await["orders"],
        json!([{ "reference": bare(&payment), "amount": "205000", "paid": false }])
    );
    let link = outside.origin.join(&format!("platform/pay/{}", bare(&payment))).unwrap();
    assert!(outside.shown(&path).await.contains(link.as_str()), "the payer goes on at the platform");
    let page = outside.page(link.as_str()).await;
    assert!(page.contains("205000 đ") && page.contains("Thanh toán</button>"), "{page}");
    assert!(
        national::fetch_bill(&outside.world.app, payment.parse().unwrap()).await.is_err(),
        "not paid yet"
    );

    // Asked about before the payer has decided, it is pending.
    outside.ask_later().await;
    assert_eq!(outside.status(&payment).await, "submitted");
    let sent = reqwest::Client::new().post(link.clone()).send().await.unwrap();
    assert!(sent.text().await.unwrap().contains("Đã thanh toán"));
    assert_eq!(outside.status(&payment).await, "accepted", "confirmed, and not yet money");
    assert_eq!(outside.pays(&payment).await, 204, "told again");
    outside.deliver().await;
    assert_eq!(outside.status(&payment).await, "settled");
    assert_eq!(outside.world.held().await, [], "it was paid once");
    assert!(outside.page(link.as_str()).await.contains("Đã thanh toán"));
    let document = national::fetch_bill(&outside.world.app, payment.parse().unwrap()).await.unwrap();
    assert!(document.starts_with(b"%PDF"));
    assert_eq!(outside.pays("pay_nobody").await, 404);
}

#[tokio::test]
async fn what_gets_lost_between_us_and_the_platform_is_asked_about() {
    let outside = Outside::joined(SECRET).await;
    // The confirmation, and the credit notification with it.
    let (_, payment) = outside.choose("confirm").await;
    outside.fault(json!({ "fault": "lose", "on": "platform.confirm" })).await;
    assert_eq!(outside.pays(&payment).await, 204);
    assert_eq!(outside.status(&payment).await, "submitted");
    outside.ask_later().await;
    assert_eq!(outside.status(&payment).await, "accepted");
    outside.deliver().await;
    assert_eq!(outside.status(&payment).await, "settled");

    // The answer to INIT: the payment may have begun there.
    outside.fault(json!({ "fault": "drop_answer", "on": "platform.init" })).await;
    let (path, payment) = outside.choose("answer").await;
    assert_eq!(outside.status(&payment).await, "unknown");
    let shown = outside.shown(&path).await;
    assert!(shown.contains("Xin đừng nộp lại"), "{shown}");
    outside.fault(json!({ "fault": "drop_answer", "on": "platform.query" })).await;
    outside.ask_later().await;
    assert_eq!(outside.status(&payment).await, "unknown", "the answer to QUERY was lost, too");
    outside.ask_later().await;
    assert_eq!(outside.status(&payment).await, "submitted", "it is there, and waits for the payer");
    assert_eq!(outside.pays(&payment).await, 204);
    outside.deliver().await;
    assert_eq!(outside.status(&payment).await, "settled");

    // INIT itself: the platform knows nothing of it, and the payer may try again.
    outside.fault(json!({ "fault": "drop_request", "on": "platform.init" })).await;
    let (path, payment) = outside.choose("request").await;
    assert_eq!(outside.status(&payment).await, "unknown");
    outside.ask_later().await;
    let read = outside.read(&payment).await;
    assert_eq!((&read["status"], &read["reason"]), (&json!("rejected"), &json!("never_received")));
    outside.world.stranger().post_form(&path, &[("bank", "platform")]).await.expect(303);

    let list = outside.list("script/conformance").await;
    for name in ["lost_message", "lost_answer", "lost_request"] {
        let line = list["behaviours"].as_array().unwrap().iter().find(|line| line["behaviour"] == name);
        assert_eq!(line.unwrap()["verdict"], "handled", "{list}");
    }
}

#[tokio::test]
async fn neither_believes_the_other_without_the_checksum() {
    let outside = Outside::joined("another secret").await;
    let (_, payment) = outside.choose("k").await;
    assert_eq!(outside.status(&payment).await, "unknown", "an answer that is not genuine is silence");
    assert_eq!(outside.list("script/platform").await["orders"], json!([]), "nothing was begun");
    outside.ask_later().await;
    assert_eq!(outside.status(&payment).await, "unknown");

    let message = |kind: &str, partner: &str| {
        json!({
            "LoaiBanTin": kind, "PhienBan": "1.0.6", "MaDoiTac": partner, "MaThamChieu": bare(&payment),
            "ThoiGianGD": "20261124090000", "MaXacThuc": "0",
        })
    };
    let code = async |body: Value| outside.script("platform", &body).await.1["MaLoi"].clone();
    assert_eq!(code(message("QUERY", PARTNER)).await, "01");
    assert_eq!(code(message("GET_BILL", PARTNER)).await, "01");
    assert_eq!(code(message("CONFIRM", PARTNER)).await, "99", "it sends those itself");
    assert_eq!(code(message("QUERY", "NOBODY")).await, "99");
    assert_eq!(outside.script("platform", &json!({ "x": 1 })).await.0, 400);
}

#[tokio::test]
async fn a_platform_that_is_not_there_takes_nothing() {
    let outside = Outside::joined(SECRET).await;
    let nowhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    national::join(&outside.world.app, &format!("http://{nowhere}/"), PARTNER, SECRET).await.unwrap();
    let (path, payment) = outside.choose("k").await;
    let read = outside.read(&payment).await;
    assert_eq!((&read["status"], &read["reason"]), (&json!("rejected"), &json!("not_sent")));
    outside.world.stranger().post_form(&path, &[("bank", "970436")]).await.expect(303);
    assert_eq!(outside.list("script/requests").await["requests"].as_array().unwrap().len(), 1);
}
