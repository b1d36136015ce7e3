//! The receipt on paper, read by tools that are not ours: what people see, in fonts that stand in the file, and a QR code that
//! proves it years later with nothing but the published keys.

use crate::office::{Office, new_bill};
use crate::payments::start;
use crate::tools::said;
use crate::world::TestApp;
use chung::base::clock::Clock;
use chung::crypto::keyring::{KeyRing, Purpose};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a tool of poppler says of a file; nothing where it is not installed.
fn told(tool: &str, arguments: &[&str], folder: &Path) -> Option<String> {
    let said = said(Command::new(tool).args(arguments).current_dir(folder))?;
    assert!(said.status.success(), "{said:?}");
    Some(String::from_utf8(said.stdout).unwrap())
}

/// The text of a PDF as whoever reads it sees it; nothing where no tool is installed that reads it.
pub fn text_of(pdf: &[u8]) -> Option<String> {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let nth = FILES.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("chung-text-{}-{nth}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("file.pdf"), pdf).unwrap();
    let text = told("pdftotext", &["-layout", "file.pdf", "-"], &folder);
    std::fs::remove_dir_all(&folder).unwrap();
    text.map(|text| text.replace('\u{a0}', " "))
}

/// A grey picture as poppler writes it: width, height and the points.
fn picture(file: &[u8]) -> (usize, usize, &[u8]) {
    let mut parts = file.splitn(4, |byte| byte.is_ascii_whitespace());
    let mut number = || std::str::from_utf8(parts.next().unwrap()).unwrap().to_owned();
    assert_eq!(number(), "P5");
    let (width, height) = (number().parse().unwrap(), number().parse().unwrap());
    let rest = parts.next().unwrap();
    let start = rest.iter().position(u8::is_ascii_whitespace).unwrap() + 1;
    (width, height, &rest[start..])
}

/// What the codes on a receipt say, printed with so many dots to the inch.
fn codes(dots: usize, folder: &Path) -> Vec<String> {
    // Where the code stands, in points of 1/72 inch.
    let of = |points: usize| (points * dots / 72).to_string();
    let (x, y, side, resolution) = (of(40), of(375), of(200), dots.to_string());
    let around = ["-x", &x, "-y", &y, "-W", &side, "-H", &side, "-r", &resolution];
    let printed = ["-gray", "-singlefile", "receipt.pdf", "page"];
    told("pdftoppm", &[&around[..], &printed[..]].concat(), folder).unwrap();
    let page = std::fs::read(folder.join("page.pgm")).unwrap();
    let (width, height, points) = picture(&page);
    let mut seen = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| points[y * width + x]);
    seen.detect_grids().iter().filter_map(|grid| Some(grid.decode().ok()?.1)).collect()
}

/// Whether our own command believes a file, and what it says.
fn verified(file: &str, folder: &Path) -> (bool, String) {
    let said = Command::new(env!("CARGO_BIN_EXE_chung"))
        .current_dir(folder)
        .args(["verify", "receipt", file, "--keys", "keys.json"])
        .output()
        .unwrap();
    (said.status.success(), String::from_utf8_lossy(&said.stdout).into_owned())
}

#[tokio::test]
async fn paper_shows_the_official_fields_in_its_own_fonts_and_its_code_is_believed_years_later() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let mut body = new_bill();
    body["receipt_name"] = json!("Đỗ Thị Thủy Nguyễn");
    let bill = office.system(&world, "bill").post_once("/v1/bills", "k", &body).await.expect(201).json();
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(2, "R1", 205_000, &payment)).await.expect(200);
    let system = office.system(&world, "receipt.read");
    let receipt = system.get("/v1/receipts").await.expect(200).json()["items"][0].clone();
    let pdf = system.get(receipt["files"]["pdf"].as_str().unwrap()).await.expect(200).body;
    let folder = std::env::temp_dir().join(format!("chung-paper-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("receipt.pdf"), pdf).unwrap();

    let Some(text) = told("pdftotext", &["-layout", "receipt.pdf", "-"], &folder) else { return };
    for field in [
        "Sở Tư pháp",
        "BIÊN LAI",
        "Mẫu số",
        "Ký hiệu: AP-26E",
        "Số: 0000001",
        "H29.14-AP26E-0000001",
        "Người nộp",
        "Đỗ Thị Thủy Nguyễn",
        "Mã hồ sơ",
        "H29.14-261124-0001",
        "LLTP-01",
        "200.000",
        "Tổng cộng",
        "205.000",
        "Hai trăm linh năm nghìn đồng",
        "Mã kiểm tra",
    ] {
        assert!(text.contains(field), "{field} in {text}");
    }
    let fonts = told("pdffonts", &["receipt.pdf"], &folder).unwrap();
    let fonts: Vec<&str> = fonts.lines().skip(2).collect();
    assert!(!fonts.is_empty());
    for font in fonts {
        let columns: Vec<&str> = font.split_whitespace().rev().take(5).collect();
        assert_eq!(columns[2..], ["yes", "yes", "yes"], "embedded, a subset, with its characters: {font}");
    }

    // The reader is shown the code as a camera is, nearer and nearer until it reads.
    let codes = [300, 400, 500, 600].iter().map(|dots| codes(*dots, &folder)).find(|codes| !codes.is_empty());
    let codes = codes.unwrap_or_default();
    let signed = system.get("/v1/receipts/signed").await.expect(200).json()["items"][0]["signed"].clone();
    assert_eq!(codes, [signed.as_str().unwrap()], "the code holds the signed content");
    let read = world.stranger().post_form("/receipts", &[("content", &codes[0])]).await.expect(200).text();
    assert!(read.contains("H29.14-AP26E-0000001"), "{read}");

    // Another key signs from now on, and six years go by: the list that is published then still proves it.
    let (now, ahead) = (world.clock.now(), time::Duration::minutes(10));
    let rotated = KeyRing::rotated(&world.app.keys.to_toml(), Purpose::Record, now, ahead, None).unwrap();
    assert!(world.app.keys.adopt(&rotated, now).unwrap());
    world.later(std::time::Duration::from_secs(6 * 365 * 86_400));
    world.app.keys.turn(world.clock.now());
    let keys = world.stranger().get("/receipts/keys").await.expect(200).body;
    std::fs::write(folder.join("keys.json"), keys).unwrap();
    std::fs::write(folder.join("code.txt"), &codes[0]).unwrap();
    let (believed, said) = verified("code.txt", &folder);
    assert!(believed && said.contains("H29.14-AP26E-0000001") && said.contains("205.000"), "{said}");
    assert!(verified("receipt.pdf", &folder).0, "and so does the file");
    // One character otherwise, and it is nobody's.
    let mut other = codes[0].clone();
    let last = if other.pop() == Some('A') { 'Q' } else { 'A' };
    other.push(last);
    let middle = other.len() / 2;
    other.replace_range(middle..=middle, if other.as_bytes()[middle] == b'x' { "y" } else { "x" });
    std::fs::write(folder.join("other.txt"), other).unwrap();
    assert!(!verified("other.txt", &folder).0);
    std::fs::remove_dir_all(&folder).unwrap();
}
