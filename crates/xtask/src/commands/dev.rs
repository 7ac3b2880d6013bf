//! `cargo xtask dev`: the demo, with the component rebuilt by Trunk whenever it is saved.
//!
//! Trunk stands where the companion stands in the demo and passes `/api` on to it, so the
//! component and its companion stay one origin. Edits of the servers need a restart.

use std::fs;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;

use super::build::{self, ServerProfile};
use super::demo;
use crate::context::Context;
use crate::ports::{self, PortUse};
use crate::readiness::Probe;
use crate::services::Services;
use crate::tools::python::{self, Purpose};
use crate::tools::trunk::{self, Trunk};
use crate::tools::{npm, rust_target};

/// `[serve] port` of Trunk.toml, and the companion that its proxies name.
const TRUNK_PORT: u16 = 3001;
const COMPANION_PORT: u16 = 3003;
/// Trunk's first build compiles the frontend and its dependencies.
const READY_WITHIN: Duration = Duration::from_mins(10);

/// Options of `cargo xtask dev`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Port of the dev tenant
    #[arg(long = "port-tenant", value_name = "PORT", default_value_t = 3002)]
    tenant: u16,
    /// Port of the Streamlit app
    #[arg(long = "port-streamlit", value_name = "PORT", default_value_t = 4010)]
    streamlit: u16,
    /// Port of the remote API
    #[arg(long = "port-api", value_name = "PORT", default_value_t = 8888)]
    api: u16,
}

/// Builds the servers, starts all, and runs until Ctrl-C.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let demo = demo::Arguments {
        companion: TRUNK_PORT,
        tenant: arguments.tenant,
        streamlit: arguments.streamlit,
        api: arguments.api,
    };
    let companion = PortUse {
        port: COMPANION_PORT,
        part: "companion behind Trunk",
        option: "an edit of Trunk.toml and crates/xtask/src/commands/dev.rs, or free it;",
    };
    let ports: Vec<PortUse> = demo.ports().into_iter().chain([companion]).collect();
    ports::check(&ports)?;
    let trunk = prepare(context)?;
    let mut services = Services::new(context);
    start(context, &demo, &trunk, &mut services)?;
    services.wait_ready(READY_WITHIN)?;
    context.progress.say(format_args!(
        "ready: http://localhost:{} (saved files of frontend/, shared/ and static/ show at the next load)",
        demo.streamlit
    ));
    services.wait_for_stop()?;
    services.stop();
    Ok(ExitCode::SUCCESS)
}

fn prepare(context: &Context) -> anyhow::Result<Trunk> {
    thread::scope(|scope| {
        let python = scope.spawn(|| python::environment(context, Purpose::Run));
        build::servers(context, ServerProfile::Dev)?;
        rust_target::ensure_wasm(context, &context.progress.step("wasm target"))?;
        let trunk = trunk::ensure(context, &npm::frontend_tools(context))?;
        python
            .join()
            .map_err(|_| anyhow!("the python step panicked"))??;
        Ok(trunk)
    })
}

fn start(
    context: &Context,
    demo: &demo::Arguments,
    trunk: &Trunk,
    services: &mut Services<'_>,
) -> anyhow::Result<()> {
    let folder = context.workspace.target().join("demo");
    fs::create_dir_all(&folder)?;
    let origin = format!("http://localhost:{TRUNK_PORT}");
    services.start(
        "companion",
        demo::companion_command(context, demo, &folder)
            .env("PORT", COMPANION_PORT.to_string())
            // Browsers and the provider know Trunk's address only.
            .env("AUTH0_BASE_URL", &origin)
            // Trunk drops the port from the `Host` of what it passes on.
            .env("INTERNAL_HOSTS", "localhost")
            .env("STATIC_DIR", context.workspace.target().join("trunk")),
        None,
        false,
    )?;
    services.start(
        "Trunk",
        trunk
            .command(context)
            .args(["serve", "--no-autoreload=false"]),
        Some(Probe {
            port: TRUNK_PORT,
            path: "/streamlit",
        }),
        true,
    )?;
    demo::start_api(context, demo, &folder, &origin, services)?;
    demo::start_streamlit(context, demo, &folder, &origin, services)
}
