//! Each fault of the session store by name, as people and hosts see it (E60, E61): a quick
//! 503 that says so, never "nobody is signed in", nothing taken from anybody, and the same
//! cookies work when the store is back, without a restart.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;
use test_redis::{Fault, FaultProxy, Options, RedisServer};
use url::Url;

use crate::harness::{Answer, Browser, Handoff, Host, SignedIn, StoreFaults, World, eventually};

/// A store call has two seconds; the machine of the tests may be busy.
const QUICKLY: Duration = Duration::from_secs(4);

/// What is under way when the store fails.
struct Scene {
    world: World,
    someone: SignedIn,
    /// Minted, not redeemed.
    ticket: String,
    /// Came back from the provider, not delivered.
    returning: (Browser, Url),
    /// Finished, not claimed.
    unclaimed: (Browser, Handoff, Host),
}

impl Scene {
    async fn on(world: World) -> Self {
        let someone = world.signed_in("ada").await;
        let ticket = someone.browser.ticket(&someone.host).await.ok();
        let browser = world.browser();
        let authorize = browser.begin_page().await;
        let callback = browser.authenticate(&authorize, "grace").await;
        let (frame, handoff) = (world.browser(), Handoff::new(&world));
        frame.popup_login(&handoff, "linus").await;
        Self {
            ticket: ticket["ticket"].as_str().unwrap().to_owned(),
            returning: (browser, callback),
            unclaimed: (frame, handoff, Host::new(&world)),
            someone,
            world,
        }
    }

    async fn on_redis(url: &str) -> Self {
        Self::on(World::with(&[("SESSION_STORE", url)]).await).await
    }

    /// What only reads, asked all at once.
    async fn reads(&self) -> Vec<(&'static str, Answer)> {
        let SignedIn { browser, host, .. } = &self.someone;
        let grant = self.someone.grant();
        answers(vec![
            ("me of the page", browser.page_get("/api/auth/me").boxed()),
            ("me of the frame", browser.frame_get("/api/auth/me").boxed()),
            ("session", host.session(grant).boxed()),
            ("token", host.token(grant).boxed()),
        ])
        .await
    }

    /// What writes, asked all at once.
    async fn writes(&self) -> Vec<(&'static str, Answer)> {
        let SignedIn { browser, host, .. } = &self.someone;
        let (frame, handoff, other_host) = &self.unclaimed;
        let leave = json!({});
        answers(vec![
            ("ticket", browser.ticket(host).boxed()),
            ("redeem", host.redeem(&self.ticket).boxed()),
            ("handoff", frame.claim(handoff, other_host).boxed()),
            (
                "logout",
                browser.frame_post("/api/auth/logout", &leave).boxed(),
            ),
            ("revoke", host.revoke(self.someone.grant()).boxed()),
        ])
        .await
    }

    async fn callback(&self) -> Answer {
        let (browser, callback) = &self.returning;
        browser.arrive(callback).await
    }

    /// The store is away altogether.
    async fn assert_nothing_answers(&self) {
        let began = Instant::now();
        let (reads, writes, callback) = tokio::join!(self.reads(), self.writes(), self.callback());
        assert!(began.elapsed() < QUICKLY, "{:?}", began.elapsed());
        for (what, answer) in reads.iter().chain(&writes) {
            assert_is_a_fault(what, answer);
        }
        assert_is_a_fault_on_a_page(&callback);
        let login = self.someone.browser.open("/api/auth/login").await;
        assert_is_a_fault_on_a_page(&login);
        self.assert_ready(503, "unavailable").await;
    }

    /// The store can be read, and not written.
    async fn assert_only_reading_works(&self) {
        for (what, answer) in self.reads().await {
            assert_eq!(answer.status, 200, "{what}: {}", answer.body);
            assert!(answer.set_cookies().is_empty(), "{what}");
        }
        let began = Instant::now();
        let (writes, callback) = tokio::join!(self.writes(), self.callback());
        assert!(began.elapsed() < QUICKLY, "{:?}", began.elapsed());
        for (what, answer) in &writes {
            assert_is_a_fault(what, answer);
        }
        assert_is_a_fault_on_a_page(&callback);
        self.assert_ready(503, "unavailable").await;
    }

    /// All that was under way goes on, with the cookies, tickets and handles of before.
    async fn assert_all_is_well_again(&self) {
        eventually(async || {
            let me = self.someone.browser.page_get("/api/auth/me").await;
            assert_ne!(me.status, 401, "a fault is no sign-out: {}", me.body);
            me.status == 200
        })
        .await;
        self.assert_ready(200, "ready").await;
        for (what, answer) in self.reads().await {
            assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        }
        let SignedIn { browser, host, .. } = &self.someone;
        browser.ticket(host).await.ok();
        host.redeem(&self.ticket).await.ok();
        let (frame, handoff, other_host) = &self.unclaimed;
        frame.claim(handoff, other_host).await.ok();
        // The person loads the page again, as it says.
        let loaded = self.callback().await;
        assert_eq!(loaded.header("location"), "/signed-in", "{}", loaded.body);
        let left = browser.frame_post("/api/auth/logout", &json!({})).await;
        left.ok();
        host.session(self.someone.grant())
            .await
            .assert(401, "session_ended");
    }

    async fn assert_ready(&self, status: u16, store: &str) {
        // What was found is remembered for a second.
        self.world.clock.advance(1);
        let ready = self.world.browser().page_get("/readyz").await;
        assert_eq!(ready.status, status, "{}", ready.body);
        assert_eq!(ready.json()["store"], store);
    }
}

async fn answers(
    requests: Vec<(&'static str, BoxFuture<'_, Answer>)>,
) -> Vec<(&'static str, Answer)> {
    let named = requests
        .into_iter()
        .map(async |(what, request)| (what, request.await));
    join_all(named).await
}

#[track_caller]
fn assert_is_a_fault(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 503, "{what}: {}", answer.body);
    assert_eq!(answer.code(), "store_unavailable", "{what}");
    assert!(!answer.header("retry-after").is_empty(), "{what}");
    assert!(answer.set_cookies().is_empty(), "{what} takes a cookie");
}

#[track_caller]
fn assert_is_a_fault_on_a_page(answer: &Answer) {
    answer.assert_page(503, "store_unavailable");
    assert!(answer.body.contains("try again"), "{}", answer.body);
    assert!(!answer.header("retry-after").is_empty());
    assert!(answer.set_cookies().is_empty(), "it can be loaded again");
}

async fn behind_proxy() -> (RedisServer, FaultProxy, Scene) {
    let redis = RedisServer::start();
    let proxy = redis.proxy();
    let scene = Scene::on_redis(&proxy.url()).await;
    (redis, proxy, scene)
}

#[tokio::test]
async fn redis_refused() {
    let (_redis, proxy, scene) = behind_proxy().await;
    proxy.set(Fault::Refuse);
    scene.assert_nothing_answers().await;
    proxy.set(Fault::None);
    scene.assert_all_is_well_again().await;
}

#[tokio::test]
async fn redis_slow() {
    let (_redis, proxy, scene) = behind_proxy().await;
    proxy.set(Fault::Delay(Duration::from_secs(5)));
    scene.assert_nothing_answers().await;
    proxy.set(Fault::None);
    scene.assert_all_is_well_again().await;
}

#[tokio::test]
async fn redis_that_swallows_all() {
    let (_redis, proxy, scene) = behind_proxy().await;
    proxy.set(Fault::BlackHole);
    scene.assert_nothing_answers().await;
    proxy.set(Fault::None);
    scene.assert_all_is_well_again().await;
}

#[tokio::test]
async fn redis_frozen() {
    let redis = RedisServer::start();
    let scene = Scene::on_redis(&redis.url()).await;
    redis.pause();
    scene.assert_nothing_answers().await;
    redis.resume();
    scene.assert_all_is_well_again().await;
}

#[tokio::test]
async fn redis_stopped_and_started_again() {
    let mut redis = Options::new().append_only().start();
    let scene = Scene::on_redis(&redis.url()).await;
    redis.stop();
    scene.assert_nothing_answers().await;
    redis.start_again();
    scene.assert_all_is_well_again().await;
}

// As after a failover that left us with the old master.
#[tokio::test]
async fn redis_read_only() {
    let redis = RedisServer::start();
    let scene = Scene::on_redis(&redis.url()).await;
    assert_eq!(redis.cli(&["REPLICAOF", "127.0.0.1", "1"]), "OK");
    scene.assert_only_reading_works().await;
    assert_eq!(redis.cli(&["REPLICAOF", "NO", "ONE"]), "OK");
    scene.assert_all_is_well_again().await;
}

// "Not there" is no fault: everybody is signed out, and can sign in again.
#[tokio::test]
async fn redis_wiped() {
    let redis = RedisServer::start();
    let scene = Scene::on_redis(&redis.url()).await;
    assert_eq!(redis.cli(&["FLUSHALL"]), "OK");
    let SignedIn { browser, host, .. } = &scene.someone;
    let me = browser.page_get("/api/auth/me").await;
    me.assert(401, "not_authenticated");
    browser.ticket(host).await.assert(401, "not_authenticated");
    for answer in [
        host.session(scene.someone.grant()).await,
        host.token(scene.someone.grant()).await,
    ] {
        answer.assert(401, "session_ended");
        assert_eq!(answer.json()["reason"], "unknown");
    }
    host.redeem(&scene.ticket)
        .await
        .assert(400, "invalid_ticket");
    scene.assert_ready(200, "ready").await;
    assert_eq!(scene.callback().await.header("location"), "/signed-in");
    scene.world.signed_in("ada").await;
}

// The command or its reply is lost on the way, at every request anew.
#[tokio::test]
async fn redis_cut_in_mid_command() {
    for cut in [Fault::CutCommand(7), Fault::CutReply(0), Fault::CutReply(3)] {
        let (_redis, proxy, scene) = behind_proxy().await;
        let SignedIn { browser, host, .. } = &scene.someone;
        let grant = scene.someone.grant();
        for _ in 0..3 {
            for request in [
                browser.page_get("/api/auth/me").boxed(),
                browser.ticket(host).boxed(),
                host.session(grant).boxed(),
                host.token(grant).boxed(),
            ] {
                proxy.set(cut);
                let began = Instant::now();
                let answer = request.await;
                assert!(began.elapsed() < QUICKLY, "{cut:?}");
                if answer.status != 200 {
                    assert_is_a_fault(&format!("{cut:?}"), &answer);
                }
            }
        }
        proxy.set(cut);
        let callback = scene.callback().await;
        if callback.status == 503 {
            assert_is_a_fault_on_a_page(&callback);
            proxy.set(Fault::None);
            scene.assert_all_is_well_again().await;
        } else {
            assert_eq!(callback.header("location"), "/signed-in");
        }
    }
}

// G11: whoever sets up a Redis that forgets sessions when it is full hears of it.
#[tokio::test]
async fn redis_that_evicts_is_misconfigured_and_not_ready() {
    let redis = RedisServer::start();
    let scene = Scene::on_redis(&redis.url()).await;
    assert_eq!(redis.cli(&["CONFIG", "SET", "maxmemory", "100mb"]), "OK");
    let policy = ["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"];
    assert_eq!(redis.cli(&policy), "OK");
    scene.assert_ready(503, "misconfigured").await;
    let policy = ["CONFIG", "SET", "maxmemory-policy", "noeviction"];
    assert_eq!(redis.cli(&policy), "OK");
    scene.assert_ready(200, "ready").await;
}

#[tokio::test]
async fn redis_that_wants_another_password() {
    let redis = Options::new().password("the right one").start();
    let url = redis.url().replace("right", "wrong");
    let world = World::with(&[("SESSION_STORE", &url)]).await;
    let browser = world.browser();
    let ready = browser.page_get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["store"], "misconfigured");
    let authorize = browser.begin_page().await;
    let callback = browser.authenticate(&authorize, "ada").await;
    assert_is_a_fault_on_a_page(&browser.arrive(&callback).await);
}

#[tokio::test]
async fn sqlite_locked() {
    let scene = Scene::on(World::new().await).await;
    let path = scene.world.directory.path().join("sessions.db");
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    scene.assert_only_reading_works().await;
    other.execute_batch("ROLLBACK").unwrap();
    scene.assert_all_is_well_again().await;
}

/// What SQLite reports of a disk that has become read-only comes up here as it does from
/// the store; that it reports so is the store's own test.
#[tokio::test]
async fn sqlite_read_only() {
    let faults = StoreFaults::default();
    let world = World::new().await.behind(|store| faults.before(store));
    let scene = Scene::on(world).await;
    for operation in [
        "create_session",
        "update_session",
        "touch_session",
        "end_session",
        "put_handle",
        "take_handle",
        "remove_handle",
        "acquire_lease",
        "probe",
    ] {
        faults.fail(operation, 0, usize::MAX);
    }
    scene.assert_only_reading_works().await;
    faults.heal();
    scene.assert_all_is_well_again().await;
}

/// Runs this binary again with a disk of its own that has two megabytes.
#[test]
fn sqlite_disk_full() {
    let directory = TempDir::new().unwrap();
    let script =
        r#"mount -t tmpfs -o size=2m none "$1" && export TMPDIR="$1" && shift && exec "$@""#;
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount"])
        .args(["sh", "-c", script, "sh"])
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "store_faults::child_on_a_full_disk"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "is `unshare --user --mount` forbidden here? {said} {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
#[ignore = "fills the disk it runs on: `sqlite_disk_full` gives it a small one"]
async fn child_on_a_full_disk() {
    let scene = Scene::on(World::new().await).await;
    let ballast = scene.world.directory.path().join("ballast");
    fill(&ballast);
    scene.assert_only_reading_works().await;
    std::fs::remove_file(&ballast).unwrap();
    scene.assert_all_is_well_again().await;
}

fn fill(ballast: &Path) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(ballast).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
}

// The code is spent when the store fails: nobody will ever hold what it brought.
#[tokio::test]
async fn a_login_whose_session_cannot_be_stored_leaves_nothing_behind() {
    let faults = StoreFaults::default();
    let world = World::new().await.behind(|store| faults.before(store));
    let browser = world.browser();
    let (handoff, host) = (Handoff::new(&world), Host::new(&world));
    let authorize = browser.begin_popup(&handoff).await;
    let callback = browser.authenticate(&authorize, "ada").await;
    faults.fail("create_session", 0, 1);
    let answer = browser.arrive(&callback).await;
    answer.assert_page(503, "store_unavailable");
    assert!(!answer.sets_session_cookie());
    // Its frame stops waiting, and the provider takes its refresh token no more.
    browser
        .claim(&handoff, &host)
        .await
        .assert(409, "login_refused");
    eventually(async || world.tenant.journal().requests_to("revoke") == 1).await;
    world.signed_in("ada").await;
}

// Reading goes on where a use cannot be noted: the cookie is renewed when it can be.
#[tokio::test]
async fn a_use_that_cannot_be_noted_is_noted_the_next_time() {
    let faults = StoreFaults::default();
    let world = World::new().await.behind(|store| faults.before(store));
    let browser = world.browser();
    browser.page_login("ada").await;
    world.clock.advance(2 * 3600);
    faults.fail("touch_session", 0, 1);
    let me = browser.page_get("/api/auth/me").await;
    assert!(
        me.set_cookies().is_empty() && me.status == 200,
        "{}",
        me.body
    );
    let me = browser.page_get("/api/auth/me").await;
    assert_eq!(me.set_cookies().len(), 1);
    assert_eq!(me.json()["expires_at"], world.clock.seconds() + 86_400);
}
