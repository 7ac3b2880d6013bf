//! Starts, freezes, stops and restarts one `redis-server` of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::proxy::FaultProxy;

/// How long a start or a stop may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);
/// Between two looks at a server that is not ready yet.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// A port that is free when asked may be taken when used: so often another is tried.
const PORT_ATTEMPTS: usize = 5;

/// Runs the server in the background and kills it as soon as our end of the pipe closes:
/// that happens when the test says so, and also when the test's process dies in any way.
/// (`PR_SET_PDEATHSIG` would fire when the *thread* that started it ends.)
const KEEPER: &str = r#"redis-server "$@" >/dev/null 2>&1 & pid=$!
echo "$pid"; read -r _; kill -9 "$pid" 2>/dev/null; wait "$pid" 2>/dev/null"#;

/// How to start a server. The default: no persistence, a unix socket only.
#[derive(Clone, Default)]
pub struct Options {
    arguments: Vec<String>,
    password: Option<String>,
    append_only: bool,
    tcp: bool,
    tls: Option<(PathBuf, PathBuf)>,
}

impl Options {
    /// The default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every write goes to an append-only file: [`RedisServer::start_again`] finds it there.
    #[must_use]
    pub fn append_only(mut self) -> Self {
        self.append_only = true;
        self
    }

    /// Asks for this password (`requirepass`); the URLs carry it.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Listens on a free TCP port of 127.0.0.1 too, for programs that cannot use the socket.
    /// [`FaultProxy`] is the better way to have TCP in a test: its port is never lost.
    #[must_use]
    pub fn tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// Listens with TLS on a free TCP port of 127.0.0.1, with this certificate and its key (two
    /// PEM files).
    #[must_use]
    pub fn tls(mut self, certificate: &Path, key: &Path) -> Self {
        self.tls = Some((certificate.to_owned(), key.to_owned()));
        self
    }

    /// A further argument of `redis-server`, for instance `["--maxmemory", "3mb"]`.
    #[must_use]
    pub fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments
            .extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// Starts it and waits until it answers.
    #[must_use]
    pub fn start(self) -> RedisServer {
        let directory = TempDir::new().expect("a temporary directory");
        let mut server = RedisServer {
            socket: directory.path().join("redis.sock"),
            directory,
            port: None,
            options: self,
            running: None,
        };
        server.start_again();
        server
    }
}

/// A `redis-server` that lives as long as this value and no longer than the test's process.
pub struct RedisServer {
    socket: PathBuf,
    port: Option<u16>,
    options: Options,
    running: Option<Running>,
    // After `running`: the files go when nobody writes them any more.
    directory: TempDir,
}

struct Running {
    keeper: Child,
    leash: Option<ChildStdin>,
    pid: u32,
}

impl RedisServer {
    /// Starts one with the default options.
    #[must_use]
    pub fn start() -> Self {
        Options::new().start()
    }

    /// Starts what was stopped, with the same options at the same place. Nothing happens if
    /// it runs.
    pub fn start_again(&mut self) {
        if self.running.is_some() {
            return;
        }
        for _ in 0..PORT_ATTEMPTS {
            if (self.options.tcp || self.options.tls.is_some()) && self.port.is_none() {
                self.port = Some(free_port());
            }
            let running = self.spawn();
            if self.wait_until_ready(&running) {
                self.running = Some(running);
                return;
            }
            self.port = None;
        }
        panic!("redis-server does not start: {}", self.log());
    }

    /// Stops it at once, as a crash would (`kill -9`): what it had not written is lost.
    /// Nothing happens if it is stopped.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Freezes it (`SIGSTOP`): connections stay, new ones are taken by the kernel, nobody
    /// answers.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets a frozen server go on, with what was sent to it meanwhile.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// `redis+unix://…` of its socket.
    #[must_use]
    pub fn url(&self) -> String {
        let password = self.options.password.as_ref();
        let password = password.map_or(String::new(), |password| format!("?pass={password}"));
        format!("redis+unix://{}{password}", self.socket.display())
    }

    /// `redis://127.0.0.1:…` of its port; only with [`Options::tcp`].
    #[must_use]
    pub fn tcp_url(&self) -> String {
        let port = self.port.expect("started with Options::tcp");
        format!("redis://{}127.0.0.1:{port}", self.user_info())
    }

    /// `rediss://localhost:…` of its port; only with [`Options::tls`].
    #[must_use]
    pub fn tls_url(&self) -> String {
        let port = self.port.expect("started with Options::tls");
        format!("rediss://{}localhost:{port}", self.user_info())
    }

    /// A proxy before this server, with a TCP port that stays while the server comes and goes.
    #[must_use]
    pub fn proxy(&self) -> FaultProxy {
        FaultProxy::start(self.socket.clone(), self.user_info())
    }

    /// Its unix socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Where it keeps its files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Runs `redis-cli` with these arguments against it and gives what that prints, without
    /// the last newline. An error reply of the server is printed text too.
    #[must_use = "an error reply comes as text: look at it"]
    pub fn cli(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.arg("-s").arg(&self.socket);
        if let Some(password) = &self.options.password {
            command.args(["--no-auth-warning", "-a", password]);
        }
        let output = command
            .args(arguments)
            .output()
            .expect("redis-cli is missing: apt install redis-tools");
        String::from_utf8_lossy(&output.stdout)
            .trim_end()
            .to_owned()
    }

    /// What it wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("redis.log")).unwrap_or_else(|_| {
            "no log: is redis-server installed? apt install redis-server".into()
        })
    }

    fn user_info(&self) -> String {
        let password = self.options.password.as_ref();
        password.map_or(String::new(), |password| format!(":{password}@"))
    }

    fn spawn(&self) -> Running {
        let port = self.port.unwrap_or(0).to_string();
        let plain = if self.options.tls.is_some() {
            "0"
        } else {
            &port
        };
        let directory = self.directory.path();
        let mut command = Command::new("sh");
        command
            .args(["-c", KEEPER, "redis-keeper"])
            .args(["--port", plain, "--bind", "127.0.0.1"])
            .arg("--unixsocket")
            .arg(&self.socket)
            .arg("--dir")
            .arg(directory)
            .arg("--logfile")
            .arg(directory.join("redis.log"))
            .args(["--save", "", "--appendfsync", "always", "--appendonly"])
            .arg(if self.options.append_only {
                "yes"
            } else {
                "no"
            });
        if let Some(password) = &self.options.password {
            command.args(["--requirepass", password]);
        }
        if let Some((certificate, key)) = &self.options.tls {
            command
                .args(["--tls-port", &port, "--tls-auth-clients", "no"])
                .arg("--tls-cert-file")
                .arg(certificate)
                .arg("--tls-key-file")
                .arg(key);
        }
        let mut keeper = command
            .args(&self.options.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh runs");
        let leash = keeper.stdin.take();
        let mut pid = String::new();
        BufReader::new(keeper.stdout.take().expect("the pipe was asked for"))
            .read_line(&mut pid)
            .expect("the keeper tells the server's process id");
        Running {
            pid: pid.trim().parse().expect("a process id"),
            keeper,
            leash,
        }
    }

    /// `false`: it ended instead, for instance since its port was taken meanwhile.
    fn wait_until_ready(&self, running: &Running) -> bool {
        let give_up = Instant::now() + DEADLINE;
        while Instant::now() < give_up {
            if self.answers() {
                return true;
            }
            if ended(running.pid) {
                return false;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        panic!(
            "redis-server did not get ready in {DEADLINE:?}: {}",
            self.log()
        );
    }

    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<bool> {
            let mut stream = UnixStream::connect(&self.socket)?;
            stream.set_read_timeout(Some(Duration::from_secs(1)))?;
            stream.write_all(b"PING\r\n")?;
            let mut reply = [0; 5];
            stream.read_exact(&mut reply)?;
            // `-NOAU`: it wants the password, so it is up. `-LOAD`: not yet.
            Ok(&reply == b"+PONG" || &reply == b"-NOAU")
        };
        ask().unwrap_or(false)
    }

    fn signal(&self, signal: &str) {
        let running = self.running.as_ref().expect("the server runs");
        let status = Command::new("kill")
            .args([signal, &running.pid.to_string()])
            .status();
        assert!(status.is_ok_and(|status| status.success()), "kill {signal}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The keeper reads the end of its input and kills the server, frozen or not.
        drop(self.leash.take());
        let _ = self.keeper.wait();
    }
}

/// Gone, or a zombie that the keeper has not collected yet.
fn ended(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_starts_stops_and_starts_again_without_its_data() {
        let mut server = RedisServer::start();
        assert_eq!(server.cli(&["SET", "a", "1"]), "OK");
        server.stop();
        assert!(!server.answers());
        server.start_again();
        assert_eq!(server.cli(&["GET", "a"]), "");
    }

    #[test]
    fn an_append_only_server_keeps_its_data_over_a_crash() {
        let mut server = Options::new().append_only().start();
        assert_eq!(server.cli(&["SET", "a", "1"]), "OK");
        server.stop();
        server.start_again();
        assert_eq!(server.cli(&["GET", "a"]), "1");
    }

    #[test]
    fn a_frozen_server_does_not_answer_until_it_goes_on() {
        let server = RedisServer::start();
        server.pause();
        assert!(!server.answers());
        server.resume();
        assert!(server.answers());
    }

    #[test]
    fn no_server_outlives_its_value() {
        let server = Options::new().tcp().start();
        let pid = server.running.as_ref().map(|running| running.pid);
        let pid = pid.expect("it runs");
        assert!(!ended(pid));
        drop(server);
        assert!(ended(pid));
    }
}
