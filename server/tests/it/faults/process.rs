//! A process that is short of something: descriptors (E44), a log (E61); or that is given too
//! much (E07).

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::strange_provider::{METADATA, Reply, StrangeProvider};
use crate::commands::command;
use crate::harness::{World, eventually};
use crate::hostile_clients::{Companion, PING, exchange};

/// How many descriptors a process has open.
pub(super) fn open_descriptors(process: &Child) -> usize {
    let directory = format!("/proc/{}/fd", process.id());
    std::fs::read_dir(directory).unwrap().count()
}

// E44: nothing is left to accept with, though there are seats. It waits, and goes on.
#[tokio::test]
async fn a_companion_without_a_free_descriptor_waits_for_one_and_goes_on() {
    const FREE: usize = 3;
    let world = World::new().await;
    let companion = Companion::start(&world, &[]);
    companion.serves_an_honest_client().await;
    let process = &companion.started.process;
    let pid = Pid::from_child(process);
    let most = open_descriptors(process) + FREE;
    let limits = prlimit(
        Some(pid),
        Resource::Nofile,
        Rlimit {
            current: Some(most as u64),
            maximum: Some(most as u64),
        },
    );
    limits.unwrap();
    let mut idle = Vec::new();
    for _ in 0..10 {
        idle.push(companion.connect().await);
    }
    eventually(async || open_descriptors(process) >= most).await;
    let mut waiting = companion.connect().await;
    waiting.write_all(PING.as_bytes()).await.unwrap();
    drop(idle);
    let mut answer = String::new();
    waiting.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    companion.serves_an_honest_client().await;
}

/// Where a process listens, found without its help.
fn listening_address(process: &Child) -> Option<String> {
    let descriptors = std::fs::read_dir(format!("/proc/{}/fd", process.id())).ok()?;
    let sockets: Vec<String> = descriptors
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|target| {
            let target = target.to_str()?.strip_prefix("socket:[")?;
            Some(target.trim_end_matches(']').to_owned())
        })
        .collect();
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_listening = fields[3] == "0A" && sockets.iter().any(|inode| inode == fields[9]);
        let (_, port) = fields[1].split_once(':')?;
        let port = u16::from_str_radix(port, 16).ok()?;
        is_listening.then(|| format!("127.0.0.1:{port}"))
    })
}

/// Ends with the test.
struct Unheard(Child);

impl Drop for Unheard {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn talkative(world: &World) -> Command {
    let mut command = command(world.directory.path(), &["serve"]);
    command
        .envs(&world.settings)
        .env("SESSION_STORE", "sqlite:process.db")
        .env("AUDIT_LOG", "stdout")
        .env("RUST_LOG", "debug")
        .env("PORT", "0");
    command
}

/// People sign in there, or are refused in good order: each writes to the log.
async fn serves_people(address: &str) {
    let login = "GET /api/auth/login HTTP/1.1\r\nhost: localhost:3001\r\nconnection: close\r\n\r\n";
    let callback = login.replace("login", "callback?code=c&state=s");
    for _ in 0..5 {
        let answer = exchange(address, login.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
        let answer = exchange(address, callback.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        let answer = exchange(address, PING.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

// E61: the disk with the log is full.
#[tokio::test]
async fn a_log_on_a_full_disk_is_lost_and_nobody_is_turned_away() {
    let world = World::new().await;
    let full = || Stdio::from(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let process = talkative(&world).stdout(full()).stderr(full()).spawn();
    let process = Unheard(process.unwrap());
    eventually(async || listening_address(&process.0).is_some()).await;
    serves_people(&listening_address(&process.0).unwrap()).await;
}

// E61: whoever read the log has died.
#[tokio::test]
async fn a_log_that_nobody_reads_any_more_is_lost_and_nobody_is_turned_away() {
    let world = World::new().await;
    let process = talkative(&world)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut process = Unheard(process.unwrap());
    let mut log = BufReader::new(process.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listening on ") {
        line.clear();
        assert_ne!(log.read_line(&mut line).unwrap(), 0);
    }
    drop(log);
    serves_people(&listening_address(&process.0).unwrap()).await;
}

/// The most memory that a companion ever used, in KiB, until it had asked this provider.
async fn most_memory(world: &World, provider: &StrangeProvider, expected: &str) -> u64 {
    let issuer = provider.issuer();
    let companion = Companion::start(world, &[("AUTH0_ISSUER_BASE_URL", &issuer)]);
    let login = "GET /api/auth/login HTTP/1.1\r\nhost: localhost:3001\r\nconnection: close\r\n\r\n";
    let answer = companion.exchange(login.as_bytes()).await;
    assert!(answer.starts_with(expected), "{answer}");
    assert!(provider.requests_to(METADATA) > 0);
    companion.serves_an_honest_client().await;
    companion.most_resident()
}

// E07: what a provider sends without end costs no memory.
#[tokio::test]
async fn bodies_without_measure_leave_memory_flat() {
    let world = World::new().await;
    let honest = most_memory(&world, &StrangeProvider::start().await, "HTTP/1.1 303").await;
    let endless = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let keys = format!(
        r#"{{"keys":[{}{{}}]}}"#,
        r#"{"kty":"RSA"},"#.repeat(1_000_000)
    );
    let deep = "[".repeat(64 << 20);
    for (what, reply) in [
        ("a body without end", Reply::Endless(endless)),
        ("64 MiB of brackets", Reply::json(deep)),
        ("a million keys", Reply::json(keys)),
    ] {
        let provider = StrangeProvider::start().await;
        provider.answers(METADATA, reply);
        let most = most_memory(&world, &provider, "HTTP/1.1 502").await;
        println!("{what}: {most} KiB at most, {honest} KiB with an honest provider");
        assert!(most < honest + 8 * 1024, "{what}: {honest} -> {most} KiB");
    }
}
