//! The receipt on paper, read by tools that are not ours: what people see, in fonts that stand in the file, and a QR code that
//! proves it years later with nothing but the published keys.

use crate::office::Office;
use crate::payments::start;
use crate::world::TestApp;
use chung::base::clock::Clock;
use chung::crypto::keyring::{KeyRing, Purpose};
use std::path::Path;
use std::process::Command;

/// What a tool of poppler says of a file.
fn told(tool: &str, arguments: &[&str], folder: &Path) -> String {
    let said = Command::new(tool).args(arguments).current_dir(folder).output();
    let said = said.unwrap_or_else(|e| panic!("{tool} of poppler-utils is installed: {e}"));
    assert!(said.status.success(), "{said:?}");
    String::from_utf8(said.stdout).unwrap()
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
    let bill = office.bill(&world, "k").await;
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(2, "R1", 205_000, &payment)).await.expect(200);
    let system = office.system(&world, "receipt.read");
    let receipt = system.get("/v1/receipts").await.expect(200).json()["items"][0].clone();
    let pdf = system.get(receipt["files"]["pdf"].as_str().unwrap()).await.expect(200).body;
    let folder = std::env::temp_dir().join(format!("chung-paper-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("receipt.pdf"), pdf).unwrap();

    let text = told("pdftotext", &["-layout", "receipt.pdf", "-"], &folder);
    for field in [
        "Sở Tư pháp",
        "BIÊN LAI",
        "Mẫu số",
        "Ký hiệu: AP-26E",
        "Số: 0000001",
        "H29.14-AP26E-0000001",
        "Người nộp",
        "Nguyễn Thị Hòa",
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
    let fonts = told("pdffonts", &["receipt.pdf"], &folder);
    let fonts: Vec<&str> = fonts.lines().skip(2).collect();
    assert!(!fonts.is_empty());
    for font in fonts {
        let columns: Vec<&str> = font.split_whitespace().rev().take(5).collect();
        assert_eq!(columns[2..], ["yes", "yes", "yes"], "embedded, a subset, with its characters: {font}");
    }

    // The reader is shown the code, as a camera is.
    let around = ["-x", "166", "-y", "1562", "-W", "833", "-H", "833"];
    let printed = ["-r", "300", "-gray", "-singlefile", "receipt.pdf", "page"];
    told("pdftoppm", &[&around[..], &printed[..]].concat(), &folder);
    let page = std::fs::read(folder.join("page.pgm")).unwrap();
    let (width, height, points) = picture(&page);
    let mut seen = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| points[y * width + x]);
    let codes: Vec<String> = seen.detect_grids().iter().map(|grid| grid.decode().unwrap().1).collect();
    let signed = system.get("/v1/receipts/signed").await.expect(200).json()["items"][0]["signed"].clone();
    assert_eq!(codes, [signed.as_str().unwrap()], "the code holds the signed content");

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
