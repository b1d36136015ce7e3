//! Kin, lost capacity and numbers just issued arrive with the register's files, and an agency hears what it may.

use super::import_under;
use crate::office::Office;
use crate::world::TestApp;
use chung::base::calendar::Day;
use chung::flow::population::look_up;
use chung::identity::kinship::Representation;
use serde_json::json;

const HEADER: &str =
    "number,name,birth_date,sex,province,status,parents,guardians,capacity_lost_on,former_names\n";
const FAMILY: &str = "\
079185000001,Nguyễn Thị Hòa,1985-03-15,female,79,active,,,,Trần Thị Hòa@2010-02-01
079215000005,Nguyễn Minh Khôi,2015-06-01,male,79,active,079185000001 079085000002,,,
079090000006,Nguyễn Văn Lú,1990-01-01,male,79,active,,079185000001,2020-01-01,
079226000007,Nguyễn Bé Út,2026-11-20,male,79,pending,079185000001,,,
";

#[tokio::test]
async fn kin_and_lost_capacity_stand_on_the_record() {
    let world = TestApp::start().await;
    let (progress, _) = import_under(&world, HEADER, FAMILY).await.unwrap();
    assert_eq!((progress.counts.added, progress.counts.rejected), (4, 0));
    let mut tx = world.app.store.begin().await.unwrap();
    let today: Day = "2026-11-24".parse().unwrap();
    let mother = "079185000001".parse().unwrap();
    for (number, right) in [
        ("079215000005", Some(Representation::Parent)),
        ("079090000006", Some(Representation::Guardian)),
        ("079185000001", None),
    ] {
        let looked = look_up(&world.app, &mut tx, number.parse().unwrap()).await.unwrap();
        assert_eq!(looked.on_record.unwrap().person.represented_by(mother, today), right, "{number}");
    }
    let (again, _) = import_under(&world, HEADER, FAMILY).await.unwrap();
    assert_eq!(again.counts.unchanged, 4);
    let dump = world.dump("register_person").await;
    assert!(!dump.contains("079185000001") && !dump.contains(&hex::encode("079185000001")));
}

#[tokio::test]
async fn a_number_just_issued_is_pending_and_only_for_whom_the_claims_match() {
    let world = TestApp::start().await;
    import_under(&world, HEADER, FAMILY).await.unwrap();
    let office = Office::open(&world, "H29.14").await;
    let system = office.system(&world, "verification");
    for (name, state) in [("Nguyễn Bé Út", "pending"), ("Lê Lai", "no_match")] {
        let question = json!({
            "number": "079226000007", "attributes": { "name": name }, "purpose": "Cấp thẻ bảo hiểm y tế trẻ em",
            "procedure": "2.000488", "dossier": "H29.14-261124-0001", "officer": "hoa.nt",
        });
        let answer = system.post_once("/v1/verifications", state, &question).await;
        assert_eq!(answer.expect(201).json()["state"], state);
    }
}
