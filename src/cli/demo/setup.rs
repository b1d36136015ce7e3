//! What a demonstration needs before its first dossier: people, agencies, portals, officers, a fee schedule. Doing it
//! again finds what is there.

use super::cast::{cast, people};
use super::installed::{Agency, Installed, Portal, System};
use crate::app::App;
use crate::base::text::Line;
use crate::crypto::signing::{Signer, SigningKey};
use crate::flow::{
    Error,
    agency_accounts::{NewBeneficiary, set_accounts},
    fee_file,
    import_banks::import_banks,
    import_calendar::{SAMPLE, import_calendar},
    import_fees::import_fees,
    national::join,
    register_client::{NewAgency, NewClient, register_agency, register_client},
    roles::{Granting, grant_role},
};
use crate::identity::{
    assurance::Assurance,
    claims::{Claim, ClaimsPolicy, Ground, Rule},
    client::{RedirectUri, Wording},
    profile::Terms,
};
use crate::payment::fee::FeeKind;
use crate::sandbox::{
    member_bank::BANKS,
    platform::{PARTNER, SECRET},
};
use crate::store::agency;
use anyhow::Context;
use base64::{Engine, prelude::BASE64_STANDARD};
use std::path::Path;

/// An agency of the demonstration.
pub(super) struct Office {
    /// Its code.
    pub(super) code: &'static str,
    name: (&'static str, &'static str),
    /// Its account at the Treasury, where the money for its bills arrives.
    account: &'static str,
}

/// The agencies: the one of the tour's dossier, and another.
pub(super) const AGENCIES: [Office; 2] = [
    Office {
        code: "H29.14",
        name: ("Sở Tư pháp Thành phố Hồ Chí Minh", "Ho Chi Minh City Department of Justice"),
        account: "1500201001234",
    },
    Office {
        code: "H29.26",
        name: (
            "Văn phòng Đăng ký đất đai Thành phố Hồ Chí Minh",
            "Ho Chi Minh City Land Registration Office",
        ),
        account: "1500201005678",
    },
];
/// The Treasury's bank.
const ACCOUNT_BANK: &str = "970405";
/// What the portal files dossiers for: a certificate with an extra copy, cheaper for students.
pub const PROCEDURE: &str = "2.000488";
/// Its fees.
pub const FEES: [&str; 2] = ["LLTP-01", "LLTP-02"];

/// Installs what `before` does not show to be there.
pub async fn install(
    app: &App,
    sandbox: &str,
    citizens: u64,
    data: &Path,
    before: Option<Installed>,
) -> anyhow::Result<Installed> {
    let schedule = import_fees(app, fee_file::SAMPLE_ITEMS, fee_file::SAMPLE_ADJUSTMENTS).await;
    schedule.map_err(failed("the fee schedule"))?;
    let banks = BANKS.map(|(code, name)| (code.to_owned(), name.to_owned()));
    import_banks(app, &banks).await.map_err(failed("the banks"))?;
    import_calendar(app, SAMPLE).await.map_err(failed("the calendar"))?;
    let platform = format!("{}/platform", sandbox.trim_end_matches('/'));
    join(app, &platform, PARTNER, SECRET).await.map_err(failed("the payment platform"))?;
    if before.as_ref().is_none_or(|before| before.citizens != citizens) {
        people(app, citizens, data).await?;
    }
    let (people, staff) = cast(citizens)?;
    let service = app.origin.as_str().to_owned();
    if let Some(before) = before {
        // What was registered keeps its credentials; addresses may have changed with the flags.
        if (before.service.as_str(), before.sandbox.as_str()) == (service.as_str(), sandbox) {
            let installed = Installed { citizens, people, staff, ..before };
            grant(app, &installed).await?;
            return Ok(installed);
        }
    }
    let [agency, other] = [agency(app, &AGENCIES[0]).await?, agency(app, &AGENCIES[1]).await?];
    let scopes = "verification bill payment receipt fee.read statement case event";
    let system = |registered: Registered, scopes: &str| -> anyhow::Result<System> {
        let client_secret = registered.secret.context("a system without its secret")?;
        Ok(System { client_id: registered.id, client_secret, scopes: scopes.to_owned() })
    };
    let shop = async |agency| {
        registered(app, agency, "Hệ thống một cửa", "One-stop shop system", scopes, None).await
    };
    let described = |office: &Office, registered| -> anyhow::Result<Agency> {
        let (code, account) = (office.code.to_owned(), office.account.to_owned());
        Ok(Agency { code, account, system: system(registered, scopes)? })
    };
    let agencies =
        [described(&AGENCIES[0], shop(agency).await?)?, described(&AGENCIES[1], shop(other).await?)?];
    let administration = registered(app, agency, "Quản trị", "Administration", "admin", None).await?;
    let installed = Installed {
        agencies,
        administration: system(administration, "admin")?,
        portals: portals(app, agency, sandbox).await?,
        service,
        sandbox: sandbox.to_owned(),
        citizens,
        people,
        tours: 0,
        staff,
    };
    grant(app, &installed).await?;
    Ok(installed)
}

async fn grant(app: &App, installed: &Installed) -> anyhow::Result<()> {
    for officer in &installed.staff {
        let granting = Granting {
            number: officer.person.number.parse().context("an officer's number")?,
            role: officer.role.parse()?,
            agency_code: officer.agency.clone(),
            from: None,
            to: None,
            by: None,
        };
        match grant_role(app, &granting).await {
            Err(Error::Conflict(refusal)) if refusal.code == "role_held_already" => {}
            done => drop(done.map_err(failed("a role"))?),
        }
    }
    Ok(())
}

pub(super) type AgencyId = crate::base::id::Id<crate::base::id::Agency>;

/// An agency, registered now or before, with its account.
async fn agency(app: &App, office: &Office) -> anyhow::Result<AgencyId> {
    let known = agency::find_by_code(&mut app.store.begin().await?, office.code).await?;
    let id = match known {
        Some(known) => known.id,
        None => {
            let name = wording(office.name.0, office.name.1)?;
            let new = NewAgency { code: office.code.to_owned(), name, tax_code: None, address_vi: None };
            register_agency(app, &new).await.map_err(failed("the agency"))?
        }
    };
    let account = |kind| -> anyhow::Result<NewBeneficiary> {
        let (bank, number) = (ACCOUNT_BANK.parse()?, office.account.parse()?);
        Ok(NewBeneficiary { kind, bank, number, holder: Line::parse("KHO BAC NHA NUOC KHU VUC II")? })
    };
    let accounts = [account(FeeKind::Phi)?, account(FeeKind::LePhi)?];
    set_accounts(app, office.code, &accounts).await.map_err(failed("the agency's accounts"))?;
    Ok(id)
}

/// The sandbox's portal with a secret, and a second one with a key.
async fn portals(app: &App, agency: AgencyId, sandbox: &str) -> anyhow::Result<Vec<Portal>> {
    let simple =
        Redirects { to: format!("{sandbox}/portal/callback"), bye: format!("{sandbox}/portal"), jwks: None };
    let first = registered(
        app,
        agency,
        "Cổng dịch vụ công (bản thử)",
        "Demo public-service portal",
        "",
        Some(&simple),
    )
    .await?;
    let mut all = vec![Portal {
        client_id: first.id,
        auth_method: "client_secret_basic".to_owned(),
        client_secret: first.secret,
        private_key: None,
        redirect_uri: simple.to,
    }];
    // A portal for programs that bring their own callback, and the sandbox's own of the profile fapi2.
    for (to, bye, name_vi, name_en) in [
        (
            "http://127.0.0.1:8091/callback".to_owned(),
            "http://127.0.0.1:8091/".to_owned(),
            "Cổng của chương trình (bản thử)",
            "A program's demo portal",
        ),
        (
            format!("{sandbox}/strict/callback"),
            format!("{sandbox}/strict"),
            "Cổng đất đai (bản thử)",
            "Demo land portal",
        ),
    ] {
        let key = SigningKey::generate();
        let jwks = serde_json::json!({ "keys": [key.verifying_key().jwk(key.kid())] }).to_string();
        let keyed = Redirects { to, bye, jwks: Some(jwks) };
        let registered = registered(app, agency, name_vi, name_en, "", Some(&keyed)).await?;
        all.push(Portal {
            client_id: registered.id,
            auth_method: "private_key_jwt".to_owned(),
            client_secret: None,
            private_key: Some(BASE64_STANDARD.encode(key.pkcs8())),
            redirect_uri: keyed.to,
        });
    }
    Ok(all)
}

/// Registers a system of the API at an agency, with a secret of its own.
pub(super) async fn register_system(
    app: &App,
    agency: AgencyId,
    name_vi: &str,
    name_en: &str,
    scopes: &str,
) -> anyhow::Result<System> {
    let new = registered(app, agency, name_vi, name_en, scopes, None).await?;
    let client_secret = new.secret.context("a system without its secret")?;
    Ok(System { client_id: new.id, client_secret, scopes: scopes.to_owned() })
}

struct Registered {
    id: String,
    secret: Option<String>,
}

struct Redirects {
    to: String,
    bye: String,
    jwks: Option<String>,
}

/// Registers a client: a system of the API, or a portal where it has redirects.
async fn registered(
    app: &App,
    agency: AgencyId,
    name_vi: &str,
    name_en: &str,
    scopes: &str,
    portal: Option<&Redirects>,
) -> anyhow::Result<Registered> {
    let law = Line::parse("Nghị định 118/2025/NĐ-CP").context("a citation")?;
    let rules = [
        Rule { claim: Claim::Name, ground: Ground::Law(law.clone()) },
        Rule { claim: Claim::PersonalNumber, ground: Ground::Law(law) },
        Rule { claim: Claim::PhoneNumber, ground: Ground::Consent },
    ];
    let uris = |uri: Option<&str>| -> anyhow::Result<Vec<RedirectUri>> {
        Ok(uri.map(str::parse).transpose()?.into_iter().collect())
    };
    let new = NewClient {
        agency,
        name: wording(name_vi, name_en)?,
        purpose: wording("nộp hồ sơ và nhận kết quả", "file dossiers and receive results")?,
        jwks: portal.and_then(|portal| portal.jwks.clone()),
        redirect_uris: uris(portal.map(|portal| portal.to.as_str()))?,
        post_logout_redirect_uris: uris(portal.map(|portal| portal.bye.as_str()))?,
        acr_min: Assurance::Low,
        sector: "hcmc".parse()?,
        policy: ClaimsPolicy::new(if portal.is_some() { rules.into() } else { Vec::new() })?,
        scopes: crate::identity::token::ApiScopes::parse(scopes)?,
        // The sandbox's portal and the systems keep the plain rules; a portal with keys keeps the strict ones.
        terms: match portal.and_then(|portal| portal.jwks.as_ref()) {
            Some(_) => Terms::default(),
            None => Terms::basic(),
        },
        until: None,
    };
    let registered = register_client(app, &new).await.map_err(failed("a client"))?;
    let secret = registered.secret.map(|secret| secret.expose().to_owned());
    Ok(Registered { id: registered.client.to_string(), secret })
}

fn wording(vi: &str, en: &str) -> anyhow::Result<Wording> {
    Ok(Wording { vi: Line::parse(vi)?, en: Line::parse(en)? })
}

/// A flow's refusal as an error of the command line.
pub(super) fn failed(what: &'static str) -> impl Fn(Error) -> anyhow::Error {
    move |error| anyhow::anyhow!("{what}: {} ({error:?})", error.code())
}
