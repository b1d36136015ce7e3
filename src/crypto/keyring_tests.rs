use super::*;
use crate::base::entropy::SystemEntropy;

#[test]
fn a_ring_is_kept_and_read_back() {
    let entropy = SystemEntropy::new();
    let ring = KeyRing::generate(&entropy);
    let again = KeyRing::from_toml(&ring.to_toml()).unwrap();
    assert!(ring.kids().eq(again.kids()));
    assert_eq!(ring.lookup("number", b"1"), again.lookup("number", b"1"));
    assert_ne!(ring.lookup("number", b"1"), ring.lookup("phone", b"1"));
    let (key, wrapped) = ring.new_data_key(&entropy, b"owner");
    let sealed = key.seal::<String>(&entropy, b"place", b"secret");
    let opened = again.data_key(&wrapped, b"owner").unwrap().open(b"place", &sealed).unwrap();
    assert_eq!(opened.expose(), b"secret");
}

#[test]
fn a_seal_opens_only_in_its_place_and_under_its_key() {
    let entropy = SystemEntropy::new();
    let ring = KeyRing::generate(&entropy);
    let (key, wrapped) = ring.new_data_key(&entropy, b"owner");
    let sealed = key.seal::<String>(&entropy, b"place", b"secret");
    assert!(key.open(b"elsewhere", &sealed).is_err());
    assert!(ring.data_key(&wrapped, b"another").is_err());
    let (other, _) = ring.new_data_key(&entropy, b"owner");
    assert!(other.open(b"place", &sealed).is_err());
}

#[test]
fn a_rotated_ring_opens_the_old_and_wraps_anew_until_the_old_is_taken_out() {
    let entropy = SystemEntropy::new();
    let mut ring = KeyRing::generate(&entropy);
    let (key, old) = ring.new_data_key(&entropy, b"owner");
    let sealed = key.seal::<String>(&entropy, b"place", b"secret");
    assert_eq!((ring.generation(), ring.add_master(&entropy), ring.generation()), (1, 2, 2));
    let mut ring = KeyRing::from_toml(&ring.to_toml()).unwrap();
    let new = ring.rewrap(&entropy, &old, b"owner").unwrap();
    assert_eq!((old.generation, new.generation), (1, 2));
    assert!(ring.rewrap(&entropy, &old, b"another").is_err());
    assert!(!ring.remove_master(2) && !ring.remove_master(7) && ring.remove_master(1));
    assert!(ring.data_key(&old, b"owner").is_err());
    let opened = ring.data_key(&new, b"owner").unwrap().open(b"place", &sealed).unwrap();
    assert_eq!(opened.expose(), b"secret");
}

#[test]
fn a_fresh_key_is_published_at_once_and_signs_when_its_time_comes() {
    let now = time::macros::datetime!(2026-11-24 02:00 UTC);
    let ring = KeyRing::generate(&SystemEntropy::new());
    let old = ring.signing(Purpose::Token).kid().to_owned();
    let ahead = Duration::minutes(10);
    let text = KeyRing::rotated(&ring.to_toml(), Purpose::Token, now, ahead, Some(Duration::DAY)).unwrap();
    assert!(ring.adopt(&text, now).unwrap() && !ring.adopt(&text, now).unwrap());
    assert_eq!(ring.jwks(Purpose::Token)["keys"].as_array().unwrap().len(), 2);
    assert_eq!(ring.signing(Purpose::Token).kid(), old);
    ring.turn(now + ahead);
    let new = ring.signing(Purpose::Token).kid().to_owned();
    assert_ne!(new, old);
    assert!(ring.published(Purpose::Token).find(&old).is_some());
    assert_eq!(
        KeyRing::from_toml(&ring.to_toml()).unwrap().jwks(Purpose::Record),
        ring.jwks(Purpose::Record)
    );
    let later = now + Duration::days(2);
    let text = KeyRing::rotated(&text, Purpose::Token, later, ahead, Some(Duration::DAY)).unwrap();
    assert!(ring.adopt(&text, later).unwrap());
    assert!(ring.published(Purpose::Token).find(&old).is_none(), "it is over");
    assert_eq!(ring.signing(Purpose::Token).kid(), new);
}

#[test]
fn a_key_may_live_elsewhere() {
    crate::crypto::install();
    struct Module(SigningKey);
    impl Signer for Module {
        fn kid(&self) -> &str {
            "slot-1"
        }
        fn sign(&self, message: &[u8]) -> [u8; 64] {
            self.0.sign(message)
        }
        fn verifying_key(&self) -> &VerifyingKey {
            self.0.verifying_key()
        }
    }
    let ring = KeyRing::generate(&SystemEntropy::new());
    let before = ring.signing(Purpose::Token).kid().to_owned();
    let ring = ring.with_signer(Purpose::Token, Box::new(Module(SigningKey::generate())));
    let token = crate::crypto::jwt::sign(ring.signing(Purpose::Token), "JWT", &serde_json::json!({"a": 1}));
    let keys = ring.published(Purpose::Token);
    assert!(crate::crypto::jwt::verify::<serde_json::Value>(&token, "JWT", keys).is_ok());
    assert_eq!(ring.jwks(Purpose::Token)["keys"][0]["kid"], "slot-1");
    assert!(keys.find(&before).is_some() && !ring.to_toml().contains("slot-1"));
}

#[test]
fn a_ring_that_lacks_a_key_is_refused() {
    assert!(matches!(KeyRing::from_toml("lookup = 1"), Err(BadKeyRing::Shape(_))));
    let text = KeyRing::generate(&SystemEntropy::new()).to_toml();
    let without_message = text.split("[[signing]]").take(3).collect::<Vec<_>>().join("[[signing]]");
    assert!(matches!(KeyRing::from_toml(&without_message), Err(BadKeyRing::Missing("message"))));
}
