//! The stylesheet, the icon and the one script, served from the binary under names that change with their content.

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use std::sync::LazyLock;

const STYLESHEET: &str = include_str!("chung.css");
const ICON: &str = include_str!("icon.svg");
const PASSKEY_SCRIPT: &str = include_str!("passkey.js");

/// The routes of the assets; they need no state.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{name}", get(asset))
}

/// The address of the stylesheet.
pub fn stylesheet() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| address(STYLESHEET, "css"));
    &ADDRESS
}

/// The address of the icon.
pub fn icon() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| address(ICON, "svg"));
    &ADDRESS
}

/// The address of the script that speaks with passkeys; no other page has a script.
pub fn passkey_script() -> &'static str {
    static ADDRESS: LazyLock<String> = LazyLock::new(|| address(PASSKEY_SCRIPT, "js"));
    &ADDRESS
}

async fn asset(Path(name): Path<String>) -> Response {
    let (content, kind, address) = match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("css") if name.starts_with("chung-") => (STYLESHEET, "text/css; charset=utf-8", stylesheet()),
        Some("js") if name.starts_with("chung-") => {
            (PASSKEY_SCRIPT, "text/javascript; charset=utf-8", passkey_script())
        }
        Some("svg") if name.starts_with("chung-") => (ICON, "image/svg+xml", icon()),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    // While two versions run side by side, a page of the other one still finds a stylesheet, but nobody keeps it.
    let current = address.ends_with(&format!("/{name}"));
    let cache = if current { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (headers, content).into_response()
}

/// The name carries 64 bits of FNV-1a: it must change with the content, it protects nothing.
fn address(content: &str, ending: &str) -> String {
    let hash = content.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("/assets/chung-{hash:016x}.{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_current_name_is_kept_forever_and_another_not_at_all() {
        let name = |address: &str| Path(address.trim_start_matches("/assets/").to_owned());
        let now = asset(name(stylesheet())).await;
        assert_eq!(now.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(now.headers()[header::CONTENT_TYPE], "text/css; charset=utf-8");
        let other = asset(Path("chung-0000000000000000.css".to_owned())).await;
        assert_eq!(other.headers()[header::CACHE_CONTROL], "no-cache");
        assert_eq!(asset(Path("shell.html".to_owned())).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(asset(name(icon())).await.headers()[header::CONTENT_TYPE], "image/svg+xml");
    }

    /// Contrast of text and grounds by WCAG 2.2 (1.4.3, 1.4.11), computed from the tokens of the stylesheet.
    #[test]
    fn colours_have_the_contrast_that_they_need() {
        let token = |name: &str| {
            let (_, rest) = STYLESHEET.split_once(&format!("--{name}: #")).unwrap();
            let hex = rest.split(';').next().unwrap();
            let wide =
                if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex.to_owned() };
            let channel = |i: usize| {
                let c = f64::from(u8::from_str_radix(&wide[i..i + 2], 16).unwrap()) / 255.0;
                if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(0) + 0.7152 * channel(2) + 0.0722 * channel(4)
        };
        let contrast = |a: &str, b: &str| {
            let (a, b) = (token(a), token(b));
            (a.max(b) + 0.05) / (a.min(b) + 0.05)
        };
        let text = [
            ("ink", "paper"),
            ("quiet", "paper"),
            ("quiet", "mist"),
            ("quiet", "info-bg"),
            ("act", "paper"),
            ("act", "info-bg"),
            ("act", "warn-bg"),
            ("act", "bad-bg"),
            ("brand", "paper"),
            ("bad", "paper"),
            ("paper", "act"),
            ("paper", "act-dark"),
            ("ok", "ok-bg"),
            ("warn", "warn-bg"),
            ("bad", "bad-bg"),
        ];
        for (a, b) in text {
            assert!(contrast(a, b) >= 4.5, "{a} on {b}: {:.2}", contrast(a, b));
        }
        assert!(contrast("edge", "paper") >= 3.0 && contrast("focus", "ink") >= 3.0);
    }
}
