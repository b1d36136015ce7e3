//! What the schema itself refuses, whoever asks.

use crate::database::Database;

#[tokio::test]
async fn every_test_has_a_database_of_its_own_with_the_schema() {
    let (one, two) = (Database::fresh().await, Database::fresh().await);
    assert_ne!(one.url(), two.url());
    let store = one.store(8).await;
    store.ping().await.unwrap();
    store.migrate().await.expect("migrations are run once and then found done");
    let client = chung::base::id::Id::from_uuid(Default::default());
    let nobody = chung::store::client::Bearer { client, token: None };
    let standings = chung::store::client::standings(&store, &[nobody]).await.unwrap();
    assert!(standings.len() == 1 && standings[0].client.is_none() && !standings[0].revoked);
}
