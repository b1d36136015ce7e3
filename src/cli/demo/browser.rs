//! A browser without scripts: it keeps cookies per host, follows redirects and links, and fills in forms, as a citizen
//! with the plainest browser would.

use anyhow::{Context, bail, ensure};
use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use std::collections::BTreeMap;
use std::time::Duration;
use url::Url;

/// How many redirects one step may take.
const REDIRECTS_MAX: usize = 10;

/// The browser, showing a page.
pub struct Browser {
    http: reqwest::Client,
    cookies: BTreeMap<String, BTreeMap<String, String>>,
    url: Url,
    body: String,
}

impl Browser {
    /// A browser that shows nothing yet.
    pub fn new() -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(15))
            .build()?;
        Ok(Self { http, cookies: BTreeMap::new(), url: Url::parse("about:blank")?, body: String::new() })
    }

    /// Where it is.
    pub const fn url(&self) -> &Url {
        &self.url
    }

    /// What the page's heading says.
    pub fn heading(&self) -> String {
        let after = self.body.split_once("<h1").and_then(|(_, rest)| rest.split_once('>'));
        after.and_then(|(_, rest)| rest.split_once("</h1>")).map(|(text, _)| plain(text)).unwrap_or_default()
    }

    /// Whether the page shows this text.
    pub fn shows(&self, text: &str) -> bool {
        plain(&self.body).contains(text)
    }

    /// Opens an address.
    pub async fn open(&mut self, address: &str) -> anyhow::Result<()> {
        let url = self.url.join(address).or_else(|_| Url::parse(address)).context("an address")?;
        self.go(reqwest::Method::GET, url, None).await
    }

    /// Follows the first link whose address contains `part`.
    pub async fn follow(&mut self, part: &str) -> anyhow::Result<()> {
        let address = self.link(part).with_context(|| format!("{} has no link to {part}", self.url))?;
        self.open(&address).await
    }

    /// The address of the first link that contains `part`.
    pub fn link(&self, part: &str) -> Option<String> {
        let tags = self.body.split("<a ").skip(1);
        tags.filter_map(|tag| attribute(tag, "href")).find(|href| href.contains(part))
    }

    /// The first form that holds `part`; a form without an action sends to its own page.
    pub fn form(&self, part: &str) -> anyhow::Result<Form> {
        let mut forms =
            self.body.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap_or(rest));
        let html = forms.find(|form| form.contains(part));
        let html = html.with_context(|| format!("“{}” has no form with {part}", self.heading()))?;
        let action = attribute(html, "action").unwrap_or_default();
        let fields = html.split("<input").skip(1).filter_map(|tag| {
            let kind = attribute(tag, "type").unwrap_or_default();
            let sent = kind != "radio" && kind != "checkbox";
            sent.then(|| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default())))?
        });
        Ok(Form { action, fields: fields.collect(), html: html.to_owned() })
    }

    /// Sends a form.
    pub async fn submit(&mut self, form: Form) -> anyhow::Result<()> {
        let url = if form.action.is_empty() { self.url.clone() } else { self.url.join(&form.action)? };
        self.go(reqwest::Method::POST, url, Some(form.fields)).await
    }

    /// The text behind an address, fetched with this browser's cookies; the page stays.
    pub async fn fetch(&self, address: &str) -> anyhow::Result<String> {
        let url = self.url.join(address).context("an address")?;
        let mut request = self.http.get(url.clone());
        if let Some(jar) = self.cookies.get(&host(&url)) {
            let pairs: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, pairs.join("; "));
        }
        Ok(request.send().await?.error_for_status()?.text().await?)
    }

    async fn go(
        &mut self,
        mut method: reqwest::Method,
        mut url: Url,
        mut fields: Option<Vec<(String, String)>>,
    ) -> anyhow::Result<()> {
        for _ in 0..REDIRECTS_MAX {
            let mut request = self.http.request(method, url.clone());
            let host = host(&url);
            if let Some(jar) = self.cookies.get(&host) {
                let pairs: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
                request = request.header(COOKIE, pairs.join("; "));
            }
            if let Some(fields) = fields.take() {
                request = request.header(ORIGIN, self.url.origin().ascii_serialization()).form(&fields);
            }
            let answer = request.send().await.with_context(|| format!("{url} does not answer"))?;
            self.keep_cookies(&host, answer.headers());
            let status = answer.status();
            if status.is_redirection() {
                let to = answer.headers().get(LOCATION).and_then(|to| to.to_str().ok());
                url = url.join(to.context("a redirect to nowhere")?)?;
                method = reqwest::Method::GET;
                continue;
            }
            self.url = url;
            self.body = answer.text().await?;
            ensure!(status.is_success(), "{} answers {status}: {}", self.url.path(), self.heading());
            return Ok(());
        }
        bail!("{url} redirects without end")
    }

    fn keep_cookies(&mut self, host: &str, headers: &reqwest::header::HeaderMap) {
        let jar = self.cookies.entry(host.to_owned()).or_default();
        for cookie in headers.get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok()) {
            let pair = cookie.split(';').next().and_then(|pair| pair.split_once('='));
            let Some((name, value)) = pair else { continue };
            if value.is_empty() || cookie.to_ascii_lowercase().contains("max-age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// A form being filled in.
pub struct Form {
    action: String,
    fields: Vec<(String, String)>,
    html: String,
}

impl Form {
    /// Writes into a field, or presses a button that carries this value.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(other, _)| other != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The value of the choice of that name whose label holds `text`: a radio button, or an option of a list.
    pub fn choice(&self, name: &str, text: &str) -> Option<String> {
        let list =
            self.html.split("<select").skip(1).find(|tag| attribute(tag, "name").as_deref() == Some(name));
        let list = list.map(|list| list.split("</select>").next().unwrap_or(list));
        let options = list.into_iter().flat_map(|list| list.split("<option").skip(1));
        let radios = self.html.split("<input").skip(1).filter(|tag| {
            attribute(tag, "type").as_deref() == Some("radio")
                && attribute(tag, "name").as_deref() == Some(name)
        });
        let mut choices = options.chain(radios).filter(|tag| plain(tag).contains(text));
        choices.find_map(|tag| attribute(tag, "value"))
    }

    /// Ticks every box of that name.
    #[must_use]
    pub fn tick_all(mut self, name: &str) -> Self {
        let boxes = self.html.split("<input").skip(1).filter(|tag| {
            attribute(tag, "type").as_deref() == Some("checkbox")
                && attribute(tag, "name").as_deref() == Some(name)
        });
        let ticked = boxes.filter_map(|tag| Some((name.to_owned(), attribute(tag, "value")?)));
        self.fields.extend(ticked.collect::<Vec<_>>());
        self
    }
}

/// Cookies know hosts, not ports; two services of one host are kept apart all the same, as two sites are in life.
fn host(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The value of an attribute of the tag that `html` begins with.
fn attribute(html: &str, name: &str) -> Option<String> {
    let tag = html.split('>').next()?;
    let (_, rest) =
        format!(" {tag}").split_once(&format!(" {name}=\"")).map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    rest.split_once('"').map(|(value, _)| unescaped(value))
}

/// The text between the tags.
fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    unescaped(text.trim())
}

/// Character references as templates write them.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let known = after.split_once(';').and_then(|(name, after)| Some((reference(name)?, after)));
        rest = if let Some((c, after)) = known {
            out.push(c);
            after
        } else {
            out.push('&');
            after
        };
    }
    out.push_str(rest);
    out
}

fn reference(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "nbsp" => Some(' '),
        _ => char::from_u32(name.strip_prefix('#')?.parse().ok()?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_a_browser_reads_it() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let body = "<h1 id=\"x\">Tên &amp; họ</h1><form method=\"post\" action=\"/a/code\">\
            <input type=\"hidden\" name=\"t\" value=\"1&#38;2\"><input name=\"code\"><input type=\"checkbox\" \
            name=\"claim\" value=\"phone\"><input type=\"radio\" name=\"bank\" value=\"b\"></form><a href=\"/pay/7?x=1&amp;y=2\">";
        let url = Url::parse("http://localhost/").unwrap();
        let browser = Browser { url, body: body.to_owned(), ..Browser::new().unwrap() };
        assert_eq!(browser.heading(), "Tên & họ");
        assert_eq!(browser.link("/pay/").as_deref(), Some("/pay/7?x=1&y=2"));
        let form = browser.form("/a/code").unwrap().set("code", "123").tick_all("claim");
        let sent: Vec<_> = form.fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(sent, [("t", "1&2"), ("code", "123"), ("claim", "phone")]);
        assert!(browser.form("/elsewhere").is_err());
    }
}
