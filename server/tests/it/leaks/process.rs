//! The same flows through a companion that runs as a process and logs at the lowest level:
//! what libraries write (hyper, reqwest, rustls, Redis) is part of its log too. What it exports
//! with the feature `otel` is looked at in `telemetry.rs`.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use oidc::{Clock as _, SystemClock};
use test_redis::Options;

use super::{Canaries, assert_exchange, every_flow, failing_logins, misplaced_secrets};
use crate::commands::command;
use crate::harness::{App, World};

const DEADLINE: Duration = Duration::from_mins(1);
const REDIS_PASSWORD: &str = "canary-of-the-password-of-redis-0123456789";

/// A companion whose outputs are read all the time: at this level they would fill a pipe.
struct Process {
    child: Running,
    address: String,
    log: JoinHandle<String>,
    audit: JoinHandle<String>,
}

/// It ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

impl Process {
    fn start(world: &World, changes: &[(&str, &str)]) -> Self {
        let mut command = command(world.directory.path(), &["serve"]);
        command
            .envs(&world.settings)
            .envs([
                ("PORT", "0"),
                ("RUST_LOG", "trace"),
                ("LOG_FORMAT", "json"),
                ("AUDIT_LOG", "stdout"),
            ])
            .envs(changes.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = Running(command.spawn().unwrap());
        let (sender, address) = mpsc::channel();
        let log = collect(child.0.stderr.take().unwrap(), move |line| {
            if let Some((_, rest)) = line.split_once("listening on ") {
                let address = rest.split_once(',').unwrap().0.to_owned();
                sender.send(address).ok();
            }
        });
        let audit = collect(child.0.stdout.take().unwrap(), |_| ());
        let address = address.recv_timeout(DEADLINE).expect("it listens");
        Self {
            child,
            address,
            log,
            audit,
        }
    }

    /// The arguments, as everybody on the machine can read them.
    fn arguments(&self) -> String {
        std::fs::read_to_string(format!("/proc/{}/cmdline", self.child.0.id())).unwrap_or_default()
    }

    /// Log and audit log, from start to end.
    fn end(mut self) -> (String, String) {
        let id = self.child.0.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-TERM", &id])
            .status();
        assert!(sent.unwrap().success());
        assert!(self.child.0.wait().unwrap().success());
        (self.log.join().unwrap(), self.audit.join().unwrap())
    }
}

fn collect(
    output: impl Read + Send + 'static,
    mut each: impl FnMut(&str) + Send + 'static,
) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            each(&line);
            text.push_str(&line);
            text.push('\n');
        }
        text
    })
}

/// In place of the router in this process: one whose answers come from that address.
fn forwarding_to(address: &str) -> Router {
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let base = format!("http://{address}");
    Router::new().fallback(move |request: Request| {
        let (http, base) = (http.clone(), base.clone());
        async move { forward(&http, &base, request).await }
    })
}

async fn forward(http: &reqwest::Client, base: &str, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let target = parts.uri.path_and_query().unwrap();
    let sent = http
        .request(parts.method, format!("{base}{target}"))
        .headers(parts.headers)
        .body(body)
        .send();
    let answer = sent.await.unwrap();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = Body::from(answer.bytes().await.unwrap());
    response
}

/// Runs the flows; the log of the process is given to `look`, with the canaries.
async fn run(changes: &[(&str, &str)], further: &[(&'static str, &str)]) -> String {
    let mut world = World::with(&[("LOGOUT_ID_TOKEN_HINT", "true")]).await;
    world
        .clock
        .advance(SystemClock.now().seconds() - world.clock.seconds());
    let process = Process::start(&world, changes);
    world.app = App::new(forwarding_to(&process.address));
    let mut canaries = Canaries::of(&world);
    for (name, value) in further {
        canaries.add(name, *value);
    }
    every_flow(&world, &mut canaries, 0).await;
    failing_logins(&world, &mut canaries, 0).await;
    misplaced_secrets(&world, &mut canaries).await;
    canaries.assert_none_in(&process.arguments(), "the arguments of the process", &[]);
    let metrics = world.browser().page_get("/metrics").await.body;
    assert!(metrics.contains("component_auth0_logins_failed"));
    canaries.assert_none_in(&metrics, "the metrics", &[]);
    let (log, audit) = tokio::task::spawn_blocking(|| process.end()).await.unwrap();
    assert_said_nothing(&canaries, &log, "the log");
    assert_said_nothing(&canaries, &audit, "the audit log");
    assert!(
        audit.contains("\"login\"") && audit.contains("\"logout\""),
        "{audit}"
    );
    for exchange in world.exchanges.lock().unwrap().iter() {
        assert_exchange(&canaries, exchange);
    }
    log
}

/// Line by line, so that a failure shows the one line.
#[track_caller]
fn assert_said_nothing(canaries: &Canaries, text: &str, place: &str) {
    for line in text.lines() {
        canaries.assert_none_in(line, place, &[]);
        assert!(!line.contains("eyJ"), "a JWT in {place}: {line}");
    }
}

#[track_caller]
fn assert_from_libraries(log: &str, targets: &[&str]) {
    assert!(log.contains("\"level\":\"TRACE\""), "at the lowest level");
    for target in targets {
        assert!(
            log.contains(&format!("\"target\":\"{target}")),
            "nothing of {target}"
        );
    }
}

#[tokio::test]
async fn no_secret_is_in_the_log_of_a_process_at_the_lowest_level() {
    let log = run(&[], &[]).await;
    assert_from_libraries(&log, &["hyper_util", "reqwest"]);
}

#[tokio::test]
async fn nor_with_redis_whose_password_is_nowhere_either() {
    let redis = Options::new().password(REDIS_PASSWORD).start();
    let url = redis.url();
    let password = [("password of Redis", REDIS_PASSWORD)];
    let log = run(&[("SESSION_STORE", &url)], &password).await;
    assert_from_libraries(&log, &["hyper_util"]);
}
