//! Chromium behind its driver, with scripts switched off, used by keyboard; what every page must keep is checked here.

use crate::running::free_port;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const TAB: &str = "\u{E004}";
const ENTER: &str = "\u{E007}";

/// Whether there is a browser to drive. CI demands one; elsewhere its lack is said, and nothing is tested.
#[expect(clippy::print_stderr, reason = "whoever runs the tests must know what was not tested")]
pub fn is_here() -> bool {
    let driver = Command::new("chromedriver").arg("--version").stdout(Stdio::null()).status();
    let here = driver.is_ok_and(|status| status.success());
    if !here {
        assert!(std::env::var_os("CI").is_none(), "CI needs the packages chromium and chromium-driver");
        eprintln!("no browser, no walk: install the packages chromium and chromium-driver");
    }
    here
}

/// A browser window.
pub struct Chromium {
    client: Client,
    driver: Child,
    profile: PathBuf,
}

impl Chromium {
    /// A fresh browser that runs no script.
    pub async fn start() -> Self {
        Self::start_with(false).await
    }

    /// A fresh browser, with scripts or without.
    pub async fn start_with(scripts: bool) -> Self {
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a real browser: install the packages chromium and chromium-driver");
        let profile = std::env::temp_dir().join(format!("chung-chromium-{port}"));
        let capabilities = json!({
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": {
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                    "--disable-background-networking", "--disable-component-update", "--disable-sync",
                    "--window-size=1280,1000", format!("--user-data-dir={}", profile.display()),
                ],
                "prefs": {
                    "profile.managed_default_content_settings.javascript": if scripts { 1 } else { 2 },
                    "intl.accept_languages": "vi",
                },
            },
        });
        let Value::Object(capabilities) = capabilities else { panic!("an object") };
        let address = format!("http://127.0.0.1:{port}");
        for _ in 0..100 {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            match builder.capabilities(capabilities.clone()).connect(&address).await {
                Ok(client) => return Self { client, driver, profile },
                Err(fantoccini::error::NewSessionError::NotW3C(answer)) => panic!("{answer}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        panic!("chromedriver does not answer on {address}");
    }

    /// Opens an address, as if it were typed.
    pub async fn open(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    /// Follows the first link to an address with this part.
    pub async fn follow(&self, part: &str) {
        let selector = format!("a[href*='{part}']");
        let link = self.client.find(Locator::Css(&selector)).await;
        let link = link.unwrap_or_else(|_| panic!("no link to {part}"));
        self.client.goto(&link.prop("href").await.unwrap().unwrap()).await.unwrap();
    }

    /// Where it is.
    pub async fn address(&self) -> String {
        self.client.current_url().await.unwrap().to_string()
    }

    /// Whether the page's source holds this.
    pub async fn shows(&self, part: &str) -> bool {
        self.client.source().await.unwrap().contains(part)
    }

    /// How often the page's own part, without the line that says whose session it is, shows that text.
    pub async fn tells(&self, part: &str) -> usize {
        let own = self.client.find(Locator::Css("main")).await.unwrap();
        own.text().await.unwrap().matches(part).count()
    }

    /// Whether the page has such an element.
    pub async fn has(&self, selector: &str) -> bool {
        !self.client.find_all(Locator::Css(selector)).await.unwrap().is_empty()
    }

    /// Reaches an element with the tabulator key alone, and says so when that cannot be done.
    async fn reach(&self, selector: &str) -> fantoccini::elements::Element {
        let wanted = self.client.find(Locator::Css(selector)).await;
        let wanted = wanted.unwrap_or_else(|_| panic!("no {selector}"));
        for _ in 0..40 {
            let active = self.client.active_element().await.unwrap();
            if active.element_id() == wanted.element_id() {
                return wanted;
            }
            active.send_keys(TAB).await.unwrap();
        }
        panic!("{selector} is not reached by keyboard on {}", self.address().await);
    }

    /// Writes into a field.
    pub async fn write(&self, name: &str, text: &str) {
        let field = self.reach(&format!("input[name={name}]")).await;
        field.clear().await.unwrap();
        self.reach(&format!("input[name={name}]")).await.send_keys(text).await.unwrap();
    }

    /// Ticks the first box or choice of that name.
    pub async fn tick(&self, name: &str) {
        self.reach(&format!("input[name={name}]")).await.send_keys(" ").await.unwrap();
    }

    /// Presses a button.
    pub async fn press(&self, selector: &str) {
        self.reach(selector).await.send_keys(ENTER).await.unwrap();
    }

    /// Plugs in an authenticator of the browser's own, with a finger that is always there (WebAuthn, section 11).
    pub async fn plug_in_authenticator(&self) {
        self.client.issue_cmd(NewAuthenticator).await.unwrap();
    }

    /// Waits until the address holds this part.
    pub async fn arrive(&self, part: &str) {
        for _ in 0..100 {
            if self.address().await.contains(part) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not at {part} but at {}: {}", self.address().await, self.client.source().await.unwrap());
    }

    /// Holds the page to what every page must keep, wide and narrow.
    pub async fn look(&self, name: &str) {
        self.look_with(name, 0).await;
    }

    /// The same for a page with so many scripts.
    pub async fn look_with(&self, name: &str, scripts: usize) {
        for width in [1280, 360] {
            self.client.set_window_size(width, 1000).await.unwrap();
            let faults = self.client.execute(RULES, vec![json!(width), json!(scripts)]).await.unwrap();
            assert_eq!(faults, json!([]), "{name} at {width} px");
            if let Some(folder) = std::env::var_os("CHUNG_SCREENSHOTS") {
                let file = PathBuf::from(folder).join(format!("{} {width}.png", name.replace(' ', "-")));
                std::fs::write(file, self.client.screenshot().await.unwrap()).unwrap();
            }
        }
        self.client.set_window_size(1280, 1000).await.unwrap();
        let said = self.client.issue_cmd(BrowserLog).await.unwrap();
        let refused = |entry: &&Value| {
            let text = entry["message"].as_str().unwrap_or_default();
            // A refused form is answered with its status, which the browser notes.
            entry["level"] != "INFO" && !text.contains("Failed to load resource")
        };
        let faults: Vec<&Value> = said.as_array().into_iter().flatten().filter(refused).collect();
        assert!(faults.is_empty(), "{name}: the browser complains: {faults:?}");
    }

    /// Ends it.
    pub async fn close(mut self) {
        self.client.clone().close().await.unwrap();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.driver.kill();
    }
}

/// What the browser itself has to complain about, refused resources among it.
#[derive(Debug)]
struct BrowserLog;

impl WebDriverCompatibleCommand for BrowserLog {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}

/// A platform authenticator that keeps passkeys and verifies its user.
#[derive(Debug)]
struct NewAuthenticator;

impl WebDriverCompatibleCommand for NewAuthenticator {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/webauthn/authenticator", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        let body = json!({
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": true,
        });
        (http::Method::POST, Some(body.to_string()))
    }
}

/// A language, one heading, a label for every field, nothing beyond the edge, contrast of 4.5 (3 for large text), no
/// scripts (WCAG 2.2, 1.4.3, 1.4.10, 2.4.6, 3.1.1, 3.3.2).
const RULES: &str = r"
const faults = [];
if (!['vi', 'en'].includes(document.documentElement.lang)) faults.push('no language');
if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
if (!document.title) faults.push('no title');
if (document.scripts.length !== arguments[1]) faults.push('scripts: ' + document.scripts.length);
for (const field of document.querySelectorAll('input:not([type=hidden]), select, textarea'))
  if (!field.labels.length) faults.push('no label: ' + field.name);
if (document.documentElement.scrollWidth > arguments[0]) faults.push('wider than the window');
const channels = text => { const m = text.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
const light = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
for (const element of document.querySelectorAll('body *')) {
  const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  const box = element.getBoundingClientRect();
  if (!own || !box.width || box.right < 0 || box.bottom < 0) continue;
  const style = getComputedStyle(element);
  let behind = [255, 255, 255];
  for (let e = element; e; e = e.parentElement) {
    const c = channels(getComputedStyle(e).backgroundColor);
    if (c[3] > 0) { behind = c.slice(0, 3); break; }
  }
  const pair = [light(channels(style.color).slice(0, 3)), light(behind)].sort((a, b) => b - a);
  const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
  const size = parseFloat(style.fontSize);
  const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
  if (ratio < least) faults.push('contrast ' + ratio.toFixed(2) + ': ' + element.textContent.trim().slice(0, 40));
}
return faults;
";
