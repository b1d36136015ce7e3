//! A counter: the officer reads the card, restores ways, locks, and prints what is agreed to on paper; each reading
//! serves one act, and nobody serves themselves.

use super::apps::add_app;
use super::notices::{code_of, reply};
use super::*;
use crate::office::Office;
use crate::world::GATEWAY_TOKEN;
use chung::sandbox::card::{Holder, issue};

/// An agency where Cường is an officer.
pub async fn set() -> (TestApp, Office, Actor) {
    let world = world().await;
    let office = Office::open(&world, "H29.14").await;
    grant(&world, CUONG, Role::Officer, "H29.14").await;
    let officer = signed_in(&world, CUONG).await;
    (world, office, officer)
}

pub fn card(person: Person, name: &str, born: &str, sex: &str) -> String {
    let text = |text: &str| text.to_owned();
    let holder = Holder {
        number: text(person.number),
        name: text(name),
        born: text(born),
        sex: text(sex),
        expires: text("15/03/2045"),
    };
    issue(&holder).unwrap().text()
}

/// The officer reads Hòa's card, and follows to what may be done.
pub async fn read_card(officer: &Actor, office: &Office, card: &str) -> Answer {
    let page = officer.get("/desk/card-checks").await.expect(200);
    let agency = office.agency.to_string();
    let token = page.form_field("form_token");
    let form = [("form_token", &*token), ("agency", &*agency), ("number", ""), ("card", card)];
    officer.post_form("/desk/card-checks", &form).await.expect(303);
    let page = officer.get("/desk/card-checks").await.expect(200);
    let text = page.text();
    let path = format!("/desk/citizens/{}", between(&text, "/desk/citizens/", "\""));
    officer.get(&path).await
}

pub fn hoas() -> String {
    card(HOA, "Nguyễn Thị Hòa", "15/03/1985", "Nữ")
}

#[tokio::test]
async fn a_citizen_who_lost_everything_is_back_with_a_new_phone_and_a_slip() {
    let (world, office, officer) = set().await;
    let hoa = signed_in(&world, HOA).await;
    let lost = add_app(&world, &hoa, "Máy đã mất").await;
    let page = read_card(&officer, &office, &hoas()).await.expect(200);
    for shown in ["Nguyễn Thị Hòa", "******5218", "Máy đã mất"] {
        assert!(page.text().contains(shown), "{shown} in {}", page.text());
    }
    assert!(!page.text().contains(HOA.number) && !page.text().contains("0912345218"));
    send(&officer, &page, "/recover", &[("phone", "12"), ("remove_all", "true")]).await.expect(422);
    let form = [("phone", "0912999888"), ("remove_all", "true")];
    let slip = send(&officer, &page, "/recover", &form).await.expect(200);
    let code = between(&slip.text(), "<dd class=\"code\">", "<").to_owned();
    hoa.get("/me").await.expect(303);
    let told = world.last_text(HOA.phone).await.unwrap();
    assert!(told.contains("khoi phuc"), "{told}");
    // The lost app is none any more, the old phone gets no code, the new one does.
    let thief = world.stranger();
    world.later(Duration::from_secs(60));
    let asked = type_number(&thief, HOA, "app").await.expect(200);
    send(&thief, &asked, "/code", &[("code", &lost.code(&world))]).await.expect(422);
    let back = Person { phone: "+84912999888", ..HOA };
    let home = signed_in(&world, back).await;
    add_app(&world, &home, "Máy mới").await;
    let page = home.get("/me/ways").await.expect(200);
    assert!(page.text().contains("72 giờ"), "on trial");
    send(&home, &page, "/me/ways/slip", &[("code", "2222-2222")]).await.expect(422);
    let page = send(&home, &page, "/me/ways/slip", &[("code", &code)]).await.expect(200);
    assert!(!page.text().contains("72 giờ"), "at full strength: {}", page.text());
    let token = page.form_field("form_token");
    home.post_form("/me/ways/slip", &[("form_token", &token), ("code", &code)]).await.expect(422);
    // The slip is the holder's alone, and the reading of the card is used up.
    let again = read_card(&officer, &office, &hoas()).await.expect(200);
    let path = action(&again, "/recover");
    let token = again.form_field("form_token");
    officer.post_form(&path, &[("form_token", &token)]).await.expect(200);
    officer.post_form(&path, &[("form_token", &token)]).await.expect(404);
    assert_eq!(world.count("card_check where used_for = 'recovery'").await, 2);
    assert_eq!(world.count("audit_leaf where kind = 'way.recovered'").await, 2);
}

#[tokio::test]
async fn a_reading_is_short_lived_and_belongs_to_its_officer() {
    let (world, office, officer) = set().await;
    let page = read_card(&officer, &office, &hoas()).await.expect(200);
    let path = action(&page, "/lock");
    let somebody = signed_in(&world, LAN).await;
    let token = somebody.get("/me/ways").await.form_field("form_token");
    somebody.post_form(&path, &[("form_token", &token)]).await.expect(404);
    world.stranger().get(path.trim_end_matches("/lock")).await.expect(303);
    officer.post_form(&path, &[("form_token", "0")]).await.expect(400);
    world.later(Duration::from_secs(31 * 60));
    send(&officer, &page, "/lock", &[]).await.expect(404);
    assert_eq!(world.count("citizen_lock").await, 0);
    let page = read_card(&officer, &office, &hoas()).await.expect(200);
    send(&officer, &page, "/lock", &[]).await.expect(200);
    assert_eq!(world.count("citizen_lock where scope = 'everything' and lifted_at is null").await, 1);
}

#[tokio::test]
async fn whoever_has_no_phone_agrees_on_a_signed_sheet() {
    let (world, office, officer) = set().await;
    let page = read_card(&officer, &office, &hoas()).await.expect(200);
    let form = [("portal", "Cổng dịch vụ công"), ("act", ""), ("dossier", "H29.14-261124-0001")];
    send(&officer, &page, "/sheet", &form).await.expect(422);
    let form = [
        ("portal", "Cổng dịch vụ công"),
        ("act", "Nộp hồ sơ cấp phiếu lý lịch tư pháp"),
        ("dossier", "H29.14-261124-0001"),
    ];
    let sheet = send(&officer, &page, "/sheet", &form).await.expect(200);
    for shown in ["Nguyễn Thị Hòa", "Nộp hồ sơ cấp phiếu lý lịch tư pháp", "Lê Văn Cường", "Chữ ký"]
    {
        assert!(sheet.text().contains(shown), "{shown} in {}", sheet.text());
    }
    let path = action(&sheet, "/desk/sheets/");
    let somebody = signed_in(&world, LAN).await;
    somebody.get(path.trim_end_matches("/end")).await.expect(404);
    let signed = send(&officer, &sheet, "/desk/sheets/", &[("answer", "signed")]).await.expect(200);
    assert!(signed.text().contains("đã ký") && !signed.text().contains("value=\"signed\""));
    let token = officer.get("/me/ways").await.form_field("form_token");
    officer.post_form(&path, &[("form_token", &token), ("answer", "void")]).await.expect(409);
    assert!(!world.dump("sheet").await.contains("lý lịch"), "what it says stands sealed");
    assert_eq!(world.count("audit_leaf where kind = 'sheet.signed'").await, 1);
}

#[tokio::test]
async fn whoever_holds_the_lost_phone_locks_once_and_undoes_no_recovery() {
    let (world, office, officer) = set().await;
    for named in [true, false] {
        world.later(Duration::from_secs(3600));
        let page = read_card(&officer, &office, &hoas()).await.expect(200);
        world.sql("delete from contact").await.unwrap();
        send(&officer, &page, "/recover", &[("phone", "0912999888")]).await.expect(200);
        let told = world.last_text(HOA.phone).await.unwrap();
        assert!(told.contains("khoi phuc"), "{told}");
        let answer = if named { format!("KHOA {}", code_of(&told)) } else { "KHOA".to_owned() };
        let locked = "citizen_lock where scope = 'everything' and lifted_at is null";
        reply(&world, GATEWAY_TOKEN, HOA.phone, &answer).await.expect(204);
        assert_eq!(world.count(locked).await, 1);
        assert_eq!(world.count("contact where sealed_phone is not null").await, 1, "named: {named}");
        // The counter opens it again; the same answer locks nobody any more, by SMS or on the page.
        world.sql("update citizen_lock set lifted_at = set_at, lifted_by = 'counter'").await.unwrap();
        reply(&world, GATEWAY_TOKEN, HOA.phone, &answer).await.expect(204);
        world.stranger().post_form("/not-me", &[("code", code_of(&told))]).await.expect(422);
        assert_eq!(world.count(locked).await, 0, "named: {named}");
    }
    assert_eq!(world.count("notice where what = 'phone_changed'").await, 0);
}
