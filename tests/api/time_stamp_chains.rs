//! A time stamp by an authority whose signer is certified over others: which ways are believed, and what revocation lists
//! that the operator brought say of them.

use crate::board::{ACCOUNTANT, at_board};
use crate::stamping::{
    AUTHORITY, CERTIFIES, Entry, Made, SIGNS, STAMPS, Says, TIME_STAMPING, answer, critical, list, list_with,
    make, name,
};
use crate::time_stamps::{HOUR, Scene, listed};
use crate::tools::said;
use chung::base::clock::{Clock, Instant, ManualClock};
use chung::codec::asn1::{
    bits, context, ecdsa_signature, ecdsa_with_sha256, integer, p256_key, pem, sequence, time, tlv,
};
use chung::codec::certificate::Anchors;
use chung::codec::cms_signature::Refused as Signature;
use chung::codec::revocation::{Revocation, RevocationLists, Why};
use chung::codec::time_stamp::{Refused, Stamp, Trust, query, verify};
use chung::crypto::digest::sha256;
use chung::crypto::signing::Signer;
use chung::flow::judge_stamps::judge_stamps;
use chung::flow::sequence_audit::sequence_audit;
use chung::flow::stamp_heads::stamp_heads;
use chung::http::router::router;
use chung::partner::time_stamp::{Authority, ListFolder, NotStamped, TimeStamps};
use futures_util::future::BoxFuture;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use time::macros::datetime;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

const AT: Instant = datetime!(2026-11-24 03:00 UTC);
const SERVERS: [u32; 9] = [1, 3, 6, 1, 5, 5, 7, 3, 1];

/// Judges a stamp by `signer` with these beside it, whoever trusts that root, with those lists.
fn judged(
    root: &Made,
    signer: &Made,
    beside: &[&Made],
    lists: &[Vec<u8>],
    now: Instant,
) -> Result<Stamp, Refused> {
    let imprint = sha256(b"a head");
    let given = answer(&query(&imprint, &[5; 16]), AT, signer, beside);
    let anchors = Anchors::read([root.der.as_slice()]).unwrap();
    let lists = RevocationLists::read(lists.iter().map(Vec::as_slice)).unwrap();
    verify(&given, &imprint, Some(&[5; 16]), Trust { anchors: &anchors, lists: &lists, now })
}

fn refused(by: Signature) -> Result<Stamp, Refused> {
    Err(Refused::Signature(by))
}

#[test]
fn a_way_over_other_authorities_is_believed_in_whatever_order_they_come() {
    let root = make("Root", 1, None, &AUTHORITY);
    let first = make("First", 2, Some(&root), &Says { most_below: Some(1), ..AUTHORITY });
    let second = make("Second", 3, Some(&first), &Says { most_below: Some(0), ..AUTHORITY });
    let signer = make("Signer", 4, Some(&second), &STAMPS);
    let strange = make("Somebody", 5, None, &AUTHORITY);
    for beside in [
        vec![&signer, &second, &first],
        vec![&first, &second, &signer],
        vec![&second, &strange, &signer, &first, &root],
    ] {
        let stamp = judged(&root, &signer, &beside, &[], AT).unwrap();
        assert_eq!((stamp.between, stamp.anchor), (2, sha256(&root.der)));
        assert_eq!(stamp.revocation, Revocation::Unknown(Why::NoList));
    }
    // Trust may begin further down.
    assert_eq!(judged(&second, &signer, &[&signer], &[], AT).unwrap().between, 0);
    // A step is missing, or is somebody else of the same name.
    assert_eq!(judged(&root, &signer, &[&signer, &first], &[], AT), refused(Signature::UntrustedSigner));
    let double = make("Second", 3, Some(&strange), &AUTHORITY);
    let beside = [&signer, &double, &first];
    assert_eq!(judged(&root, &signer, &beside, &[], AT), refused(Signature::UntrustedSigner));
    // Years later the way is judged as it was at the stamp's time.
    let later = datetime!(2060-01-01 00:00 UTC);
    assert!(judged(&root, &signer, &[&signer, &second, &first], &[], later).is_ok());
    // Two that certify each other lead nowhere.
    let (a, b) = (make("A", 6, None, &AUTHORITY), make("B", 7, None, &AUTHORITY));
    let (a, b) = (remade("A", 8, &b, &a), remade("B", 8, &a, &b));
    let signer = make("Signer", 9, Some(&a), &STAMPS);
    assert_eq!(judged(&root, &signer, &[&signer, &a, &b], &[], AT), refused(Signature::UntrustedSigner));
}

/// A certificate of an authority for a key that exists.
fn remade(subject: &str, serial: u8, by: &Made, of: &Made) -> Made {
    let constraints = sequence(&[&tlv(1, &[0xff])]);
    let extensions = [critical(&[2, 5, 29, 19], &constraints), critical(&[2, 5, 29, 15], &tlv(3, CERTIFIES))];
    let own = name(subject);
    let message = sequence(&[
        &context(0, &[&integer(&[2])]),
        &integer(&[serial]),
        &ecdsa_with_sha256(),
        &by.name,
        &sequence(&[&time(datetime!(2020-01-01 00:00 UTC)), &time(AUTHORITY.until)]),
        &own,
        &p256_key(of.key.verifying_key().point()),
        &context(3, &[&sequence(&[&extensions[0], &extensions[1]])]),
    ]);
    let der = sequence(&[&message, &ecdsa_with_sha256(), &bits(&ecdsa_signature(&by.key.sign(&message)))]);
    Made { name: own, der, key: of.key.clone() }
}

#[test]
fn an_authority_that_may_not_certify_and_a_way_too_long_are_refused() {
    let root = make("Root", 1, None, &AUTHORITY);
    let over = |says: &Says, of_signer: &Says| {
        let between = make("Between", 2, Some(&root), says);
        let signer = make("Signer", 3, Some(&between), of_signer);
        judged(&root, &signer, &[&signer, &between], &[], AT)
    };
    assert!(over(&AUTHORITY, &STAMPS).is_ok());
    assert!(over(&Says { uses: Some(&TIME_STAMPING), ..AUTHORITY }, &STAMPS).is_ok());
    let before = datetime!(2026-11-24 02:59:59 UTC);
    for (says, of_signer, why) in [
        (Says { ca: false, ..AUTHORITY }, STAMPS, Signature::UnfitAuthority),
        (Says { usage: SIGNS, ..AUTHORITY }, STAMPS, Signature::UnfitAuthority),
        (Says { uses: Some(&SERVERS), ..AUTHORITY }, STAMPS, Signature::UnfitAuthority),
        (Says { strange: true, ..AUTHORITY }, STAMPS, Signature::Unsupported),
        (Says { until: before, ..AUTHORITY }, STAMPS, Signature::SignerExpired),
        (AUTHORITY, Says { until: before, ..STAMPS }, Signature::SignerExpired),
        (AUTHORITY, Says { uses: Some(&SERVERS), ..STAMPS }, Signature::UnfitSigner),
        (AUTHORITY, Says { uses: None, ..STAMPS }, Signature::UnfitSigner),
        (AUTHORITY, Says { usage: CERTIFIES, ..STAMPS }, Signature::UnfitSigner),
        (AUTHORITY, Says { strange: true, ..STAMPS }, Signature::Unsupported),
    ] {
        assert_eq!(over(&says, &of_signer), refused(why), "{why:?}");
    }
    // So many steps as an authority allows below it, the trusted one too.
    let bound = make("Bound", 4, None, &Says { most_below: Some(0), ..AUTHORITY });
    let between = make("Between", 5, Some(&bound), &AUTHORITY);
    let signer = make("Signer", 6, Some(&between), &STAMPS);
    let beside = [&signer, &between];
    assert_eq!(judged(&bound, &signer, &beside, &[], AT), refused(Signature::PathTooLong));
    let deep = make("Deep", 7, Some(&root), &Says { most_below: Some(0), ..AUTHORITY });
    let deeper = make("Deeper", 8, Some(&deep), &AUTHORITY);
    let signer = make("Signer", 9, Some(&deeper), &STAMPS);
    let beside = [&signer, &deep, &deeper];
    assert_eq!(judged(&root, &signer, &beside, &[], AT), refused(Signature::PathTooLong));
    // And never more than five, whoever allows more.
    let mut steps = vec![make("Step 0", 20, Some(&root), &AUTHORITY)];
    for step in 1..4_u8 {
        let next = make(&format!("Step {step}"), 20 + step, steps.last(), &AUTHORITY);
        steps.push(next);
    }
    let three = make("Signer", 30, Some(&steps[2]), &STAMPS);
    let beside: Vec<&Made> = steps.iter().chain([&three]).collect();
    assert_eq!(judged(&root, &three, &beside, &[], AT).unwrap().between, 3);
    let four = make("Signer", 31, Some(&steps[3]), &STAMPS);
    let beside: Vec<&Made> = steps.iter().chain([&four]).collect();
    assert_eq!(judged(&root, &four, &beside, &[], AT), refused(Signature::PathTooLong));
}

#[test]
fn what_was_revoked_is_refused_and_what_no_list_shows_is_unknown() {
    let root = make("Root", 1, None, &AUTHORITY);
    let between = make("Between", 2, Some(&root), &AUTHORITY);
    let signer = make("Signer", 3, Some(&between), &STAMPS);
    let (old, new) = (datetime!(2026-11-20 00:00 UTC), datetime!(2026-11-23 00:00 UTC));
    let until = datetime!(2026-12-20 00:00 UTC);
    let by = |lists: &[Vec<u8>], now| {
        judged(&root, &signer, &[&signer, &between], lists, now).map(|stamp| stamp.revocation)
    };
    let of_root = list(&root, (old, until), &[(77, old, None)]);
    let of_between = list(&between, (new, until), &[]);
    let clear = Ok(Revocation::Clear { as_of: old });
    assert_eq!(by(&[of_root.clone(), of_between.clone()], AT), clear);
    let armoured = [&of_root, &of_between].map(|list| pem("X509 CRL", list)).concat();
    assert_eq!(by(&[armoured.into_bytes()], AT), clear);

    let (before, after) = (datetime!(2026-11-24 02:59 UTC), datetime!(2026-11-25 00:00 UTC));
    let now = datetime!(2026-11-27 00:00 UTC);
    let revoked = Err(Refused::Signature(Signature::Revoked));
    let signers = |entry: Entry| [of_root.clone(), list(&between, (now, until), &[entry])];
    let unspecified = Some(0);
    for (entry, judged) in [
        ((3, before, unspecified), &revoked),
        ((3, AT, None), &revoked),
        // Revoked later without a reason, or because the key was lost, nothing that it signed is believed.
        ((3, after, None), &revoked),
        ((3, after, Some(1)), &revoked),
        // Given up in order, what it signed before stands; and another's number is another's.
        ((3, after, Some(4)), &clear),
        ((4, before, None), &clear),
    ] {
        assert_eq!(&by(&signers(entry), now), judged, "{entry:?}");
    }
    let of_root_revoked = list(&root, (old, until), &[(2, before, unspecified)]);
    assert_eq!(by(&[of_root_revoked, of_between.clone()], AT), revoked);
    // An older list that names it counts, whatever a newer one leaves out; also once it is over.
    let named = list(&between, (old, old), &[(3, old, None)]);
    assert_eq!(by(&[of_root.clone(), named, of_between.clone()], AT), revoked);

    let unknown = |why| Ok(Revocation::Unknown(why));
    assert_eq!(by(&[], AT), unknown(Why::NoList));
    assert_eq!(by(std::slice::from_ref(&of_between), AT), unknown(Why::NoList));
    let over = datetime!(2026-12-20 00:00:01 UTC);
    assert_eq!(by(&[of_root.clone(), of_between.clone()], over), unknown(Why::ListOver));
    let late = (datetime!(2045-01-02 00:00 UTC), datetime!(2046-01-01 00:00 UTC));
    let later = datetime!(2045-06-01 00:00 UTC);
    assert_eq!(by(&[list(&root, late, &[]), list(&between, late, &[])], later), unknown(Why::ListTooLate));
    // Somebody else's list of that name, and a list of changes alone, show nothing.
    let forged = list_with(&between, &signer.key, (new, until), &[(3, before, None)], &[]);
    assert_eq!(by(&[of_root.clone(), forged], AT), unknown(Why::NoList));
    let changes = context(0, &[&sequence(&[&critical(&[2, 5, 29, 27], &integer(&[1]))])]);
    let changes = list_with(&between, &between.key, (new, until), &[], &changes);
    assert_eq!(by(&[of_root, changes], AT), unknown(Why::NoList));
    for no_list in [b"no".as_slice(), root.der.as_slice(), b"-----BEGIN X509 CRL-----\nAA".as_slice()] {
        assert!(RevocationLists::read([no_list]).is_err());
    }
}

/// An authority of three certificates whose clock is the world's.
struct Chain {
    signer: Made,
    between: Made,
    clock: Arc<ManualClock>,
}

impl TimeStamps for Chain {
    fn stamp<'a>(&'a self, query: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, NotStamped>> {
        let given = answer(query, self.clock.now(), &self.signer, &[&self.between, &self.signer]);
        Box::pin(async move { Ok(given) })
    }
}

#[tokio::test]
async fn lists_that_the_operator_brings_decide_over_the_stamp_of_a_head() {
    let mut scene = Scene::open().await;
    let root = make("Root", 1, None, &AUTHORITY);
    let between = make("Between", 2, Some(&root), &AUTHORITY);
    let signer = make("Signer", 3, Some(&between), &STAMPS);
    let folder = std::env::temp_dir().join(format!("chung-chain-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("lists")).unwrap();
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    let (made, until) = (datetime!(2026-11-20 00:00 UTC), datetime!(2026-12-20 00:00 UTC));
    put("lists/root.crl", &list(&root, (made, until), &[]));
    put("lists/between.crl", &list(&between, (made, until), &[(3, made, None)]));
    let (of_root, of_between) = (
        list(&root, (made, datetime!(2049-01-01 00:00 UTC)), &[]),
        list(&between, (made, datetime!(2049-01-01 00:00 UTC)), &[]),
    );
    let revoked = list(&between, (made, until), &[(3, made, None)]);
    let current = list(&between, (made, until), &[]);
    let after = datetime!(2026-12-01 00:00 UTC);
    let lost = list(&between, (made, until), &[(3, after, Some(1))]);
    let given_up = list(&between, (made, until), &[(3, after, Some(4))]);
    let (root_der, clock) = (root.der.clone(), scene.world.clock.clone());
    let chain = Chain { signer, between, clock };
    scene.app = scene.world.app.with(|parts| {
        parts.time_stamps = Some(Authority {
            service: Arc::new(chain),
            anchors: Arc::new(Anchors::read([root_der.as_slice()]).unwrap()),
            lists: ListFolder(Some(folder.join("lists"))),
        });
    });
    let system = scene.office.system(&scene.world, "statement.read");
    let closing = scene.close().await;
    assert_eq!(stamp_heads(&scene.app).await.unwrap(), 1);
    assert_eq!(scene.state().await, [("waiting".to_owned(), Some("revoked".to_owned()))]);
    assert_eq!(listed(&system).await["time_stamp"], json!({ "state": "waiting" }));

    // A new list counts at once.
    put("lists/between.crl", &current);
    scene.world.later(HOUR);
    assert_eq!(stamp_heads(&scene.app).await.unwrap(), 1);
    let told = listed(&system).await;
    let stamp = &told["time_stamp"];
    assert_eq!((&stamp["state"], &stamp["revocation"]), (&json!("stamped"), &json!("clear")));
    assert_eq!(stamp["lists_of"], "2026-11-20T00:00:00Z");
    let page = at_board(&scene.world, ACCOUNTANT).await.get(&closing).await.expect(200).text();
    assert!(page.contains("không chứng thư nào bị thu hồi, theo danh sách lập lúc 07:00"), "{page}");

    // What was kept is judged again by the lists of the day: by one that says the signer's key was lost it stands no more,
    // by one that says the signer was given up in order afterwards it stands.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let beside = format!("http://{}{closing}", listener.local_addr().unwrap());
    let (_stop, stopping) = watch::channel(false);
    let listening = chung::http::listen::listen(listener, router(scene.app.clone()), stopping);
    let mut serving = JoinSet::new();
    serving.spawn(listening);
    let accountant = at_board(&scene.world, ACCOUNTANT).await;
    for (file, stands, says) in [
        (&revoked, false, "dấu thời gian không còn được tin cậy: chứng thư của bên đóng dấu đã bị thu hồi"),
        (&lost, false, "dấu thời gian không còn được tin cậy"),
        (&given_up, true, "không chứng thư nào bị thu hồi"),
        (&current, true, "không chứng thư nào bị thu hồi"),
    ] {
        put("lists/between.crl", file);
        let page = accountant.get(&beside).await.expect(200).text();
        let today = page.split("Theo danh sách thu hồi hiện nay").nth(1).unwrap();
        assert!(today.contains(says), "{says} in {page}");
        let report = judge_stamps(&scene.app).await.unwrap().unwrap();
        let fallen = u64::from(!stands);
        assert_eq!((report.clear, report.unknown, report.fallen.len() as u64), (1 - fallen, 0, fallen));
        assert!(report.fallen.iter().all(|(_, why)| why == "revoked"));
    }
    serving.abort_all();
    assert_eq!(
        listed(&system).await["time_stamp"]["revocation"],
        "clear",
        "what was kept is what was seen then"
    );

    // An independent tool and ours judge it offline.
    let id = told["id"].as_str().unwrap();
    put("head.jws", &system.get(&format!("/v1/closings/{id}/head")).await.expect(200).body);
    put("head.tsr", &system.get(stamp["file"].as_str().unwrap()).await.expect(200).body);
    put("root.pem", pem("CERTIFICATE", &root.der).as_bytes());
    put("keys.json", &scene.world.stranger().get("/receipts/keys").await.expect(200).body);
    put("clear.pem", [&of_root, &of_between].map(|list| pem("X509 CRL", list)).concat().as_bytes());
    put("revoked.crl", &revoked);
    let openssl = run(
        &folder,
        "openssl",
        &["ts", "-verify", "-in", "head.tsr", "-CAfile", "root.pem", "-data", "head.jws"],
    );
    assert!(openssl.as_ref().is_none_or(|said| said.0), "{openssl:?}");
    let ours = |lists: &[&str]| {
        let head = [
            "verify",
            "head",
            "head.jws",
            "--keys",
            "keys.json",
            "--stamp",
            "head.tsr",
            "--anchor",
            "root.pem",
        ];
        let lists = lists.iter().flat_map(|list| ["--lists", *list]);
        run(&folder, env!("CARGO_BIN_EXE_chung"), &head.into_iter().chain(lists).collect::<Vec<_>>()).unwrap()
    };
    for (lists, valid, said) in [
        (&[][..], true, "revocation   unknown: no list"),
        (&["clear.pem"][..], true, "revocation   none, by lists of 07:00"),
        (&["clear.pem", "revoked.crl"][..], false, "a certificate was revoked"),
        (&["root.pem"][..], false, "not a revocation list"),
    ] {
        let (ok, told) = ours(lists);
        assert!(ok == valid && told.contains(said), "{lists:?}: {told}");
    }

    // Lists that are over, and a folder with something else in it, leave it unknown and stop nothing.
    for (days, file, word) in [(40, &current, "list_over"), (1, &b"no".to_vec(), "no_list")] {
        put("lists/between.crl", file);
        scene.world.later(24 * HOUR * days);
        // Whoever signs in leaves a leaf.
        at_board(&scene.world, ACCOUNTANT).await;
        sequence_audit(&scene.world.app).await.unwrap();
        assert_eq!(stamp_heads(&scene.app).await.unwrap(), 1);
        let newest = "select revocation from head_stamp where state = 'stamped' order by size desc limit 1";
        let kept: String =
            sqlx::query_scalar(newest).fetch_one(&mut scene.world.connection().await).await.unwrap();
        assert_eq!(kept, word);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Whether a program approved, and what it said; nothing where it is not installed.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> Option<(bool, String)> {
    let said = said(Command::new(program).current_dir(folder).args(arguments))?;
    let told = [said.stdout, said.stderr].concat();
    Some((said.status.success(), String::from_utf8_lossy(&told).into_owned()))
}
