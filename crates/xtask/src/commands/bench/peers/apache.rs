//! Apache with `mod_auth_openidc`, a certified relying party in C: a protected page, and its
//! own answer to "who is signed in", both with a session cookie.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::commands::bench::Bench;
use crate::commands::bench::site::{Site, fresh};
use crate::commands::bench::wrk::{Requests, Target};
use crate::commands::demo;
use crate::process;
use crate::progress::Step;
use crate::readiness::Probe;
use crate::tools::packages::{self, Package};
use crate::tools::python::{self, Purpose};

/// Registered at the dev tenant.
pub(crate) const CALLBACK_PATH: &str = "/oidc/callback";
/// The module's own answer for scripts (`OIDCInfoHook`), nearest to our `/api/auth/me`.
const INFO_PATH: &str = "/oidc/callback?info=json";
const PAGE_PATH: &str = "/protected/page.json";
const PACKAGES: [Package; 2] = [
    Package {
        name: "apache2-bin",
        program: "apache2",
        service: None,
    },
    Package {
        name: "libapache2-mod-auth-openidc",
        // No program, but found by its absolute path all the same.
        program: "/usr/lib/apache2/modules/mod_auth_openidc.so",
        service: None,
    },
];

/// A running one with somebody signed in.
pub(crate) struct Apache {
    port: u16,
    cookies: PathBuf,
}

impl Apache {
    /// Starts it beside the dev tenant, and signs somebody in.
    ///
    /// # Errors
    /// When it cannot be installed or started, or the login fails.
    pub(crate) fn start<'a>(
        bench: &Bench<'a>,
        step: &Step,
        site: &mut Site<'a>,
        port: u16,
    ) -> anyhow::Result<Self> {
        packages::ensure(bench.context, step, &PACKAGES)?;
        let folder = bench.folder("apache");
        fresh(&folder)?;
        let configuration = configure(bench, site, &folder, port)?;
        let command = bench.cores.server("/usr/sbin/apache2".as_ref());
        let mut command = demo::in_known_environment(command, &folder);
        command.args(["-D", "FOREGROUND", "-f"]).arg(configuration);
        let probe = Probe {
            port,
            path: "/public.json",
        };
        site.services
            .start("bench Apache", &mut command, Some(probe), false)?;
        site.services.wait_ready(bench.patience)?;
        let cookies = folder.join("cookies.txt");
        sign_in(bench, step, port, &cookies)?;
        Ok(Self { port, cookies })
    }

    /// What is asked of it.
    pub(crate) fn targets(&self) -> impl Iterator<Item = Target> {
        [
            ("Apache mod_auth_openidc, info hook", INFO_PATH),
            ("Apache mod_auth_openidc, protected file", PAGE_PATH),
        ]
        .into_iter()
        .map(|(name, path)| Target {
            name: name.to_owned(),
            port: self.port,
            path,
            requests: Requests::Cookies(self.cookies.clone()),
        })
    }
}

/// `bench/peers/apache.conf` with this run's ports and folders.
fn configure(
    bench: &Bench<'_>,
    site: &Site<'_>,
    folder: &Path,
    port: u16,
) -> anyhow::Result<PathBuf> {
    let pages = folder.join("pages/protected");
    fs::create_dir_all(&pages)?;
    let answer = r#"{"user":{"sub":"auth0|ada","name":"Ada Lovelace"}}"#;
    fs::write(pages.join("page.json"), answer)?;
    fs::write(folder.join("pages/public.json"), answer)?;
    let template = bench.context.workspace.join("bench/peers/apache.conf");
    let configuration = fs::read_to_string(template)?
        .replace("{FOLDER}", &folder.to_string_lossy())
        .replace("{PORT}", &port.to_string())
        .replace("{ISSUER}", &site.issuer())
        .replace("{CALLBACK_PATH}", CALLBACK_PATH);
    let path = folder.join("apache.conf");
    fs::write(&path, configuration)?;
    Ok(path)
}

/// As a browser without scripts does; leaves the session cookie.
fn sign_in(bench: &Bench<'_>, step: &Step, port: u16, cookies: &Path) -> anyhow::Result<()> {
    python::environment(bench.context, Purpose::Test)?;
    let workspace = &bench.context.workspace;
    let mut command = Command::new(workspace.venv_program("python"));
    command
        .arg(workspace.join("bench/sign_in.py"))
        .arg(format!("http://localhost:{port}{PAGE_PATH}"))
        .arg(cookies);
    process::run(bench.context, step, &mut command)?;
    Ok(())
}
