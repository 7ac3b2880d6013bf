//! `cargo xtask build`: the frontend in `dist/`, and the servers.

use std::process::ExitCode;
use std::thread;

use anyhow::anyhow;
use clap::Args;

use crate::context::Context;
use crate::frontend_build::{self, Cost, Profile};
use crate::process;

/// Options of `cargo xtask build`.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Development profiles: quicker to build, larger and slower
    #[arg(long)]
    dev: bool,
    /// Only the frontend
    #[arg(long, conflicts_with = "server_only")]
    frontend_only: bool,
    /// Only the companion and the remote API
    #[arg(long)]
    server_only: bool,
}

/// The servers' Cargo profile.
#[derive(Clone, Copy)]
pub(crate) enum ServerProfile {
    Release,
    Dev,
}

/// Builds what was asked for, all at once; fails when the component exceeds its budget.
pub(crate) fn run(context: &Context, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let (frontend_profile, server_profile) = if arguments.dev {
        (Profile::Dev, ServerProfile::Dev)
    } else {
        (Profile::Release, ServerProfile::Release)
    };
    let cost = if arguments.server_only {
        servers(context, server_profile)?;
        None
    } else if arguments.frontend_only {
        Some(frontend_build::run(context, frontend_profile)?)
    } else {
        Some(all(context, frontend_profile, server_profile)?)
    };
    if let Some(cost) = cost {
        println!("\n{}", cost.report());
        if !arguments.dev {
            cost.check()?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds frontend and servers side by side: the frontend's link-time optimization uses
/// one core for most of its time.
pub(crate) fn all(
    context: &Context,
    frontend_profile: Profile,
    server_profile: ServerProfile,
) -> anyhow::Result<Cost> {
    thread::scope(|scope| {
        let servers = scope.spawn(|| servers(context, server_profile));
        let cost = frontend_build::run(context, frontend_profile);
        let servers = servers
            .join()
            .map_err(|_| anyhow!("the server build panicked"))?;
        // The first error in the order of the parts; the other one is in the log above.
        servers.and(cost)
    })
}

/// Builds the companion and the remote API.
pub(crate) fn servers(context: &Context, profile: ServerProfile) -> anyhow::Result<()> {
    let step = context.progress.step("servers");
    let mut command = process::cargo(context.workspace.root());
    command
        .args([
            "build",
            "--package",
            "server",
            "--package",
            "remote-api",
            "--bins",
        ])
        .arg("--target-dir")
        .arg(context.workspace.target());
    match profile {
        ServerProfile::Release => {
            step.say("compiling (release profile)");
            command.arg("--release");
        }
        ServerProfile::Dev => step.say("compiling (dev profile)"),
    }
    process::run(context, &step, &mut command)?;
    step.done("built");
    Ok(())
}
