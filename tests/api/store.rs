//! What the schema itself refuses, whoever asks.

use crate::database::Database;
use chung::store::regular::Regular;

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

#[tokio::test]
async fn a_regular_waits_for_nobody_and_leaves_the_shared_connections_to_others() {
    let database = Database::fresh().await;
    // Two shared connections, both taken: a regular has its own.
    let store = database.store(2).await;
    let mut others = [store.begin().await.unwrap(), store.begin().await.unwrap()];
    let mut first = store.begin_as(Regular::Settling).await.unwrap();
    first.lock(1).await.unwrap();
    for other in &mut others {
        assert!(!other.try_lock(1).await.unwrap(), "each asks over a connection of its own");
    }
    // While its own is taken it asks over a shared one, and is kept waiting for neither.
    drop(others);
    let mut second = store.begin_as(Regular::Settling).await.unwrap();
    assert!(!second.try_lock(1).await.unwrap());
    first.commit().await.unwrap();
    assert!(second.try_lock(1).await.unwrap());
    drop(second);
    store.close().await;
    assert!(store.begin_as(Regular::Settling).await.is_err(), "its connection is given back with all others");
}
