//! `/readyz`: everybody may ask, and asking costs little.

use futures::FutureExt as _;
use futures::future::join_all;

use crate::harness::{StoreFaults, World};

// The probe is public, and it writes.
#[tokio::test]
async fn a_flood_of_probes_is_one_look_a_second() {
    let (world, store) = (World::new().await, StoreFaults::default());
    let world = world.behind(|behind| store.before(behind));
    let browser = world.browser();
    let flood = async || {
        let probes = (0..200).map(|_| browser.page_get("/readyz"));
        let answers = join_all(probes).await;
        answers.into_iter().map(|answer| answer.status.as_u16())
    };
    assert!(flood().await.all(|status| status == 200));
    assert_eq!(store.calls("probe"), 1);
    store.fail("probe", 0, 1);
    assert!(flood().await.all(|status| status == 200), "within a second");
    world.clock.advance(1);
    assert!(flood().await.all(|status| status == 503));
    assert_eq!(store.calls("probe"), 2, "a failure is remembered, too");
    world.clock.advance(1);
    assert!(flood().await.all(|status| status == 200));
    // A clock that is set back keeps nothing.
    world.clock.advance(-3600);
    flood().await.for_each(drop);
    assert_eq!(store.calls("probe"), 4);
}

#[tokio::test]
async fn probes_that_hang_up_begin_no_further_looks() {
    let (world, store) = (World::new().await, StoreFaults::default());
    let world = world.behind(|behind| store.before(behind));
    let browser = world.browser();
    for _ in 0..20 {
        let probe = browser.page_get("/readyz");
        assert!(probe.now_or_never().is_none(), "it takes a moment");
    }
    browser.page_get("/readyz").await.ok();
    assert_eq!(store.calls("probe"), 1);
}

#[tokio::test]
async fn a_look_that_panics_fails_its_probe_only() {
    let (world, store) = (World::new().await, StoreFaults::default());
    let world = world.behind(|behind| store.before(behind));
    let browser = world.browser();
    store.panic("probe");
    for _ in 0..2 {
        assert_eq!(browser.page_get("/readyz").await.status, 500);
    }
    store.heal();
    browser.page_get("/readyz").await.ok();
}
