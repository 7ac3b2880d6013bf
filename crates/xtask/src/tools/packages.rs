//! Debian's packages of the programs that tests start: installed where that is possible,
//! named where it is not. Starts no service of the system.

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::context::Context;
use crate::process;
use crate::progress::Step;

/// A package, and what it is here for.
pub(crate) struct Package {
    pub(crate) name: &'static str,
    /// Found on `PATH`, or where Debian keeps the programs of services.
    pub(crate) program: &'static str,
    /// The service that it would start and leave enabled.
    pub(crate) service: Option<&'static str>,
}

/// Where services' programs are, which a person's `PATH` often lacks.
const SERVICE_PROGRAMS: &str = "/usr/sbin";
/// Package scripts ask it whether they may start a service (Debian's invoke-rc.d).
const SERVICE_POLICY: &str = "/usr/sbin/policy-rc.d";
/// "Action forbidden by policy".
const NO_SERVICES: &str = "#!/bin/sh\nexit 101\n";

/// Installs those that are missing.
///
/// # Errors
/// When one is missing and this is no Debian with a root user: says what to install.
pub(crate) fn ensure(context: &Context, step: &Step, packages: &[Package]) -> anyhow::Result<()> {
    let missing: Vec<&Package> = packages
        .iter()
        .filter(|package| !is_installed(package))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let listed = names.join(" ");
    if process::find_program("apt-get").is_none() || !rustix::process::geteuid().is_root() {
        bail!(
            "{listed} missing: install it with the system's packages (Debian: sudo apt-get install {listed})"
        );
    }
    step.say(format_args!("apt-get install {listed}"));
    process::run(context, step, apt().arg("update"))?;
    // The tests start their own on free ports; the system's would take 6379 and 80.
    let _policy = ServicePolicy::forbid(Path::new(SERVICE_POLICY))?;
    let mut install = apt();
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(&names);
    process::run(context, step, &mut install)?;
    disable(context, step, &missing)
}

fn is_installed(package: &Package) -> bool {
    process::find_program(package.program).is_some()
        || Path::new(SERVICE_PROGRAMS).join(package.program).is_file()
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command
        .arg("--quiet")
        .env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// What was not started now must not start at the next boot either.
fn disable(context: &Context, step: &Step, installed: &[&Package]) -> anyhow::Result<()> {
    let services: Vec<&str> = installed
        .iter()
        .filter_map(|package| package.service)
        .collect();
    if services.is_empty() || process::find_program("systemctl").is_none() {
        return Ok(());
    }
    let mut command = Command::new("systemctl");
    command.arg("disable").args(&services);
    process::run(context, step, &mut command)?;
    Ok(())
}

/// Keeps package scripts from starting services, until dropped. A policy that the machine
/// has already (containers do) is its own affair.
struct ServicePolicy {
    ours: Option<PathBuf>,
}

impl ServicePolicy {
    fn forbid(path: &Path) -> anyhow::Result<Self> {
        let created = File::options()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(path);
        match created {
            Ok(mut file) => {
                let policy = Self {
                    ours: Some(path.to_path_buf()),
                };
                file.write_all(NO_SERVICES.as_bytes())?;
                Ok(policy)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Self { ours: None }),
            Err(error) => Err(error).with_context(|| format!("cannot write {}", path.display())),
        }
    }
}

impl Drop for ServicePolicy {
    fn drop(&mut self) {
        if let Some(path) = &self.ours
            && let Err(error) = fs::remove_file(path)
        {
            eprintln!("warning: remove {} yourself: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// By `sh`: a file just written is busy while any thread of this process forks.
    fn answer_of(policy: &Path) -> Option<i32> {
        let mut command = Command::new("sh");
        command.arg(policy).args(["redis-server", "start"]);
        command.status().unwrap().code()
    }

    #[test]
    fn services_are_forbidden_only_while_packages_are_installed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy-rc.d");
        let policy = ServicePolicy::forbid(&path).unwrap();
        assert_eq!(answer_of(&path), Some(101));
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o111,
            0o111
        );
        drop(policy);
        assert!(!path.exists());
    }

    #[test]
    fn a_policy_of_the_machine_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy-rc.d");
        fs::write(&path, "of the machine").unwrap();
        drop(ServicePolicy::forbid(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "of the machine");
    }

    #[test]
    fn programs_of_services_are_found_beside_the_path() {
        let package = |program| Package {
            name: "a package",
            program,
            service: None,
        };
        assert!(is_installed(&package("sh")));
        assert!(!is_installed(&package("no-such-program-of-any-package")));
    }
}
