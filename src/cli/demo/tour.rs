//! One dossier from sign-in to the reconciled statement, through the public HTTP interfaces only.

use super::browser::Browser;
use super::installed::Installed;
use super::setup::PROCEDURE;
use crate::base::money::{Currency, Money};
use crate::cli::{out, verify};
use crate::crypto::signing::KeyList;
use crate::sandbox::member_bank::BANKS;
use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long one thing may take that another process does: messages, settlement, tree heads.
const PATIENCE: Duration = Duration::from_secs(30);
const BEAT: Duration = Duration::from_millis(100);

/// What the tour leaves behind.
pub struct Outcome {
    /// The receipts' numbers, each verified offline.
    pub receipts: Vec<String>,
    /// Matched lines of the statement, and all of them.
    pub matched: (u64, u64),
}

/// Walks the whole way; any step that does not hold is an error that names it.
pub async fn walk(installed: &Installed, folder: &Path) -> anyhow::Result<Outcome> {
    let mut tour = Tour {
        installed,
        browser: Browser::new()?,
        http: reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(15)).build()?,
        folder: folder.to_owned(),
        step: 0,
    };
    tour.sign_in().await.context("sign-in")?;
    let bill = tour.file().await.context("filing the dossier")?;
    tour.pay(&bill).await.context("payment")?;
    let receipts = tour.receipts(&bill).await.context("receipts")?;
    let matched = tour.statement().await.context("reconciliation")?;
    Ok(Outcome { receipts, matched })
}

struct Tour<'a> {
    installed: &'a Installed,
    browser: Browser,
    http: reqwest::Client,
    folder: PathBuf,
    step: u32,
}

impl Tour<'_> {
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

    async fn sign_in(&mut self) -> anyhow::Result<()> {
        let person = self.installed.walker()?;
        let before = self.texts(&person.phone).await?.len();
        self.browser.open(&self.sandbox("/portal")).await?;
        self.browser.follow("/portal/sign-in").await?;
        self.say(&format!("The portal sends {} to Chung: “{}”.", person.name, self.browser.heading()));
        let form = self.browser.form("name=\"number\"")?.set("number", &person.number);
        self.browser.submit(form).await?;
        let text = self.text_after(&person.phone, before).await?;
        self.say(&format!("A one-time code goes to {}: “{text}”.", person.phone));
        let code = code_in(&text).with_context(|| format!("no code in “{text}”"))?;
        let form = self.browser.form("name=\"code\"")?.set("code", &code);
        self.browser.submit(form).await?;
        ensure!(self.browser.shows(&person.name), "the consent page does not say whose session it is");
        self.say(&format!(
            "The consent page says who asks, why, and for what: “{}”.",
            self.browser.heading()
        ));
        let form = self.browser.form("name=\"answer\"")?;
        self.browser.submit(form.tick_all("claim").set("answer", "allow")).await?;
        ensure!(self.browser.url().as_str() == self.sandbox("/portal"), "not back at the portal");
        ensure!(self.browser.shows(&person.number), "the portal did not learn the personal number");
        self.say("Back at the portal, which knows the name, the number and the telephone that were agreed.");
        Ok(())
    }

    /// The texts that a telephone got.
    async fn texts(&self, phone: &str) -> anyhow::Result<Vec<String>> {
        let answer = self.http.get(self.sandbox(&format!("/script/sms?to={phone}"))).send().await?;
        let answer: Value = answer.json().await?;
        let texts = answer["messages"].as_array().into_iter().flatten();
        Ok(texts.filter_map(|message| message["text"].as_str().map(str::to_owned)).collect())
    }

    async fn text_after(&self, phone: &str, before: usize) -> anyhow::Result<String> {
        let began = tokio::time::Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(text) = self.texts(phone).await?.into_iter().nth(before) {
                return Ok(text);
            }
            tokio::time::sleep(BEAT).await;
        }
        bail!("no message came to {phone}")
    }

    /// A token of the agency's system.
    async fn token(&self) -> anyhow::Result<String> {
        let system = &self.installed.agency().system;
        let form = [("grant_type", "client_credentials")];
        let request = self.http.post(self.service("/oidc/token")).form(&form);
        let answer = request.basic_auth(&system.client_id, Some(&system.client_secret)).send().await?;
        let answer: Value = answer.json().await?;
        answer["access_token"].as_str().map(str::to_owned).with_context(|| format!("no token: {answer}"))
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let answer = self.http.get(self.service(path)).bearer_auth(self.token().await?).send().await?;
        let (status, body) = (answer.status(), answer.json::<Value>().await?);
        ensure!(status.is_success(), "GET {path} answers {status}: {body}");
        Ok(body)
    }

    /// Files a dossier on the portal; the bill that the agency issues for it.
    async fn file(&mut self) -> anyhow::Result<Value> {
        let form = self.browser.form("/portal/dossiers")?;
        self.browser.submit(form).await?;
        let pay = self.browser.link("/pay/").context("the portal shows no bill")?;
        let listed = self.get("/v1/bills?limit=1").await?;
        let bill = listed["items"][0].clone();
        ensure!(bill["pay_url"] == pay.as_str(), "the newest bill is another one");
        self.say(&format!(
            "Dossier {} ({PROCEDURE}) is filed; its applicant is verified; bill {} asks {}.",
            word(&bill["dossier"]),
            word(&bill["id"]),
            money(&bill["total"])
        ));
        for line in bill["lines"].as_array().into_iter().flatten() {
            for step in line["trace"].as_array().into_iter().flatten() {
                if step["verdict"].is_null() || step["verdict"] == "granted" {
                    out::line(&format!("      {}", word(&step["text"]["vi"])));
                }
            }
        }
        self.browser.open(&pay).await?;
        Ok(bill)
    }

    async fn pay(&mut self, bill: &Value) -> anyhow::Result<()> {
        let (bank, name) = BANKS[0];
        let form = self.browser.form("name=\"bank\"")?.set("bank", bank);
        self.browser.submit(form).await?;
        let attempts = self.get(&format!("/v1/payments?bill={}", word(&bill["id"]))).await?;
        let attempt = attempts["items"][0].clone();
        self.say(&format!(
            "{name} is chosen; payment {} goes to the clearing system (UETR {}).",
            word(&attempt["id"]),
            word(&attempt["uetr"])
        ));
        let page = self.browser.url().clone();
        let end_to_end = word(&attempt["end_to_end_id"]).to_owned();
        self.browser.open(&self.sandbox(&format!("/banks/{bank}/requests/{end_to_end}"))).await?;
        let form = self.browser.form("name=\"decision\"")?.set("decision", "approve");
        self.browser.submit(form).await?;
        self.say(&format!("The payer approves at {name}: “{}”.", self.browser.heading()));
        let began = tokio::time::Instant::now();
        loop {
            self.browser.open(page.as_str()).await?;
            if self.get(&format!("/v1/bills/{}", word(&bill["id"]))).await?["status"] == "paid" {
                break;
            }
            ensure!(began.elapsed() < PATIENCE, "the bill is not paid: “{}”", self.browser.heading());
            tokio::time::sleep(BEAT).await;
        }
        self.browser.open(page.as_str()).await?;
        let title = self.browser.heading();
        self.say(&format!("The credit notification settles {}: “{title}”.", word(&attempt["id"])));
        Ok(())
    }

    /// Fetches the receipts with their proofs, and verifies each from its files alone.
    async fn receipts(&mut self, bill: &Value) -> anyhow::Result<Vec<String>> {
        let keys = self.http.get(self.service("/receipts/keys")).send().await?.text().await?;
        let keys = KeyList::from_jwks(&keys).context("the published keys")?;
        let listed = self.get(&format!("/v1/receipts?bill={}", word(&bill["id"]))).await?;
        let mut numbers = Vec::new();
        for receipt in listed["items"].as_array().into_iter().flatten() {
            let number = word(&receipt["number"]).to_owned();
            let at = |end: &str| self.folder.join(format!("{number}.{end}"));
            for format in ["pdf", "xml"] {
                let address = self.service(word(&receipt["files"][format]));
                let file = self.http.get(address).bearer_auth(self.token().await?).send().await?;
                std::fs::write(at(format), file.error_for_status()?.bytes().await?)?;
                verify::receipt(&at(format), &keys)?;
            }
            let proof = self.proof(word(&receipt["files"]["proof"])).await?;
            std::fs::write(at("proof.json"), proof.to_string())?;
            let (content, digest) = verify::receipt(&at("pdf"), &keys)?;
            let place = verify::proven(&at("proof.json"), None, &content, &digest, &keys)?;
            self.say(&format!(
                "Receipt {number} over {} is kept in {}; {place}.",
                money(&receipt["total"]),
                at("pdf").display()
            ));
            numbers.push(number);
        }
        ensure!(!numbers.is_empty(), "the paid bill has no receipt");
        Ok(numbers)
    }

    async fn proof(&self, path: &str) -> anyhow::Result<Value> {
        let began = tokio::time::Instant::now();
        loop {
            let proof = self.get(path).await?;
            if proof["status"] != "pending" {
                return Ok(proof);
            }
            ensure!(began.elapsed() < PATIENCE, "no tree head covers the receipt");
            tokio::time::sleep(BEAT).await;
        }
    }

    /// Closes the bank's day, then fetches its statement and matches it.
    async fn statement(&mut self) -> anyhow::Result<(u64, u64)> {
        let closed = self.http.post(self.sandbox("/script/days/close")).send().await?;
        let closed: Value = closed.error_for_status()?.json().await?;
        let body = json!({ "account": self.installed.agency().account, "day": closed["closed"] });
        let request = self.http.post(self.service("/v1/statements")).bearer_auth(self.token().await?);
        let answer = request.header("idempotency-key", word(&closed["closed"])).json(&body).send().await?;
        let (status, answer) = (answer.status(), answer.json::<Value>().await?);
        ensure!(status.is_success(), "the statement was refused with {status}: {answer}");
        let found = &answer["reconciliation"];
        let (lines, matched) = (answer["lines"].as_u64(), found["matched"].as_u64());
        let (lines, matched) = lines.zip(matched).context("a statement without its result")?;
        self.say(&format!(
            "The bank closes {}; its statement {} lists {lines} {}; the ledger posted {} that day.",
            word(&answer["day"]),
            word(&answer["id"]),
            if lines == 1 { "movement" } else { "movements" },
            money(&found["posted"])
        ));
        ensure!(found["unexplained"]["amount"] == "0", "the books do not explain the statement: {found}");
        ensure!(lines > 0 && lines == matched, "{matched} of {lines} lines match: see /v1/cases");
        Ok((matched, lines))
    }
}

/// The code of a short message: its first run of six or more digits.
fn code_in(text: &str) -> Option<String> {
    let runs = text.split(|c: char| !c.is_ascii_digit());
    runs.filter(|run| run.len() >= 6).map(str::to_owned).next()
}

/// An amount of the wire as people write it.
fn money(value: &Value) -> String {
    let amount = Money::parse(word(&value["amount"]), Currency::Vnd);
    amount.map_or_else(|_| value.to_string(), Money::display_vi)
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
