//! An agency that charges fees: its accounts, the demonstration schedule, a system with a token.

use crate::world::{Actor, TestApp};
use chung::base::id::{self, Agency, Client, Id};
use chung::crypto::{checked_tokens::ACCESS_TOKEN_TYPE, jwt, keyring::Purpose};
use chung::flow::{fee_file, import_fees::import_fees};
use chung::http::auth::api_audience;
use chung::store::agency::{self, AccountRow, AgencyRow};
use chung::store::bank::{Bank, put_banks};
use serde_json::{Value, json};
use uuid::Uuid;

/// The collecting account's number.
pub const ACCOUNT: &str = "1500201001234";
/// A bank that takes requests to pay.
pub const BANK: &str = "970436";

/// The agency's identifiers.
pub struct Office {
    /// The agency.
    pub agency: Id<Agency>,
    /// Its system.
    pub client: Id<Client>,
}

impl Office {
    /// Registers an agency with that code; the first one also brings schedule and banks.
    pub async fn open(world: &TestApp, code: &str) -> Self {
        Self::charging(world, code, fee_file::SAMPLE_ITEMS).await
    }

    /// The same under another schedule, which every agency of this world then brings.
    pub async fn charging(world: &TestApp, code: &str, items: &str) -> Self {
        let app = &world.app;
        let now = app.clock.now();
        import_fees(app, items, fee_file::SAMPLE_ADJUSTMENTS).await.unwrap();
        let agency: Id<Agency> = Id::new(now, &*app.entropy);
        let (_, key) = app.keys.new_data_key(&*app.entropy, agency.uuid().as_bytes());
        let (name_vi, name_en) = names(code);
        let mut tx = app.store.begin().await.unwrap();
        let row = AgencyRow {
            id: agency,
            code: code.to_owned(),
            name_vi,
            name_en,
            tax_code: None,
            address_vi: None,
            active: true,
            key,
        };
        agency::insert(&mut tx, &row, now).await.unwrap();
        for kind in ["phi", "le_phi"] {
            let account = AccountRow {
                kind: kind.to_owned(),
                account_no: if code == "H29.14" { ACCOUNT.to_owned() } else { format!("{}99", code.len()) },
                agent_bic: "970405".to_owned(),
                account_name: "KHO BAC NHA NUOC KHU VUC II".to_owned(),
            };
            agency::put_account(&mut tx, agency, &account).await.unwrap();
        }
        put_banks(&mut tx, &[Bank { code: BANK.to_owned(), name: "Ngân hàng Mẫu A".to_owned() }])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let client: Id<Client> = Id::new(now, &*app.entropy);
        world.insert_client(client.uuid(), agency.uuid()).await;
        Self { agency, client }
    }

    /// The agency's system with a token of these scopes.
    pub fn system(&self, world: &TestApp, scope: &str) -> Actor {
        let app = &world.app;
        let claims = json!({
            "iss": app.origin.as_str(),
            "aud": api_audience(app),
            "exp": jwt::numeric_date(app.clock.now()) + 86_400,
            "client_id": self.client.to_string(),
            "scope": scope,
        });
        let token = jwt::sign(app.keys.signing(Purpose::Token), ACCESS_TOKEN_TYPE, &claims);
        world.stranger().with_bearer(token)
    }

    /// Issues a bill of 205,000 đ under that key; the answer's JSON.
    pub async fn bill(&self, world: &TestApp, key: &str) -> Value {
        let system = self.system(world, "bill");
        system.post_once("/v1/bills", key, &new_bill()).await.expect(201).json()
    }
}

/// What an agency of that code is called, so that no two are called the same.
fn names(code: &str) -> (String, String) {
    match code {
        "H29.14" => ("Sở Tư pháp".to_owned(), "Department of Justice".to_owned()),
        "H29.15" => ("Sở Xây dựng".to_owned(), "Department of Construction".to_owned()),
        other => (format!("Văn phòng {other}"), format!("Office {other}")),
    }
}

/// A bill for a criminal record with one extra copy.
pub fn new_bill() -> Value {
    json!({
        "dossier": "H29.14-261124-0001",
        "procedure": "2.000488",
        "lines": [{ "fee": "LLTP-01" }, { "fee": "LLTP-02", "count": 1 }],
        "channel": "online",
        "due": "2026-12-01",
        "applicant": { "name": "Nguyễn Thị Hòa" },
    })
}

/// The uuid inside a printed identifier.
pub fn uuid(printed: &str) -> Uuid {
    let id: Id<id::Payment> = printed.parse().unwrap();
    id.uuid()
}
