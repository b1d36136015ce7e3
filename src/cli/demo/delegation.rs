//! The story of a family: a mother registers a newborn and collects a copy for her six-year-old, a son pays for his
//! father, a clerk of a public post office files for him, and the father finds every step in his own history, verifies
//! a proof from its file, locks look-ups, and the next one is refused. At the end the post office lifts the lock against
//! his card, so that the story can be told again. Everything goes over the public HTTP interfaces.

use super::browser::Browser;
use super::installed::{Installed, System};
use super::setup::{failed, register_system};
use crate::app::App;
use crate::base::{calendar::Day, text::Line};
use crate::cli::{
    import::{population as import_people, rejects_of},
    out, verify,
};
use crate::crypto::signing::KeyList;
use crate::flow::{
    Error,
    delegation_rules::{SAMPLE, import_rules},
    register_client::{NewAgency, register_agency},
    roles::{Granting, grant_role},
};
use crate::identity::{client::Wording, role::Role};
use crate::sandbox::{
    card::{Holder, issue},
    member_bank::BANKS,
};
use crate::store::agency;
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);
const BEAT: Duration = Duration::from_millis(100);
/// The post office.
const POST: &str = "H29.199";
/// A copy from the civil register.
const COPY: &str = "2.000635";
/// The registration of a birth.
const BIRTH: &str = "1.001193";

/// Somebody of the family.
struct Person {
    number: &'static str,
    name: &'static str,
    phone: &'static str,
}

const MOTHER: Person = Person { number: "096192000101", name: "Trương Thị Mẹ", phone: "0987650101" };
const CHILD: Person = Person { number: "096320000102", name: "Lâm Gia Bé", phone: "" };
const FATHER: Person = Person { number: "096058000103", name: "Trương Văn Ông", phone: "0987650103" };
const SON: Person = Person { number: "096090000104", name: "Trương Văn Út", phone: "0987650104" };
const CLERK: Person = Person { number: "096194000105", name: "Quách Thị Bưu", phone: "0987650105" };

/// The family as the register's file has it.
const FAMILY: &str = "\
number,name,birth_date,sex,phone,province,status,account_level,parents
096192000101,Trương Thị Mẹ,1992-03-08,female,0987650101,96,active,2,096058000103
096320000102,Lâm Gia Bé,2020-06-01,female,,96,active,,096192000101
096058000103,Trương Văn Ông,1958-09-02,male,0987650103,96,active,1,
096090000104,Trương Văn Út,1990-12-24,male,0987650104,96,active,2,096058000103
096194000105,Quách Thị Bưu,1994-01-15,female,0987650105,96,active,2,
";

/// Puts the family on the register and the clerk behind the counter; the post office's system.
pub async fn install(app: &App, data: &Path) -> anyhow::Result<System> {
    let file = data.join("family.csv");
    std::fs::write(&file, FAMILY)?;
    let done = import_people(app, &file, &rejects_of(&file), None).await?;
    ensure!(done.counts.rejected == 0, "the family's file was refused");
    import_rules(app, SAMPLE).await.map_err(failed("what procedures say about delegates"))?;
    let known = agency::find_by_code(&mut app.store.begin().await?, POST).await?;
    let post = match known {
        Some(known) => known.id,
        None => {
            let name = Wording {
                vi: Line::parse("Bưu điện Đầm Dơi")?,
                en: Line::parse("Dam Doi post office")?,
            };
            let new = NewAgency { code: POST.to_owned(), name, tax_code: None, address_vi: None };
            register_agency(app, &new).await.map_err(failed("the post office"))?
        }
    };
    let granting = Granting {
        number: CLERK.number.parse().context("the clerk's number")?,
        role: Role::Officer,
        agency_code: POST.to_owned(),
        from: None,
        to: None,
        by: None,
    };
    match grant_role(app, &granting).await {
        Err(Error::Conflict(refusal)) if refusal.code == "role_held_already" => {}
        done => drop(done.map_err(failed("the clerk's role"))?),
    }
    register_system(app, post, "Hệ thống bưu điện", "Post office system", "mandate verification").await
}

/// Walks the whole story; any step that does not hold is an error that names it.
pub async fn walk(installed: &Installed, post: &System, folder: &Path, today: Day) -> anyhow::Result<()> {
    let mut story = Story {
        installed,
        post,
        http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(15)).build()?,
        folder: folder.to_owned(),
        step: 0,
        today,
    };
    story.newborn().await.context("the newborn")?;
    story.copy_for_child().await.context("the copy for the child")?;
    story.son_pays().await.context("the son's payment")?;
    let clerk = story.clerk_files().await.context("the clerk's filing")?;
    story.father_looks().await.context("the father's page")?;
    story.clerk_lifts(clerk).await.context("the lock's end")
}

struct Story<'a> {
    installed: &'a Installed,
    post: &'a System,
    http: reqwest::Client,
    folder: PathBuf,
    step: u32,
    today: Day,
}

impl Story<'_> {
    fn say(&mut self, text: &str) {
        self.step += 1;
        out::line(&format!("{:>2}. {text}", self.step));
    }

    fn sandbox(&self, path: &str) -> String {
        format!("{}{path}", self.installed.sandbox)
    }

    fn service(&self, path: &str) -> String {
        format!("{}{path}", self.installed.service)
    }

    /// A key or a dossier that no earlier story used.
    fn fresh(&self, what: &str) -> String {
        format!("story-{}-{}-{what}", self.installed.tours, self.step)
    }

    fn dossier(&self, number: u32) -> String {
        format!("{}-261125-{:04}", self.installed.agency().code, self.installed.tours * 10 + number as usize)
    }

    async fn token(&self, system: &System) -> anyhow::Result<String> {
        let form = [("grant_type", "client_credentials")];
        let request = self.http.post(self.service("/oidc/token")).form(&form);
        let answer = request.basic_auth(&system.client_id, Some(&system.client_secret)).send().await?;
        let token: Value = answer.json().await?;
        token["access_token"].as_str().map(str::to_owned).with_context(|| format!("no token: {token}"))
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let token = self.token(&self.installed.agency().system).await?;
        let answer = self.http.get(self.service(path)).bearer_auth(token).send().await?;
        let (status, body) = (answer.status(), answer.json::<Value>().await?);
        ensure!(status.is_success(), "GET {path} answers {status}: {body}");
        Ok(body)
    }

    async fn post(&self, system: &System, path: &str, body: &Value) -> anyhow::Result<Value> {
        let key = self.fresh(path);
        let request = self.http.post(self.service(path)).bearer_auth(self.token(system).await?);
        let answer = request.header("idempotency-key", key).json(body).send().await?;
        let (status, body) = (answer.status(), answer.json::<Value>().await?);
        ensure!(status.is_success(), "POST {path} answers {status}: {body}");
        Ok(body)
    }

    /// The agency asks about somebody, for whom somebody else may act.
    async fn ask(
        &self,
        of: &Person,
        procedure: &str,
        dossier: &str,
        acting: Option<(&Person, &str)>,
    ) -> anyhow::Result<Value> {
        let mut body = json!({
            "number": of.number, "attributes": { "name": of.name }, "purpose": "Giải quyết hồ sơ",
            "procedure": procedure, "dossier": dossier, "officer": "mot-cua",
        });
        if let Some((actor, act)) = acting {
            body["acting"] = json!({ "number": actor.number, "name": actor.name, "act": act });
        }
        self.post(&self.installed.agency().system, "/v1/verifications", &body).await
    }

    async fn texts(&self, phone: &str) -> anyhow::Result<Vec<String>> {
        let answer = self.http.get(self.sandbox(&format!("/script/sms?to={phone}"))).send().await?;
        let answer: Value = answer.json().await?;
        let texts = answer["messages"].as_array().into_iter().flatten();
        Ok(texts.filter_map(|message| message["text"].as_str().map(str::to_owned)).collect())
    }

    /// Types the number and the code on the pages that ask for them.
    async fn prove(&self, browser: &mut Browser, who: &Person) -> anyhow::Result<()> {
        let before = self.texts(who.phone).await?.len();
        let form = browser.form("name=\"number\"")?.set("number", who.number);
        browser.submit(form).await?;
        let began = tokio::time::Instant::now();
        let text = loop {
            // What was told meanwhile begins with a name.
            let mut since = self.texts(who.phone).await?.into_iter().skip(before);
            if let Some(text) = since.find(|text| text.starts_with(|c: char| c.is_ascii_digit())) {
                break text;
            }
            ensure!(began.elapsed() < PATIENCE, "no code came to {}", who.phone);
            tokio::time::sleep(BEAT).await;
        };
        let code: String = text.chars().take_while(char::is_ascii_digit).collect();
        let form = browser.form("name=\"code\"")?.set("code", &code);
        browser.submit(form).await
    }

    /// Signs somebody in at the portal, for themselves or for the holder of a number.
    async fn at_portal(&self, who: &Person, of: Option<&Person>) -> anyhow::Result<Browser> {
        let mut browser = Browser::new()?;
        browser.open(&self.sandbox("/portal")).await?;
        browser.follow("/portal/sign-in").await?;
        self.prove(&mut browser, who).await?;
        let asks = browser.form("name=\"whom\"").is_ok();
        if let Some(of) = of {
            if !asks {
                browser.follow("/for").await?;
            }
            let form = browser.form("name=\"whom\"")?;
            // Whom the register knows as a child stands in the list; everybody else is named by their number.
            let form = match form.choice("whom", of.name) {
                Some(listed) => form.set("whom", &listed),
                None => form.set("whom", "number").set("number", of.number),
            };
            browser.submit(form).await?;
            ensure!(
                browser.shows(of.name) && browser.shows(who.name),
                "the consent page lacks one of the names"
            );
        } else if asks {
            let form = browser.form("name=\"whom\"")?.set("whom", "self");
            browser.submit(form).await?;
        }
        let form = browser.form("name=\"answer\"")?;
        browser.submit(form.tick_all("claim").set("answer", "allow")).await?;
        ensure!(browser.url().as_str() == self.sandbox("/portal"), "not back at the portal");
        Ok(browser)
    }

    async fn newborn(&mut self) -> anyhow::Result<()> {
        let browser = self.at_portal(&MOTHER, None).await?;
        ensure!(browser.shows(MOTHER.number), "the portal does not know the mother");
        self.say(&format!("{} signs in for herself: her newborn has no number yet.", MOTHER.name));
        let dossier = self.dossier(1);
        let answer = self.ask(&MOTHER, BIRTH, &dossier, None).await?;
        ensure!(answer["state"] == "match", "the mother is not verified: {answer}");
        self.say(&format!("Dossier {dossier}: she registers the birth in her own name, as the applicant."));
        Ok(())
    }

    async fn copy_for_child(&mut self) -> anyhow::Result<()> {
        let browser = self.at_portal(&MOTHER, Some(&CHILD)).await?;
        ensure!(browser.shows(CHILD.name), "the portal does not know the child");
        self.say(&format!(
            "{} signs in for {}, six years old: the register names her as a parent.",
            MOTHER.name, CHILD.name
        ));
        let dossier = self.dossier(2);
        let answer = self.ask(&CHILD, COPY, &dossier, Some((&MOTHER, "receive"))).await?;
        ensure!(answer["acting"]["right"] == "parent", "the mother may not act: {answer}");
        self.say(&format!(
            "Dossier {dossier}: the copy is handed to her; the statement names the right: parent."
        ));
        let stranger = self.ask(&CHILD, COPY, &dossier, Some((&SON, "receive"))).await?;
        ensure!(stranger["acting"]["refused"] == "no_right_to_act", "the uncle got a right: {stranger}");
        self.say(&format!("Her brother {} asks for the same copy and is told why not.", SON.name));
        Ok(())
    }

    async fn son_pays(&mut self) -> anyhow::Result<()> {
        let dossier = self.dossier(3);
        let known = self.ask(&FATHER, COPY, &dossier, None).await?;
        let bill = json!({
            "dossier": dossier, "procedure": COPY, "lines": [{ "fee": "HT-02" }], "channel": "online",
            "due": self.today.plus_days(7).to_string(),
            "applicant": { "name": FATHER.name, "verification": known["id"] },
        });
        let bill = self.post(&self.installed.agency().system, "/v1/bills", &bill).await?;
        let pay = bill["pay_url"].as_str().context("a bill without its page")?.to_owned();
        let mut browser = Browser::new()?;
        browser.open(&self.service("/me")).await?;
        self.prove(&mut browser, &SON).await?;
        browser.open(&pay).await?;
        ensure!(browser.shows(SON.name), "the payment page does not say who pays");
        let (bank, name) = BANKS[0];
        let form = browser.form("name=\"bank\"")?.set("bank", bank);
        browser.submit(form).await?;
        self.say(&format!(
            "{} pays the fee for {} at {name}; paying needs no mandate.",
            SON.name, FATHER.name
        ));
        let page = browser.url().to_string();
        let id = bill["id"].as_str().context("a bill without an id")?;
        let attempts = self.get(&format!("/v1/payments?bill={id}")).await?;
        let end_to_end = attempts["items"][0]["end_to_end_id"].as_str().context("no attempt")?.to_owned();
        browser.open(&self.sandbox(&format!("/banks/{bank}/requests/{end_to_end}"))).await?;
        let form = browser.form("name=\"decision\"")?.set("decision", "approve");
        browser.submit(form).await?;
        let began = tokio::time::Instant::now();
        loop {
            browser.open(&page).await?;
            if self.get(&format!("/v1/bills/{id}")).await?["status"] == "paid" {
                break;
            }
            ensure!(began.elapsed() < PATIENCE, "the bill is not paid: “{}”", browser.heading());
            tokio::time::sleep(BEAT).await;
        }
        browser.open(&page).await?;
        let receipts = self.get(&format!("/v1/receipts?bill={id}")).await?;
        let first = receipts["items"][0]["id"].as_str().context("no receipt")?;
        let receipt = self.get(&format!("/v1/receipts/{first}")).await?;
        let named = receipt["payer"].as_str().unwrap_or_default().to_owned();
        ensure!(named.contains(SON.name) && named.contains(FATHER.name), "the receipt names only {named}");
        self.say(&format!(
            "The credit notification settles it: “{}”; receipt to: {named}.",
            browser.heading()
        ));
        Ok(())
    }

    async fn clerk_files(&mut self) -> anyhow::Result<Browser> {
        let body = json!({
            "principal": { "number": FATHER.number, "name": FATHER.name },
            "delegate": { "agency": POST },
            "acts": ["apply", "receive"],
            "procedures": [COPY],
            "valid_to": self.today.plus_days(30).to_string(),
            "paper": { "certifier": "UBND xã Đầm Dơi", "number": format!("{}/2026", self.installed.tours), "certified_on": self.today.to_string() },
            "officer": CLERK.number,
        });
        let mandate = self.post(self.post, "/v1/mandates", &body).await?;
        ensure!(mandate["status"] == "accepted", "the post office has no mandate: {mandate}");
        self.say(&format!(
            "The post office records {}'s certified paper as {}.",
            FATHER.name,
            mandate["id"].as_str().unwrap_or_default()
        ));
        let browser = self.at_portal(&CLERK, Some(&FATHER)).await?;
        ensure!(browser.shows(FATHER.name), "the portal does not know for whom the clerk acts");
        let dossier = self.dossier(4);
        let answer = self.ask(&FATHER, COPY, &dossier, Some((&CLERK, "apply"))).await?;
        ensure!(answer["acting"]["mandate"] == mandate["id"], "the mandate was not used: {answer}");
        self.say(&format!("Dossier {dossier}: clerk {} files for him under it.", CLERK.name));
        Ok(browser)
    }

    async fn father_looks(&mut self) -> anyhow::Result<()> {
        let mut browser = Browser::new()?;
        browser.open(&self.service("/me")).await?;
        self.prove(&mut browser, &FATHER).await?;
        let came = browser.link("/receipts/").context("no receipt to read")?;
        ensure!(came.contains("code="), "the receipt needs a code that he does not have: {came}");
        for step in [SON.name, CLERK.name, &self.dossier(3), &self.dossier(4)] {
            ensure!(browser.shows(step), "the father's page does not show {step}");
        }
        self.say(&format!("{} finds every step on his own page, with the names of both.", FATHER.name));
        let proof = browser.link("/proof").context("no proof to keep")?;
        let file = self.folder.join("history.proof.json");
        let began = tokio::time::Instant::now();
        loop {
            let text = browser.fetch(&proof).await?;
            if serde_json::from_str::<Value>(&text)?["status"] == "included" {
                std::fs::write(&file, text)?;
                break;
            }
            if began.elapsed() > PATIENCE {
                bail!("no tree head covers the entry");
            }
            tokio::time::sleep(BEAT).await;
        }
        let keys = self.http.get(self.service("/receipts/keys")).send().await?.text().await?;
        let keys = KeyList::from_jwks(&keys).context("the published keys")?;
        let place = verify::history_entry(&file, &keys)?;
        self.say(&format!(
            "He keeps the proof of an entry in {} and verifies it offline: {place}.",
            file.display()
        ));
        browser.open(&self.service("/me/locks")).await?;
        let form = browser.form("name=\"scope\"")?.set("scope", "verifications");
        browser.submit(form).await?;
        self.say("He locks look-ups that need his consent.");
        let refused = self.ask(&FATHER, COPY, &self.dossier(5), None).await?;
        ensure!(refused["state"] == "locked", "the lock does not hold: {refused}");
        self.say("The next check is refused: `locked`.");
        Ok(())
    }

    async fn clerk_lifts(&mut self, mut browser: Browser) -> anyhow::Result<()> {
        let holder = Holder {
            number: FATHER.number.to_owned(),
            name: FATHER.name.to_owned(),
            born: "02/09/1958".to_owned(),
            sex: "Nam".to_owned(),
            expires: "02/09/2058".to_owned(),
        };
        browser.open(&self.service("/desk/mandates")).await?;
        let lift = |browser: &Browser| {
            Ok::<_, anyhow::Error>(browser.form("/desk/locks")?.set("number", FATHER.number))
        };
        let agency = browser.form("/desk/locks")?.choice("agency", "").context("no counter to serve at")?;
        let form = lift(&browser)?.set("agency", &agency);
        ensure!(browser.submit(form).await.is_err(), "a lock was lifted without a card");
        self.say("Nobody lifts it without his card, not even the clerk.");
        let card = issue(&holder).context("the father's card")?;
        let files: Value = serde_json::from_str(&card.text())?;
        let body = json!({ "officer": CLERK.number, "number": FATHER.number, "card": files });
        let check = self.post(self.post, "/v1/card-checks", &body).await?;
        ensure!(check["verdict"] == "passed", "the card does not pass: {check}");
        browser.open(&self.service("/desk/mandates")).await?;
        let form = lift(&browser)?.set("agency", &agency);
        browser.submit(form).await?;
        let answer = self.ask(&FATHER, COPY, &self.dossier(6), None).await?;
        ensure!(answer["state"] == "match", "the lock is not lifted: {answer}");
        self.say(&format!(
            "{} brings his card to the post office, whose clerk reads its chip and lifts the lock: he is verified again.",
            FATHER.name
        ));
        Ok(())
    }
}
