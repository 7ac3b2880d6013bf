//! Cases of leases.

use std::sync::Arc;
use std::time::{Duration, Instant};

use session_store::{KeyHash, SessionStore};

use crate::support::NOW;

pub(crate) async fn a_lease_has_one_holder_until_it_is_given_back(store: Arc<dyn SessionStore>) {
    let key = KeyHash::of("refresh");
    let acquire = |holder: &'static [u8]| store.acquire_lease(key, holder, NOW, NOW + 60);
    assert!(acquire(b"a").await.unwrap());
    assert!(!acquire(b"b").await.unwrap());
    store.release_lease(key, b"b").await.unwrap();
    assert!(!acquire(b"b").await.unwrap(), "b had nothing to give back");
    store.release_lease(key, b"a").await.unwrap();
    assert!(acquire(b"b").await.unwrap());
}

/// Waits for a lease as a companion would whose clock runs with ours; gives the seconds.
async fn wait_for_lease(store: &dyn SessionStore, key: KeyHash, holder: &[u8]) -> u64 {
    let began = Instant::now();
    loop {
        let waited = began.elapsed().as_secs();
        assert!(waited < 10, "the lease is never free");
        let now = NOW + i64::try_from(waited).unwrap();
        if store
            .acquire_lease(key, holder, now, now + 60)
            .await
            .unwrap()
        {
            return waited;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn the_lease_of_a_dead_holder_frees_itself(store: Arc<dyn SessionStore>) {
    let key = KeyHash::of("refresh");
    assert!(store.acquire_lease(key, b"a", NOW, NOW + 1).await.unwrap());
    assert!(!store.acquire_lease(key, b"b", NOW, NOW + 1).await.unwrap());
    wait_for_lease(&*store, key, b"b").await;
    store.release_lease(key, b"a").await.unwrap();
    assert!(
        !store.acquire_lease(key, b"c", NOW, NOW + 1).await.unwrap(),
        "the dead has no say any more"
    );
}

pub(crate) async fn a_holder_prolongs_its_lease(store: Arc<dyn SessionStore>) {
    let key = KeyHash::of("refresh");
    assert!(store.acquire_lease(key, b"a", NOW, NOW + 1).await.unwrap());
    assert!(store.acquire_lease(key, b"a", NOW, NOW + 3).await.unwrap());
    assert!(wait_for_lease(&*store, key, b"b").await >= 2);
}
