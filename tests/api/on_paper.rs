//! What a receipt says on paper: its text as a reader of the file sees it, and its code as a scanner reads it.

use crate::office::{Office, new_bill};
use crate::payments::start;
use crate::world::TestApp;
use chung::codec::receipt_content;
use chung::crypto::signing::KeyList;
use serde_json::json;
use std::io::Write;
use std::process::{Command, Stdio};

/// What a program of poppler-utils makes of a file; nothing where it is not installed, which continuous integration does
/// not allow.
fn made_by(program: &str, arguments: &[&str], file: &[u8]) -> Option<Vec<u8>> {
    let mut command = Command::new(program);
    let spawned = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut running) = spawned else {
        assert!(std::env::var_os("CI").is_none(), "{program} is missing: install poppler-utils");
        return None;
    };
    running.stdin.take().unwrap().write_all(file).unwrap();
    let made = running.wait_with_output().unwrap();
    assert!(made.status.success());
    Some(made.stdout)
}

/// The text of a PDF.
pub fn text_of(pdf: &[u8]) -> Option<String> {
    made_by("pdftotext", &["-layout", "-", "-"], pdf).map(|text| String::from_utf8(text).unwrap())
}

/// What the QR codes of a PDF's first page say, as a scanner reads them.
pub fn codes_of(pdf: &[u8]) -> Option<Vec<String>> {
    let image = made_by("pdftoppm", &["-gray", "-r", "300", "-f", "1", "-l", "1", "-"], pdf)?;
    // A grey map (PGM): "P5", width, height and 255, each before one blank, and then a byte for each point.
    let mut words = image.split(u8::is_ascii_whitespace);
    let mut number = || std::str::from_utf8(words.next().unwrap()).unwrap().parse::<usize>().unwrap_or(0);
    let (_, width, height, _) = (number(), number(), number(), number());
    let points = &image[image.len() - width * height..];
    let mut prepared =
        rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| points[y * width + x]);
    Some(prepared.detect_grids().iter().map(|grid| grid.decode().unwrap().1).collect())
}

#[tokio::test]
async fn a_receipt_reads_in_vietnamese_and_its_code_proves_it() {
    let world = TestApp::start().await;
    let office = Office::open(&world, "H29.14").await;
    let mut body = new_bill();
    body["receipt_name"] = json!("Đỗ Thị Thủy Nguyễn");
    let system = office.system(&world, "bill receipt.read");
    let bill = system.post_once("/v1/bills", "k", &body).await.expect(201).json();
    let payment = start(&world, &office, &bill).await;
    world.tell(&world.credit(1, "R1", 205_000, &payment)).await.expect(200);
    let receipt = system.get("/v1/receipts").await.expect(200).json()["items"][0].clone();
    let pdf = system.get(receipt["files"]["pdf"].as_str().unwrap()).await.expect(200).body;
    let xml = system.get(receipt["files"]["xml"].as_str().unwrap()).await.expect(200).text();
    let signed = xml.split_once("<NDKy>").unwrap().1.split_once("</NDKy>").unwrap().0;

    if let Some(text) = text_of(&pdf) {
        for part in [
            "Sở Tư pháp",
            "BIÊN LAI",
            receipt["number"].as_str().unwrap(),
            "Đỗ Thị Thủy Nguyễn",
            "H29.14-261124-0001",
            "Cấp Phiếu lý lịch tư pháp",
            "200.000 đ",
            "205.000 đ",
            "Hai trăm linh năm nghìn đồng",
            "Chuyển khoản",
            "24/11/2026",
        ] {
            let text = text.replace('\u{a0}', " ");
            assert!(text.contains(part), "{part} in {text}");
        }
    }
    if let Some(codes) = codes_of(&pdf) {
        assert_eq!(codes, [signed], "the code is the signed receipt itself");
        let keys = world.stranger().get("/receipts/keys").await.expect(200).text();
        let (content, _) = receipt_content::verify(&codes[0], &KeyList::from_jwks(&keys).unwrap()).unwrap();
        assert_eq!(
            (content.number.to_string(), content.total),
            (receipt["number"].as_str().unwrap().to_owned(), 205_000)
        );
        let read =
            world.stranger().post_form("/receipts", &[("content", &codes[0])]).await.expect(200).text();
        assert!(read.contains(receipt["number"].as_str().unwrap()), "{read}");
    }
}
