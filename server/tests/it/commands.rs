//! The binary's commands, as processes with an environment of their own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_component-auth0"));
    // Neither the environment of the tests nor a .env in the workspace.
    command.args(arguments).env_clear().current_dir(directory);
    command
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn dev_tenant(arguments: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let arguments = [&["dev-tenant"], arguments].concat();
    command(directory.path(), &arguments).output().unwrap()
}

fn dev_tenant_with(file: &str) -> (Output, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tenant.toml");
    std::fs::write(&path, file).unwrap();
    let path = path.to_str().unwrap();
    (dev_tenant(&["--config", path]), path.to_owned())
}

#[test]
fn the_printed_sheet_is_a_file_that_the_tenant_reads_as_its_default() {
    let printed = dev_tenant(&["--print-config"]);
    assert!(printed.status.success());
    assert!(printed.stderr.is_empty(), "{}", text(&printed.stderr));
    let sheet = dev_tenant::Settings::from_toml(&text(&printed.stdout)).unwrap();
    let default = dev_tenant::Settings::default();
    let sheets = [sheet, default].map(|sheet| serde_json::to_value(&sheet).unwrap());
    assert_eq!(sheets[0], sheets[1]);
}

#[test]
fn problems_of_a_tenants_file_are_one_line_each_with_exit_2() {
    let file = "issuer = 'nonsense'\n[[users]]\nusername = 'a'\npassword = 'p'\n\
                permissions = { 'http://nowhere' = ['x'] }\n";
    let (output, path) = dev_tenant_with(file);
    assert_eq!(output.status.code(), Some(2));
    let problems = text(&output.stderr);
    let lines: Vec<&str> = problems.lines().collect();
    assert_eq!(lines.len(), 2, "{problems}");
    assert!(
        lines.iter().all(|line| line.starts_with(&path)),
        "{problems}"
    );
    assert!(lines[0].contains("issuer:"), "{problems}");
    assert!(lines[1].contains("user a: no API"), "{problems}");
}

#[test]
fn a_tenants_file_that_does_not_parse_is_one_line_with_its_place() {
    let (output, path) = dev_tenant_with("# sheet\nisuer = 'http://localhost:3002/'\n");
    assert_eq!(output.status.code(), Some(2));
    let problems = text(&output.stderr);
    assert_eq!(problems.lines().count(), 1, "{problems}");
    let start = format!("{path}: line 2: unknown field `isuer`");
    assert!(problems.starts_with(&start), "{problems}");
}

#[test]
fn a_tenant_that_others_could_reach_is_refused() {
    for arguments in [
        &["--config", "/nonexistent/tenant.toml"][..],
        &["--issuer", "http://10.0.0.1:3002/"],
        &["--issuer", "https://localhost:3002/"],
        &["--issuer", "nonsense"],
    ] {
        let output = dev_tenant(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&output.stderr).lines().count(), 1, "{arguments:?}");
    }
}

#[test]
fn check_config_is_content_with_the_2022_env_file() {
    let directory = tempfile::tempdir().unwrap();
    let output = command(directory.path(), &["check-config", "--env-file", SAMPLE])
        .output()
        .unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(said.ends_with("the configuration is good\n"), "{said}");
    assert!(!said.contains("YouWillNeverGuess"), "{said}");
}

#[test]
fn the_companion_boots_with_the_2022_env_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = command(directory.path(), &["serve", "--env-file", SAMPLE]);
    // The file's port may be taken on this machine.
    let mut companion = Started::by(command.env("PORT", "0"));
    let address = companion.address();
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = "GET /api/ping HTTP/1.1\r\nhost: localhost:3001\r\nconnection: close\r\n\r\n";
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/2022.env");

/// A companion that runs; it ends with the test, however that ends.
pub(crate) struct Started {
    pub(crate) process: Child,
    lines: mpsc::Receiver<String>,
}

impl Started {
    pub(crate) fn by(command: &mut Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(process.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                sender.send(line).ok();
            }
        });
        Self { process, lines }
    }

    /// Where it listens, from its log.
    pub(crate) fn address(&mut self) -> String {
        let line = self.said("listening on ");
        let (_, rest) = line.split_once("listening on ").unwrap();
        let (address, _) = rest.split_once(',').expect("an address");
        address.to_owned()
    }

    /// The next line of its log with these words in it.
    pub(crate) fn said(&mut self, words: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|_| panic!("it says {words:?}"));
            if line.contains(words) {
                return line;
            }
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
