//! The commands of an operator, run as programs on a data folder of their own.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on must stop")]

use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A data folder with keys and a database of its own, which goes away with the test.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Self {
        let desk = Self(std::env::temp_dir().join(format!("chung-commands-{name}-{}", std::process::id())));
        desk.run(&["keys", "generate"]).unwrap();
        desk
    }

    /// What a command says, or why it fails.
    fn run(&self, words: &[&str]) -> Result<String, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chung"));
        let command = command.arg("--data").arg(&self.0).args(words).env_remove("DATABASE_URL");
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
    }

    fn said(&self, words: &[&str]) -> String {
        self.run(words).unwrap_or_else(|why| panic!("{words:?}: {why}"))
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_operator_brings_people_fees_and_banks_and_registers_who_may_ask() {
    let desk = Desk::new("operator");
    let people = desk.path("people.csv");
    desk.said(&["sandbox", "population", "--count", "300", "--seed", "7", "--output", &people]);
    let import = ["import", "population", people.as_str()];
    assert!(desk.said(&import).starts_with("300 people added, 0 changed, 0 as before, 0 lines left out"));
    assert!(desk.said(&import).starts_with("0 people added, 0 changed, 300 as before, 0 lines left out"));
    let text = fs::read_to_string(&people).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let number = lines[5].split(',').next().unwrap();
    let damaged = text.replacen(lines[3], "079", 1);
    fs::write(&people, damaged).unwrap();
    assert!(desk.said(&import).starts_with("0 people added, 0 changed, 299 as before, 1 lines left out"));
    let rejects = fs::read_to_string(desk.path("people.csv.rejects.csv")).unwrap();
    assert_eq!(rejects, "line,reason\n4,\"the line has 1 fields, the header 14\"\n");

    let fees = |items: &str| {
        desk.run(&["import", "fees", items, "src/flow/sample/fee_adjustments.csv"]).map(|s| s.len())
    };
    fees("src/flow/sample/fee_items.csv").unwrap();
    fees("src/flow/sample/fee_adjustments.csv").unwrap_err();
    fs::write(desk.path("banks.csv"), "code,name\n970436,Vietcombank\n970415,VietinBank\n").unwrap();
    assert_eq!(desk.said(&["import", "banks", &desk.path("banks.csv")]), "banks named: 2\n");
    fs::write(desk.path("banks.csv"), "code,name\n9704 36,Vietcombank\n").unwrap();
    assert!(desk.run(&["import", "banks", &desk.path("banks.csv")]).unwrap_err().contains("9704 36"));

    let sessions = |closes: &str| {
        let rows = format!(
            "2099-01-05,low_value,08:00,{closes},17:00,499999999,X\n2099-01-05,high_value,08:00,17:00,17:45,,X\n"
        );
        let header = "valid_from,session,opens,closes,closes_month_end,amount_max,basis\n";
        fs::write(desk.path("cut-offs.csv"), format!("{header}{rows}")).unwrap();
        desk.run(&["import", "cut-offs", &desk.path("cut-offs.csv")])
    };
    let wrong = sessions("four").unwrap_err();
    assert!(wrong.contains("line 2 (time)"), "{wrong}");
    assert_eq!(sessions("16:00").unwrap(), "hours of clearing sessions changed: 2\n");
    assert_eq!(sessions("16:00").unwrap(), "hours of clearing sessions changed: 0\n");

    let name = ["--name", "Sở Tư pháp", "--name-en", "Department of Justice"];
    let account = ["--account", "phi=970405:1500201001234:KHO BAC NHA NUOC"];
    let agency = [&["agencies", "register", "H29.14"], &name[..], &account[..]].concat();
    assert!(desk.said(&agency).starts_with("agency_"));
    assert!(desk.run(&agency).unwrap_err().starts_with("chung: "));
    let set = ["agencies", "accounts", "H29.14", account[1]];
    assert_eq!(desk.said(&set), "nothing changed\n");

    let system = [
        &["clients", "register", "--profile", "basic", "--agency", "H29.14", "--scopes", "bill receipt.read"],
        &name[..],
    ]
    .concat();
    let registered = desk.said(&system);
    assert!(registered.contains("client_secret chk_"), "{registered}");
    let client = registered.split_whitespace().nth(1).unwrap();
    let listed = || desk.said(&["clients", "list"]);
    assert!(listed().contains(&format!("{client} active")));
    desk.said(&["clients", "suspend", client]);
    assert!(listed().contains(&format!("{client} suspended")));
    desk.said(&["clients", "resume", client]);
    let key = |kid: &str| {
        let (x, y) =
            ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
        json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y })
    };
    fs::write(desk.path("keys.json"), json!({ "keys": [key("2026")] }).to_string()).unwrap();
    fs::write(desk.path("next.json"), key("2027").to_string()).unwrap();
    let keyed =
        ["clients", "register", "--jwks", &desk.path("keys.json"), "--agency", "H29.14", "--scopes", "admin"];
    let keyed = desk.said(&[&keyed[..], &name[..]].concat());
    let keyed = keyed.split_whitespace().nth(1).unwrap();
    desk.said(&["clients", "add-key", keyed, &desk.path("next.json"), "--until", "2099-12-31"]);
    desk.said(&["clients", "revoke-key", keyed, "2026"]);
    desk.run(&["clients", "revoke-key", keyed, "2026"]).unwrap_err();
    desk.said(&["agencies", "suspend", "H29.14"]);
    assert!(listed().contains(&format!("{client} suspended")), "its agency is suspended");
    desk.said(&["agencies", "resume", "H29.14"]);
    assert!(listed().contains(&format!("{client} active")));

    let grant = desk.said(&["roles", "grant", number, "administrator", "H29.14"]);
    assert!(desk.said(&["roles", "list"]).contains(&format!("{} citizen_", grant.trim())));
    desk.run(&["roles", "grant", number, "administrator", "H29.14"]).unwrap_err();
    desk.run(&["roles", "grant", "079185999999", "administrator", "H29.14"]).unwrap_err();
    desk.said(&["roles", "revoke", grant.trim()]);
    assert_eq!(desk.said(&["roles", "list"]), "");
    let verified = desk.said(&["audit", "verify"]);
    for sound in ["the books are consistent\n", "the audit log is consistent\n"] {
        assert!(verified.contains(sound), "{verified}");
    }
}

/// The outside world as an integrator starts it, which ends with this value.
struct OutsideWorld {
    program: Child,
    origin: String,
    http: reqwest::Client,
}

impl OutsideWorld {
    async fn start(desk: &Desk, folder: &str, more: &[&str]) -> Self {
        let at = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_chung"));
        command.arg("--data").arg(&desk.0).args(["sandbox", "serve", "--sandbox-listen", &at]);
        command.args(["--folder", &desk.path(folder)]).args(more).stdout(Stdio::null());
        let program = command.env_remove("DATABASE_URL").spawn().unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let world = Self { program, origin: format!("http://{at}"), http };
        for _ in 0..300 {
            if world.http.get(format!("{}/script/faults", world.origin)).send().await.is_ok() {
                return world;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the sandbox does not answer");
    }

    async fn list(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}{path}", self.origin)).send().await.unwrap();
        answer.error_for_status().unwrap().json().await.unwrap()
    }

    /// How many messages each of so many transfers brings: none if it is lost, two if it is doubled.
    async fn messages_of(&self, transfers: usize) -> Vec<usize> {
        let (mut before, mut each) = (0, Vec::new());
        let body = json!({ "account": "1130000012345", "amount": "5000", "remittance": "nop phi" });
        for _ in 0..transfers {
            let sent = self.http.post(format!("{}/script/transfers", self.origin)).json(&body).send().await;
            assert_eq!(sent.unwrap().status(), 204);
            let now = self.list("/script/messages").await["messages"].as_array().unwrap().len();
            each.push(now - before);
            before = now;
        }
        each
    }

    /// Asks it to end, as a terminal or a continuous integration does; whether it ended well.
    fn ends(mut self) -> bool {
        let asked = Command::new("kill").args(["-INT", &self.program.id().to_string()]).status().unwrap();
        asked.success() && self.program.wait().unwrap().success()
    }
}

impl Drop for OutsideWorld {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

#[tokio::test]
async fn an_integrator_starts_the_outside_world_and_the_same_seed_brings_the_same_trouble() {
    let desk = Desk::new("sandbox");
    let quiet = OutsideWorld::start(&desk, "quiet", &["--seed", "7"]).await;
    assert_eq!(quiet.list("/script/faults").await["faults"], json!([]), "a seed alone scripts nothing");
    assert_eq!(quiet.messages_of(10).await, [1; 10]);
    let list = quiet.list("/script/conformance").await;
    assert_eq!(list["passes"], true);
    assert!(
        list["behaviours"].as_array().unwrap().iter().all(|line| line["verdict"] == "not_tried"),
        "{list}"
    );
    assert!(quiet.ends());

    let trouble = async |folder: &str, seed: &str| {
        let world = OutsideWorld::start(&desk, folder, &["--seed", seed, "--faults", "30"]).await;
        let each = world.messages_of(40).await;
        let faults = world.list("/script/faults").await;
        assert!(faults["faults"].as_array().unwrap().iter().all(|f| f["percent"] == 30 && f["times"] == 0));
        let list = world.list("/script/conformance").await;
        assert_eq!(list["passes"], false, "nobody listens there: {list}");
        assert!(world.ends());
        each
    };
    let first = trouble("first", "7").await;
    assert_eq!(trouble("second", "7").await, first);
    assert_ne!(trouble("third", "8").await, first);
    assert!(first.contains(&0) && first.contains(&1) && first.contains(&2), "{first:?}");
    let refused = desk.run(&["sandbox", "serve", "--faults", "101"]).unwrap_err();
    assert!(refused.contains("101"), "{refused}");
}

#[test]
fn an_operator_lets_a_system_speak_the_platforms_protocol_and_takes_what_it_cannot_change_yet() {
    let desk = Desk::new("platform");
    let guide = desk.said(&["platform", "guide"]);
    for said in ["POST http://localhost:8080/payment-platform", "64 bit", "TKThuHuong", "000000000"] {
        assert!(guide.contains(said), "{said} in {guide}");
    }
    let name = ["--name", "Sở Tư pháp", "--name-en", "Department of Justice"];
    let agency = [&["agencies", "register", "H29.14"], &name[..]].concat();
    desk.said(&[&agency[..], &["--account", "phi=970405:1500201001234:KHO BAC NHA NUOC"]].concat());
    let system = ["clients", "register", "--profile", "basic", "--agency", "H29.14", "--scopes", "bill"];
    let registered = desk.said(&[&system[..], &name[..]].concat());
    let client = registered.split_whitespace().nth(1).unwrap();
    let secret = desk.path("secret");
    fs::write(&secret, "a secret between two\n").unwrap();
    let register = |code: &str, agency: &str, confirm: &str| {
        let words = ["platform", "register", code, "--agency", agency, "--client", client];
        desk.run(&[&words[..], &["--secret", &secret, "--confirm", confirm]].concat())
    };
    let address = "https://system.example/confirm";
    assert_eq!(
        register("DVC01", "H29.14", address).unwrap(),
        "DVC01 may speak the payment platform's protocol\n"
    );
    assert!(register("DVC01", "H29.15", address).unwrap_err().contains("no such agency"));
    register("DVC01", "H29.14", "nowhere").unwrap_err();

    let tolerate = |code: &str, deviation: &str, until: &str| {
        desk.run(&["platform", "tolerate", code, deviation, "--until", until])
    };
    let taken = tolerate("DVC01", "twelve_hour_time", "2099-06-30").unwrap();
    assert_eq!(taken, "DVC01: twelve_hour_time is taken until 2099-06-30\n");
    tolerate("DVC01", "twelve_hour_time", "2099-12-31").unwrap();
    for ((code, deviation, until), names) in [
        (("DVC01", "wrong_checksum", "2099-12-31"), "deviation (unknown: wrong_checksum)"),
        (("DVC02", "twelve_hour_time", "2099-12-31"), "partner (unknown: DVC02)"),
        (("DVC01", "twelve_hour_time", "2099-02-29"), "2099-02-29"),
    ] {
        let why = tolerate(code, deviation, until).unwrap_err();
        assert!(why.contains(names), "{why}");
    }
    let listed = desk.said(&["platform", "tolerances", "DVC01"]);
    assert_eq!(listed, "twelve_hour_time until 2099-12-31, seen 0 times\n");

    let join = ["platform", "join", "https://platform.example/", "--code", "CHUNG", "--secret"];
    assert_eq!(
        desk.said(&[&join[..], &[&secret]].concat()),
        "payers may choose the platform at https://platform.example/\n"
    );
    let why = desk.run(&[&join[..], &[&desk.path("none")]].concat()).unwrap_err();
    assert!(why.contains("cannot read"), "{why}");
}
