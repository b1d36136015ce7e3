//! `chung demo`, as a newcomer runs it, kept up for one test.

use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The running demonstration; it ends with this value.
pub struct Running {
    process: Child,
    folder: PathBuf,
    /// The service's origin.
    pub service: String,
    /// The sandbox's origin.
    pub sandbox: String,
    /// What it wrote down for programs.
    pub installed: Value,
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Running {
    /// Starts it and waits until its own dossier is through. Walks of one process have folders of their own names.
    pub fn start(walk: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = std::env::temp_dir().join(format!("chung-browser-{walk}-{}", std::process::id()));
        let [listen, internal, sandbox] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
        let mut process = Command::new(env!("CARGO_BIN_EXE_chung"))
            .args(["--data", folder.to_str().unwrap(), "--listen", &listen, "--internal-listen", &internal])
            .args(["demo", "--citizens", "300", "--sandbox-listen", &sandbox])
            .env_remove("DATABASE_URL")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = lines.by_ref().any(|line| line.unwrap().starts_with("Ctrl-C"));
        assert!(ready, "the demonstration did not get through its own dossier");
        // Whatever it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let installed = std::fs::read_to_string(folder.join("demo.json")).unwrap();
        let installed: Value = serde_json::from_str(&installed).unwrap();
        let origin = |name: &str| installed[name].as_str().unwrap().to_owned();
        Self { process, folder, service: origin("service"), sandbox: origin("sandbox"), installed }
    }

    async fn script(&self, path: &str) -> Value {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        http.get(format!("{}/script/{path}", self.sandbox)).send().await.unwrap().json().await.unwrap()
    }

    /// The code that a telephone got last.
    pub async fn code(&self, phone: &str) -> String {
        for _ in 0..100 {
            let inbox = self.script(&format!("sms?to={phone}")).await;
            let text = inbox["messages"].as_array().unwrap().last().map(|last| last["text"].to_string());
            let mut runs = text.iter().flat_map(|text| text.split(|c: char| !c.is_ascii_digit()));
            if let Some(code) = runs.find(|run| run.len() == 6) {
                return code.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("no code came to {phone}");
    }

    /// The page at the bank of the request that waits there.
    pub async fn request_at_the_bank(&self) -> String {
        let requests = self.script("requests").await;
        let mut requests = requests["requests"].as_array().unwrap().iter();
        let waiting = requests.find(|request| request["state"] == "waiting").unwrap();
        let part = |name: &str| waiting[name].as_str().unwrap();
        format!("{}/banks/{}/requests/{}", self.sandbox, part("bank"), part("end_to_end_id"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let ended = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        if !ended.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
