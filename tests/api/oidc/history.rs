//! The citizen reads their own history, keeps the proof of an entry, and sees nobody else's.

use super::*;
use chung::audit::evidence::Evidence;
use chung::crypto::keyring::Purpose;
use chung::flow::sequence_audit::sequence_audit;

/// The address of the first proof that a page links to.
fn proof_on(page: &Answer) -> String {
    let text = page.text();
    let at = text.find("/me/history/").unwrap_or_else(|| panic!("no entry in {text}"));
    text[at..].split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_citizen_reads_what_was_decided_and_keeps_its_proof() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    let code = scene.signed_in(&citizen).await;
    let tokens = scene.exchange(&code, &[]).await.json();
    let portal = scene.world.stranger().with_bearer(tokens["access_token"].as_str().unwrap());
    portal.get("/oidc/userinfo").await.expect(200);

    let page = citizen.get("/me").await.expect(200);
    for shown in [
        "Trang của tôi",
        "Nguyễn Thị Hòa",
        "Cổng nhận thông tin",
        "Ông/bà đồng ý chia sẻ",
        "Ông/bà đăng nhập",
    ] {
        assert!(page.text().contains(shown), "{shown} in {}", page.text());
    }
    let english = citizen.get("/me?lang=en").await.expect(200).text();
    assert!(english.contains("A portal received your details") && !english.contains("me-"), "{english}");

    let address = proof_on(&page);
    let waiting = citizen.get(&address).await.expect(200).json();
    assert_eq!((&waiting["status"], &waiting["evidence"]), (&"pending".into(), &Value::Null));
    while sequence_audit(&scene.world.app).await.unwrap() > 0 {}
    let proof = citizen.get(&address).await.expect(200).json();
    assert_eq!(proof["status"], "included");
    let evidence: Evidence = serde_json::from_value(proof["evidence"].clone()).unwrap();
    let keys = scene.world.app.keys.published(Purpose::Record);
    evidence.verify(keys).unwrap();
    let forged = Evidence { details: evidence.details.replace("name", "game"), ..evidence };
    assert!(forged.verify(keys).is_err());
}

#[tokio::test]
async fn nobody_reads_the_history_of_somebody_else() {
    let scene = Scene::set().await;
    let stranger = scene.world.stranger();
    let sent = stranger.get("/me").await.expect(303).location();
    assert_eq!(sent, "/sign-in?return_to=%2Fme");
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let address = proof_on(&citizen.get("/me").await.expect(200));
    stranger.get(&address).await.expect(303);
    // An entry of a citizen who is not this one.
    scene
        .world
        .sql("set session_replication_role = replica; update audit_detail set citizen_id = null")
        .await
        .unwrap();
    citizen.get(&address).await.expect(404);
    citizen.get("/me/history/leaf_1/proof").await.expect(404);
}

/// Ten thousand entries, and other people's: a page is read by the index, in its order, and stops when it is full.
#[tokio::test]
async fn a_long_history_is_read_by_its_index_a_page_at_a_time() {
    let scene = Scene::set().await;
    let citizen = scene.world.stranger();
    scene.signed_in(&citizen).await;
    let copies = "with one as (select l.kind, l.at, l.commitment, d.citizen_id, d.object, d.sealed, d.generation
            from audit_leaf l join audit_detail d on d.leaf_id = l.id where d.citizen_id is not null limit 1),
        new as (select gen_random_uuid() as id, n, one.* from one, generate_series(1, 20000) as n),
        leaf as (insert into audit_leaf (id, kind, at, commitment) select id, kind, at, commitment from new)
        insert into audit_detail (leaf_id, citizen_id, object, sealed, generation)
        select id, case when n % 2 = 0 then citizen_id else gen_random_uuid() end, object, sealed, generation from new";
    scene.world.sql(copies).await.unwrap();
    scene.world.sql("analyze audit_detail; analyze audit_leaf").await.unwrap();
    // As the service asks it: one plan for everybody, of whom most have one entry or none.
    let page = "prepare page (uuid, uuid, bigint) as with page as materialized (
            select d.leaf_id, d.agency_id, d.sealed, d.generation from audit_detail d
            where d.citizen_id = $1 and d.leaf_id < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
            order by d.leaf_id desc limit $3)
        select l.id, l.kind, l.at, g.name_vi, g.name_en, d.sealed from page d
        join audit_leaf l on l.id = d.leaf_id left join agency g on g.id = d.agency_id order by d.leaf_id desc";
    let mut connection = scene.world.connection().await;
    for sql in [page, "set plan_cache_mode = force_generic_plan"] {
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    }
    let citizen: uuid::Uuid = sqlx::query_scalar(
        "select citizen_id from audit_detail where citizen_id is not null group by 1 having count(*) > 1000",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    let explain = format!("explain (analyze, costs off) execute page ('{citizen}', null, 51)");
    let plan: Vec<String> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(explain)).fetch_all(&mut connection).await.unwrap();
    let plan = plan.join("\n");
    assert!(plan.contains("Scan Backward using audit_detail_citizen"), "{plan}");
    let read = plan.lines().find(|line| line.contains("audit_detail_citizen")).unwrap();
    assert!(read.contains("rows=51"), "no more is read than the page holds: {plan}");
    assert!(!plan.contains("Seq Scan on audit_leaf"), "{plan}");
}
