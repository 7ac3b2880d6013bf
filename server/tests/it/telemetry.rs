//! The log of a companion that runs as a process, and what it exports.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::commands::command;

const DEADLINE: Duration = Duration::from_secs(30);
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/2022.env");
const CANARY: &str = "canary-0123456789";

/// A companion whose output is kept to its end.
struct Companion {
    process: Child,
    log: BufReader<ChildStderr>,
    lines: Vec<String>,
    address: String,
    _directory: tempfile::TempDir,
}

/// What it had to say.
struct Said {
    log: Vec<String>,
    output: String,
}

impl Companion {
    fn start(environment: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = command(directory.path(), &["serve", "--env-file", SAMPLE]);
        command.env("PORT", "0").envs(environment.iter().copied());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let mut companion = Self {
            process,
            log,
            lines: Vec::new(),
            address: String::new(),
            _directory: directory,
        };
        companion.address = companion.listening();
        companion
    }

    fn listening(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.log.read_line(&mut line).unwrap(),
                0,
                "{:?}",
                self.lines
            );
            self.lines.push(line.trim_end().to_owned());
            if let Some((_, rest)) = line.split_once("listening on ") {
                return rest.split_once(',').unwrap().0.to_owned();
            }
        }
    }

    /// The answer's head and body.
    fn get(&self, target: &str, headers: &str) -> String {
        let mut connection = TcpStream::connect(&self.address).unwrap();
        connection.set_read_timeout(Some(DEADLINE)).unwrap();
        let request = format!(
            "GET {target} HTTP/1.1\r\nhost: localhost:3001\r\nconnection: close\r\n{headers}\r\n"
        );
        connection.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    fn end(mut self) -> Said {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        let log = self.log.by_ref().lines().map(Result::unwrap);
        self.lines.extend(log);
        assert!(self.process.wait().unwrap().success(), "{:?}", self.lines);
        let mut output = String::new();
        let stdout = self.process.stdout.as_mut().unwrap();
        stdout.read_to_string(&mut output).unwrap();
        Said {
            log: std::mem::take(&mut self.lines),
            output,
        }
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn header<'a>(answer: &'a str, name: &str) -> &'a str {
    let start = format!("{name}: ");
    let line = answer.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap_or_else(|| panic!("no {name} in {answer}"))
}

#[test]
fn a_request_has_one_id_in_header_page_log_and_audit_log() {
    let companion = Companion::start(&[("LOG_FORMAT", "json"), ("RUST_LOG", "debug")]);
    let target = format!("/api/auth/callback?code={CANARY}&state={CANARY}");
    let headers = format!("accept: text/html\r\nx-request-id: {CANARY}\r\ncookie: a={CANARY}\r\n");
    let answer = companion.get(&target, &headers);
    let id = header(&answer, "x-request-id");
    let (_, page) = answer.split_once("\r\n\r\n").unwrap();
    assert!(page.contains(&format!("<code>{id}</code>")), "{page}");
    let said = companion.end();
    // Standard output is the audit log and nothing else.
    let events: Vec<Value> = said.output.lines().map(json).collect();
    assert_eq!(events.len(), 1, "{}", said.output);
    assert_eq!(events[0]["event"], "login_failed");
    assert_eq!(events[0]["request_id"], id);
    // Standard error is the log, every line of it JSON.
    let log: Vec<Value> = said.log.iter().map(|line| json(line)).collect();
    let refused = log.iter().find(|line| line["message"] == "request refused");
    let refused = refused.unwrap_or_else(|| panic!("{:#?}", said.log));
    assert_eq!(refused["code"], "invalid_transaction");
    let spans = refused["spans"].as_array().unwrap();
    let request = spans.iter().find(|span| span["name"] == "request").unwrap();
    assert_eq!(request["request_id"], id);
    assert_eq!(request["route"], "/api/auth/callback");
    let all = said.log.join("\n") + &said.output;
    assert!(!all.contains(CANARY), "{all}");
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"))
}

#[test]
fn the_operators_listener_is_named_in_the_log_and_ends_with_the_process() {
    let companion = Companion::start(&[("METRICS_ADDR", "127.0.0.1:0"), ("AUDIT_LOG", "off")]);
    let line = companion
        .lines
        .iter()
        .find_map(|line| line.split_once("metrics on "));
    let operator = line.unwrap().1.to_owned();
    let mut connection = TcpStream::connect(&operator).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = "GET /metrics HTTP/1.1\r\nhost: whatever\r\nconnection: close\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("# EOF\n"), "{answer}");
    assert!(companion.get("/metrics", "").starts_with("HTTP/1.1 404"));
    assert_eq!(companion.end().output, "");
    assert!(TcpStream::connect(&operator).is_err());
}

#[cfg(not(feature = "otel"))]
#[test]
fn a_build_without_export_says_so_when_a_collector_is_named() {
    let companion = Companion::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318")]);
    // Answering, it also listens for signals.
    companion.get("/api/ping", "");
    let log = companion.end().log.join("\n");
    assert!(log.contains("exports no traces"), "{log}");
}

#[cfg(feature = "otel")]
mod export {
    use std::io::Read as _;
    use std::net::TcpListener;
    use std::sync::mpsc;

    use super::*;

    /// A collector: its address, and the bodies that it gets.
    fn collector() -> (String, mpsc::Receiver<(String, Vec<u8>)>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (sender, bodies) = mpsc::channel();
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(connection);
                while let Some(request) = request(&mut reader) {
                    reader
                        .get_mut()
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                        .unwrap();
                    sender.send(request).ok();
                }
            }
        });
        (address, bodies)
    }

    fn request(reader: &mut BufReader<TcpStream>) -> Option<(String, Vec<u8>)> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.parse().ok())?
        });
        let mut body = vec![0; length?];
        reader.read_exact(&mut body).ok()?;
        Some((head, body))
    }

    fn holds(bytes: &[u8], text: &[u8]) -> bool {
        bytes.windows(text.len()).any(|window| window == text)
    }

    #[test]
    fn spans_arrive_at_the_collector_without_anything_from_outside() {
        let (endpoint, bodies) = collector();
        let companion = Companion::start(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint),
            ("OTEL_SERVICE_NAME", "sign-in-of-the-test"),
        ]);
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let headers = format!(
            "traceparent: 00-{trace}-b7ad6b7169203331-01\r\ntracestate: a={CANARY}\r\n\
             baggage: b={CANARY}\r\ncookie: a={CANARY}\r\nuser-agent: {CANARY}\r\n"
        );
        let target = format!("/api/auth/callback?code={CANARY}&state={CANARY}");
        let answer = companion.get(&target, &headers);
        companion.get(&format!("/nowhere/{CANARY}"), &headers);
        let id = header(&answer, "x-request-id").to_owned();
        companion.end();
        let requests: Vec<_> = bodies.try_iter().collect();
        assert!(
            requests
                .iter()
                .all(|(head, _)| head.starts_with("POST /v1/traces "))
        );
        let all: Vec<u8> = requests.into_iter().flat_map(|(_, body)| body).collect();
        for expected in [
            "sign-in-of-the-test",
            "GET /api/auth/callback",
            "GET unmatched",
            "http.response.status_code",
            "store call",
            "peek_handle",
            &id,
        ] {
            assert!(holds(&all, expected.as_bytes()), "no {expected}");
        }
        assert!(!holds(&all, CANARY.as_bytes()));
        // Nobody outside chooses our trace ids.
        let foreign = u128::from_str_radix(trace, 16).unwrap().to_be_bytes();
        assert!(!holds(&all, &foreign));
    }
}
