//! The programs of a measurement on free ports: dev tenant, companion, remote API.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use super::Bench;
use super::resources::free_port;
use super::samples::Samples;
use super::wrk::{Requests, Target};
use crate::commands::demo;
use crate::process;
use crate::progress::Step;
use crate::readiness::Probe;
use crate::services::Services;

/// `STREAMLIT_SECRET` of the measured companion, which lives for minutes on this machine.
pub(super) const HOST_SECRET: &str = "benchmark-secret-of-the-streamlit-host-32-bytes";
/// `AUTH0_SECRET`, likewise.
pub(super) const SESSION_SECRET: &str = "benchmark-session-secret-of-the-companion-32";
const CLIENT_ID: &str = "dev-OEStreamlitApp";
const CLIENT_SECRET: &str = "dev-only-secret-of-OEStreamlitApp";
const API_AUDIENCE: &str = "http://oe.streamlit.app/api";
const SCOPE: &str = "openid profile email offline_access \
    read:messages read:chart read:export write:import write:solve";
const READY_WITHIN: Duration = Duration::from_mins(1);
const COMPANION: &str = "bench companion";

/// Running programs; all end when it is dropped.
pub(super) struct Site<'a> {
    pub(super) services: Services<'a>,
    pub(super) companion: u16,
    tenant: u16,
    host: u16,
    folder: PathBuf,
    store: String,
}

impl<'a> Site<'a> {
    /// Dev tenant and companion, ready. `store` is its `SESSION_STORE`; without one it has a
    /// SQLite file in `folder`, which is emptied.
    ///
    /// # Errors
    /// When one of them does not start.
    pub(super) fn start(
        bench: &Bench<'a>,
        folder: &Path,
        store: Option<String>,
        callbacks: &[String],
    ) -> anyhow::Result<Self> {
        fresh(folder)?;
        let sqlite = || format!("sqlite:{}", folder.join("sessions.db").display());
        let mut site = Self {
            services: Services::new(bench.context),
            companion: free_port()?,
            tenant: free_port()?,
            host: free_port()?,
            folder: folder.to_path_buf(),
            store: store.unwrap_or_else(sqlite),
        };
        site.start_tenant(bench, callbacks)?;
        site.start_companion(bench)?;
        site.services.wait_ready(READY_WITHIN)?;
        Ok(site)
    }

    /// Ends the companion and starts it anew on the same store and port.
    ///
    /// # Errors
    /// When it does not start again.
    pub(super) fn restart_companion(&mut self, bench: &Bench<'a>) -> anyhow::Result<()> {
        self.services.stop_one(COMPANION);
        self.start_companion(bench)?;
        self.services.wait_ready(READY_WITHIN)
    }

    /// The remote API beside them.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn start_remote_api(&mut self, bench: &Bench<'a>) -> anyhow::Result<u16> {
        let port = free_port()?;
        let mut command = self.program(bench.cores.server(bench.binary("remote-api").as_os_str()));
        command
            .env("PORT", port.to_string())
            .env("API_AUDIENCE", API_AUDIENCE)
            .env("AUTH0_ISSUER_BASE_URL", self.issuer());
        let probe = Probe {
            port,
            path: "/api/ping",
        };
        self.services
            .start("bench remote API", &mut command, Some(probe), false)?;
        self.services.wait_ready(READY_WITHIN)?;
        Ok(port)
    }

    /// An experiment beside them: a guard with and without a cache of verified tokens.
    ///
    /// # Errors
    /// When it does not start.
    pub(super) fn start_cached_guard(&mut self, bench: &Bench<'a>) -> anyhow::Result<u16> {
        let port = free_port()?;
        let mut command = self.program(bench.cores.server(bench.binary("bench-load").as_os_str()));
        command
            .args(["cached-guard", "--port", &port.to_string()])
            .args(["--issuer", &self.issuer()])
            .args(["--audience", API_AUDIENCE]);
        let probe = Probe {
            port,
            path: "/api/ping",
        };
        self.services
            .start("bench cached guard", &mut command, Some(probe), false)?;
        self.services.wait_ready(READY_WITHIN)?;
        Ok(port)
    }

    /// Signs `count` people in, `concurrency` at once; their cookies and grants go to
    /// [`Self::cookies`] and [`Self::grants`].
    ///
    /// # Errors
    /// When a login fails.
    pub(super) fn sign_in(
        &self,
        bench: &Bench<'_>,
        step: &Step,
        count: u32,
        concurrency: u32,
    ) -> anyhow::Result<Samples> {
        let mut command = bench.load_tool("sign-in");
        command
            .args(["--companion", &self.companion_url()])
            .args(["--host-origin", &self.host_origin()])
            .args(["--count", &count.to_string()])
            .args(["--concurrency", &concurrency.to_string()])
            .arg("--out")
            .arg(&self.folder)
            .env("STREAMLIT_SECRET", HOST_SECRET);
        Samples::parse(&process::run(bench.context, step, &mut command)?)
    }

    /// Copies the session of the first cookie `count` times; the copies' cookies.
    ///
    /// # Errors
    /// When the store cannot be filled.
    pub(super) fn seed(
        &self,
        bench: &Bench<'_>,
        step: &Step,
        count: u32,
    ) -> anyhow::Result<PathBuf> {
        let cookies = fs::read_to_string(self.cookies())?;
        let cookie = cookies.lines().next().context("nobody has signed in")?;
        let copies = self.folder.join("copies.txt");
        let mut command = bench.load_tool("seed");
        command
            .args(["--store", &self.store, "--cookie", cookie])
            .args(["--count", &count.to_string()])
            .arg("--out")
            .arg(&copies)
            .env("AUTH0_SECRET", SESSION_SECRET);
        process::run(bench.context, step, &mut command)?;
        Ok(copies)
    }

    /// A path of the companion.
    pub(super) fn target(&self, path: &'static str, requests: Requests) -> Target {
        Target {
            name: path.to_owned(),
            port: self.companion,
            path,
            requests,
        }
    }

    pub(super) fn cookies(&self) -> PathBuf {
        self.folder.join("page-cookies.txt")
    }

    pub(super) fn grants(&self) -> PathBuf {
        self.folder.join("grants.txt")
    }

    pub(super) fn access_tokens(&self) -> PathBuf {
        self.folder.join("access-tokens.txt")
    }

    /// The companion's process.
    ///
    /// # Errors
    /// When it has ended.
    pub(super) fn process(&self) -> anyhow::Result<u32> {
        let process = self.services.process(COMPANION);
        process.context("the companion does not run")
    }

    pub(super) fn companion_url(&self) -> String {
        format!("http://localhost:{}", self.companion)
    }

    /// Auth0's issuers end in a slash, and the dev tenant's does too.
    pub(super) fn issuer(&self) -> String {
        format!("http://localhost:{}/", self.tenant)
    }

    fn host_origin(&self) -> String {
        format!("http://localhost:{}", self.host)
    }

    fn start_tenant(&mut self, bench: &Bench<'a>, callbacks: &[String]) -> anyhow::Result<()> {
        let binary = bench.binary("component-auth0");
        let print = ["dev-tenant", "--print-config"];
        let sheet = Command::new(&binary).args(print).output()?;
        let sheet = with_callbacks(&String::from_utf8(sheet.stdout)?, callbacks)?;
        let path = self.folder.join("dev-tenant.toml");
        fs::write(&path, sheet)?;
        let mut command = self.program(bench.cores.load(binary.as_os_str()));
        command
            .args(["dev-tenant", "--issuer", &self.issuer()])
            .args(["--allow-base-url", &self.companion_url()])
            .arg("--config")
            .arg(path);
        let probe = Probe {
            port: self.tenant,
            path: "/.well-known/openid-configuration",
        };
        self.services
            .start("bench dev tenant", &mut command, Some(probe), false)
    }

    fn start_companion(&mut self, bench: &Bench<'a>) -> anyhow::Result<()> {
        let mut command = self.companion_command(bench);
        let probe = Probe {
            port: self.companion,
            path: "/readyz",
        };
        self.services
            .start(COMPANION, &mut command, Some(probe), false)
    }

    /// The companion with the settings of a small deployment. Only the limit of logins from
    /// one address is off: all load comes from one.
    pub(super) fn companion_command(&self, bench: &Bench<'_>) -> Command {
        let binary = bench.binary("component-auth0");
        let mut command = self.program(bench.cores.server(binary.as_os_str()));
        command
            .env("PORT", self.companion.to_string())
            .env("AUTH0_BASE_URL", self.companion_url())
            .env("AUTH0_ISSUER_BASE_URL", self.issuer())
            .env("AUTH0_CLIENT_ID", CLIENT_ID)
            .env("AUTH0_CLIENT_SECRET", CLIENT_SECRET)
            .env("AUTH0_SECRET", SESSION_SECRET)
            .env("AUTH0_AUDIENCE", API_AUDIENCE)
            .env("AUTH0_SCOPE", SCOPE)
            .env("STREAMLIT_SECRET", HOST_SECRET)
            .env("STREAMLIT_ORIGINS", self.host_origin())
            .env("SESSION_STORE", &self.store)
            .env("RATE_LIMIT_PER_MINUTE", "off")
            .env("STATIC_DIR", bench.context.workspace.dist());
        command
    }

    fn program(&self, command: Command) -> Command {
        demo::in_known_environment(command, &self.folder)
    }
}

/// An empty folder of that name.
///
/// # Errors
/// When it cannot be made.
pub(super) fn fresh(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

/// The tenant's sheet with further callbacks of its application: those of the peers.
fn with_callbacks(sheet: &str, callbacks: &[String]) -> anyhow::Result<String> {
    const LIST: &str = "callbacks = [\n";
    let (before, after) = sheet
        .split_once(LIST)
        .context("the dev tenant's sheet has no callbacks")?;
    let lines = callbacks.iter().fold(String::new(), |lines, callback| {
        lines + &format!("    \"{callback}\",\n")
    });
    Ok(format!("{before}{LIST}{lines}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_s_callback_is_added_to_the_first_application() {
        let sheet = "[[clients]]\ncallbacks = [\n    \"http://localhost:3000/x\",\n]\n";
        let added = with_callbacks(sheet, &["http://localhost:9/oidc".to_owned()]).unwrap();
        assert_eq!(
            added,
            "[[clients]]\ncallbacks = [\n    \"http://localhost:9/oidc\",\n    \"http://localhost:3000/x\",\n]\n"
        );
        assert!(with_callbacks("", &[]).is_err());
    }
}
