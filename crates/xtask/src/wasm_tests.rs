//! Runs a wasm32 test binary in headless Chromium: Cargo's runner for the frontend's tests.
//!
//! `wasm-bindgen-test-runner` would need its own crate compiled (minutes) and a driver for
//! the browser. The page here runs the tests by itself and posts what they printed.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::Args;
use wasm_bindgen_cli_support::Bindgen;

use crate::context::Context;
use crate::services::Services;
use crate::tools::browser;

/// For a browser that starts on a machine that compiles.
const DEADLINE: Duration = Duration::from_mins(3);
/// The report is text of our own tests: a larger one is a mistake.
const LARGEST_REPORT: u64 = 4 * 1024 * 1024;
const PAGE: &str = include_str!("wasm_tests/page.html");
const SCRIPT: &str = include_str!("wasm_tests/run.js");

/// What Cargo passes to a runner.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The test binary
    wasm: PathBuf,
    /// Words of which a test's name must contain one
    filters: Vec<String>,
}

/// Fails when a test fails, or the run breaks off.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    // Without tests wasm-bindgen's part is not even linked in, and bindgen would refuse.
    if !has_tests(&fs::read(&arguments.wasm)?) {
        println!("test result: ok. 0 passed; 0 failed; 0 ignored; 0 filtered out");
        return Ok(ExitCode::SUCCESS);
    }
    let name = arguments
        .wasm
        .file_stem()
        .context("the test binary has no name")?;
    let folder = context
        .workspace
        .frontend_target()
        .join("wasm-tests")
        .join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    bindings(&arguments.wasm, &folder, &arguments.filters)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let url = format!("http://{}/", listener.local_addr()?);
    let (report, reports) = mpsc::channel();
    let served = folder.clone();
    // Ends with this process.
    thread::spawn(move || serve(&listener, &served, &report));

    let mut services = Services::new(context);
    let mut browser = browser::chromium(&folder.join("profile"))?;
    services.start("Chromium", browser.arg(&url), None, false)?;
    let text = wait_for_report(&mut services, &reports)?;
    println!("{}", text.trim_end());
    Ok(if is_success(&text) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Each `#[wasm_bindgen_test]` is an export of such a name.
fn has_tests(wasm: &[u8]) -> bool {
    let prefix = b"__wbgt_";
    wasm.windows(prefix.len()).any(|bytes| bytes == prefix)
}

fn bindings(wasm: &Path, folder: &Path, filters: &[String]) -> anyhow::Result<()> {
    Bindgen::new()
        .web(true)?
        .debug(true)
        .keep_debug(false)
        .emit_start(false)
        .export_wasm(true)
        .typescript(false)
        .input_path(wasm)
        .out_name("tests")
        .generate(folder)
        .with_context(|| format!("wasm-bindgen refused {}", wasm.display()))?;
    fs::write(folder.join("index.html"), PAGE)?;
    fs::write(folder.join("run.js"), SCRIPT)?;
    fs::write(folder.join("filters.txt"), filters.join("\n"))?;
    Ok(())
}

fn wait_for_report(
    services: &mut Services<'_>,
    reports: &Receiver<String>,
) -> anyhow::Result<String> {
    services
        .run_until(DEADLINE, || reports.try_recv().ok())?
        .ok_or_else(|| anyhow!("the tests did not end within {} s", DEADLINE.as_secs()))
}

/// A binary without tests is fine, one that never got to its last line is not.
fn is_success(report: &str) -> bool {
    report
        .lines()
        .any(|line| line.trim_start().starts_with("test result: ok."))
}

fn serve(listener: &TcpListener, folder: &Path, report: &Sender<String>) {
    for stream in listener.incoming().flatten() {
        // A browser that hangs up is its own affair.
        let _hung_up = answer(stream, folder, report);
    }
}

fn answer(mut stream: TcpStream, folder: &Path, report: &Sender<String>) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let length = content_length(&mut reader)?;
    let mut words = request.split_whitespace();
    match (words.next(), words.next()) {
        (Some("POST"), Some("/report")) => {
            let mut body = Vec::new();
            reader
                .take(length.min(LARGEST_REPORT))
                .read_to_end(&mut body)?;
            let _done_waiting = report.send(String::from_utf8_lossy(&body).into_owned());
            respond(&mut stream, "204 No Content", "text/plain", b"")
        }
        (Some("GET"), Some(path)) => match file(folder, path) {
            Some((kind, contents)) => respond(&mut stream, "200 OK", kind, &contents),
            None => respond(&mut stream, "404 Not Found", "text/plain", b""),
        },
        _ => respond(&mut stream, "400 Bad Request", "text/plain", b""),
    }
}

fn content_length(reader: &mut impl io::BufRead) -> io::Result<u64> {
    let mut length = 0;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    Ok(length)
}

/// Only files below the folder of this run.
fn file(folder: &Path, path: &str) -> Option<(&'static str, Vec<u8>)> {
    let relative = match path.trim_start_matches('/') {
        "" => "index.html",
        relative => relative,
    };
    if relative.split('/').any(|part| part == "..") {
        return None;
    }
    let kind = match relative.rsplit_once('.')?.1 {
        "html" => "text/html",
        "js" => "text/javascript",
        "wasm" => "application/wasm",
        _ => "text/plain",
    };
    Some((kind, fs::read(folder.join(relative)).ok()?))
}

fn respond(stream: &mut TcpStream, status: &str, kind: &str, body: &[u8]) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_closing_line_that_says_so_is_success() {
        assert!(is_success("test result: ok. 3 passed; 0 failed; 0 ignored"));
        assert!(!is_success("test result: FAILED. 3 passed; 1 failed"));
        assert!(!is_success("RuntimeError: unreachable"));
        assert!(!is_success(""));
    }

    #[test]
    fn a_binary_has_tests_when_it_exports_some() {
        assert!(has_tests(b"\0asm...__wbgt__login::opens_a_window..."));
        assert!(!has_tests(b"\0asm...main..."));
        assert!(!has_tests(b""));
    }

    #[test]
    fn serves_nothing_outside_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("index.html"), "page").unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        let inner = folder.path().join("inner");
        assert!(file(folder.path(), "/").is_some());
        assert!(file(&inner, "/../index.html").is_none());
    }

    #[test]
    fn a_report_arrives_whole() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, reports) = mpsc::channel();
        thread::spawn(move || serve(&listener, folder.path(), &sender));
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .write_all(b"POST /report HTTP/1.1\r\ncontent-length: 11\r\n\r\nhello\nworld")
            .unwrap();
        assert_eq!(reports.recv().unwrap(), "hello\nworld");
    }
}
