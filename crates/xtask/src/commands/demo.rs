//! `cargo xtask demo`: everything built and running, for a person to sign in.
//!
//! The environment of the programs is made here from nothing, so that no setting of the
//! shell, and no `.env` of the checkout, changes what the demo shows.

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use super::build::{self, ServerProfile};
use crate::context::Context;
use crate::frontend_build::Profile;
use crate::ports::{self, PortUse};
use crate::progress::seconds;
use crate::readiness::Probe;
use crate::services::Services;
use crate::tools::python::{self, Purpose};

/// Identifier of the API in the dev tenant's sheet.
const API_AUDIENCE: &str = "http://oe.streamlit.app/api";
/// Streamlit's first import of its libraries on a cold disk takes the most of it.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// What the programs may see of the shell.
const INHERITED: [&str; 7] = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "RUST_LOG",
    "RUST_BACKTRACE",
];

/// Options of `cargo xtask demo`.
#[derive(Args, Clone, Debug)]
pub(crate) struct Arguments {
    /// Port of the companion, which serves the sign-in component
    #[arg(long = "port-companion", value_name = "PORT", default_value_t = 3001)]
    pub(crate) companion: u16,
    /// Port of the dev tenant, the OpenID Provider of the demo
    #[arg(long = "port-tenant", value_name = "PORT", default_value_t = 3002)]
    pub(crate) tenant: u16,
    /// Port of the Streamlit app
    #[arg(long = "port-streamlit", value_name = "PORT", default_value_t = 4010)]
    pub(crate) streamlit: u16,
    /// Port of the remote API that the app calls
    #[arg(long = "port-api", value_name = "PORT", default_value_t = 8888)]
    pub(crate) api: u16,
}

/// Builds, starts, and runs until Ctrl-C.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    ports::check(&arguments.ports())?;
    prepare(context)?;
    let mut services = Services::new(context);
    start(context, arguments, &mut services)?;
    services.wait_ready(READY_WITHIN)?;
    context.progress.say(format_args!(
        "ready after {}\n\n{}",
        seconds(context.progress.elapsed()),
        arguments.welcome(&people(arguments.tenant))
    ));
    services.wait_for_stop()?;
    context.progress.say("stopping");
    services.stop();
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    /// The ports with the parts that want them.
    pub(crate) fn ports(&self) -> [PortUse; 4] {
        let port = |port, part, option| PortUse { port, part, option };
        [
            port(self.companion, "companion", "--port-companion"),
            port(self.tenant, "dev tenant", "--port-tenant"),
            port(self.streamlit, "Streamlit app", "--port-streamlit"),
            port(self.api, "remote API", "--port-api"),
        ]
    }

    fn welcome(&self, people: &[Person]) -> String {
        let people = people.iter().fold(String::new(), |text, person| {
            text + &format!(
                "    {:<26} {:<16} {}\n",
                person.credentials, person.name, person.rights
            )
        });
        format!(
            "  Streamlit app   http://localhost:{}   <- open this one and sign in\n\
             \x20 companion       http://localhost:{}\n\
             \x20 dev tenant      http://localhost:{}\n\
             \x20 remote API      http://localhost:{}\n\n\
             \x20 Who can sign in (user / password):\n{people}\n\
             \x20 Logs are in target/xtask-logs. Ctrl-C stops everything.\n",
            self.streamlit, self.companion, self.tenant, self.api
        )
    }
}

/// The dev profile for the servers: on two cores half the time of a release build, and a
/// person who clicks cannot tell. The component is the release one: its size can be told.
fn prepare(context: &Context) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let python = scope.spawn(|| python::environment(context, Purpose::Run));
        let built = build::all(context, Profile::Release, ServerProfile::Dev);
        let python = python
            .join()
            .map_err(|_| anyhow!("the python step panicked"))?;
        if let Err(over) = built?.check() {
            context.progress.say(format_args!("warning: {over}"));
        }
        python
    })
}

fn start(
    context: &Context,
    arguments: &Arguments,
    services: &mut Services<'_>,
) -> anyhow::Result<()> {
    let folder = context.workspace.target().join("demo");
    fs::create_dir_all(&folder)?;
    let companion = format!("http://localhost:{}", arguments.companion);
    services.start(
        "companion",
        companion_command(context, arguments, &folder)
            .env("PORT", arguments.companion.to_string())
            .env("AUTH0_BASE_URL", &companion)
            .env("STATIC_DIR", context.workspace.dist()),
        Some(Probe {
            port: arguments.companion,
            path: "/readyz",
        }),
        false,
    )?;
    start_api(context, arguments, &folder, &companion, services)?;
    start_streamlit(context, arguments, &folder, &companion, services)
}

/// The companion with its dev tenant, without its own address.
pub(crate) fn companion_command(
    context: &Context,
    arguments: &Arguments,
    folder: &Path,
) -> Command {
    let streamlit = arguments.streamlit;
    let mut command = program(&context.workspace.debug_binary("component-auth0"), folder);
    command
        .args(["serve", "--dev"])
        .env("DEV_TENANT_PORT", arguments.tenant.to_string())
        .env(
            "STREAMLIT_ORIGINS",
            format!("http://localhost:{streamlit},http://127.0.0.1:{streamlit}"),
        )
        .env(
            "REMOTE_API_BASE_URL",
            format!("http://localhost:{}", arguments.api),
        )
        .env(
            "SESSION_STORE",
            format!("sqlite:{}", folder.join("component-auth0.db").display()),
        );
    command
}

/// The remote API, for access tokens of the dev tenant.
pub(crate) fn start_api(
    context: &Context,
    arguments: &Arguments,
    folder: &Path,
    companion: &str,
    services: &mut Services<'_>,
) -> anyhow::Result<()> {
    let mut command = program(&context.workspace.debug_binary("remote-api"), folder);
    command
        .env("PORT", arguments.api.to_string())
        .env("API_AUDIENCE", API_AUDIENCE)
        .env(
            "AUTH0_ISSUER_BASE_URL",
            format!("http://localhost:{}/", arguments.tenant),
        )
        .env(
            "CORS_ORIGINS",
            format!("{companion},http://localhost:{}", arguments.streamlit),
        );
    let probe = Probe {
        port: arguments.api,
        path: "/api/ping",
    };
    services.start("remote API", &mut command, Some(probe), false)
}

/// The demo app.
pub(crate) fn start_streamlit(
    context: &Context,
    arguments: &Arguments,
    folder: &Path,
    companion: &str,
    services: &mut Services<'_>,
) -> anyhow::Result<()> {
    let mut command = program(&context.workspace.venv_program("streamlit"), folder);
    command
        .arg("run")
        .arg(context.workspace.join("python/examples/demo_app.py"))
        .args(["--server.headless=true", "--server.address=localhost"])
        .arg(format!("--server.port={}", arguments.streamlit))
        .args(["--browser.gatherUsageStats=false"])
        .env("COMPONENT_BASE_URL", companion)
        .env(
            "REMOTE_API_BASE_URL",
            format!("http://localhost:{}", arguments.api),
        );
    let probe = Probe {
        port: arguments.streamlit,
        path: "/_stcore/health",
    };
    services.start("Streamlit app", &mut command, Some(probe), false)
}

/// A program with a known environment, in a folder without a `.env`.
fn program(path: &Path, folder: &Path) -> Command {
    in_known_environment(Command::new(path), folder)
}

/// Of the shell's environment only what any program needs, and `folder` to work in.
pub(crate) fn in_known_environment(mut command: Command, folder: &Path) -> Command {
    command.current_dir(folder).env_clear();
    command.envs(
        INHERITED
            .iter()
            .filter_map(|name| Some((name, env::var_os(name)?))),
    );
    command
}

/// Somebody who can sign in.
#[derive(Debug, PartialEq, Eq)]
struct Person {
    name: String,
    credentials: String,
    rights: String,
}

/// Reads the users off the dev tenant's own page: its sheet is the one place that knows
/// them, and linking the tenant's crate would put its whole web stack before the first
/// line that this command can print.
fn people(tenant: u16) -> Vec<Person> {
    let probe = Probe {
        port: tenant,
        path: "/",
    };
    people_on(&probe.text().unwrap_or_default())
}

fn people_on(page: &str) -> Vec<Person> {
    let list = page
        .split_once("class=\"people\"")
        .and_then(|(_, rest)| rest.split_once("</ul>"))
        .map_or("", |(list, _)| list);
    let person = |item: &str| {
        Some(Person {
            name: between(item, "<strong>", "</strong>")?.to_owned(),
            credentials: between(item, "<code>", "</code>")?.to_owned(),
            rights: between(item, "class=\"facts\">", "</span>")?.to_owned(),
        })
    };
    list.split("</li>").filter_map(person).collect()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn arguments() -> Arguments {
        Arguments {
            companion: 1,
            tenant: 2,
            streamlit: 3,
            api: 4,
        }
    }

    #[test]
    fn the_welcome_names_every_address() {
        let welcome = arguments().welcome(&[]);
        for port in 1..=4 {
            assert!(
                welcome.contains(&format!("http://localhost:{port} "))
                    || welcome.contains(&format!("http://localhost:{port}\n"))
            );
        }
    }

    #[test]
    fn people_are_read_off_the_tenants_page() {
        let page = "<ul class=\"people\"><li><strong>Ada Lovelace</strong><br>\
            <code>ada / ada-password</code><span class=\"facts\">admin</span></li></ul>\
            <ul><li><strong>no one</strong></li></ul>";
        let ada = Person {
            name: "Ada Lovelace".to_owned(),
            credentials: "ada / ada-password".to_owned(),
            rights: "admin".to_owned(),
        };
        assert_eq!(people_on(page), [ada]);
        assert_eq!(people_on("an error page"), []);
    }

    #[test]
    fn settings_of_the_shell_do_not_reach_the_programs() {
        let command = program(Path::new("/bin/true"), Path::new("/"));
        let names: Vec<&OsStr> = command.get_envs().map(|(name, _)| name).collect();
        assert!(
            names
                .iter()
                .all(|name| INHERITED.iter().any(|known| name == known))
        );
        assert!(names.contains(&OsStr::new("PATH")));
    }
}
