//! What a process takes, as the kernel counts it; and ports that nobody has.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context as _;

use super::machine::find_field;

/// Below the range of which the system takes ports for outgoing connections: one that is free
/// now stays so until its program binds it, however many connections the load makes.
const FIRST_PORT: u16 = 21_000;
const PORTS: u16 = 8_000;

static NEXT_PORT: AtomicU16 = AtomicU16::new(0);

/// A port that nobody listens on.
///
/// # Errors
/// When there is none.
pub(super) fn free_port() -> anyhow::Result<u16> {
    (0..PORTS)
        .map(|_| FIRST_PORT + NEXT_PORT.fetch_add(1, Ordering::Relaxed) % PORTS)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no free port")
}

/// Resident memory now, in MiB.
///
/// # Errors
/// When there is no such process.
pub(super) fn resident(process: u32) -> anyhow::Result<f64> {
    memory(process, "VmRSS")
}

/// The most that was ever resident, in MiB.
///
/// # Errors
/// When there is no such process.
pub(super) fn peak(process: u32) -> anyhow::Result<f64> {
    memory(process, "VmHWM")
}

/// Files, and so connections, that it may have open now.
///
/// # Errors
/// When there is no such process.
pub(super) fn open_files(process: u32) -> anyhow::Result<u64> {
    let path = format!("/proc/{process}/limits");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    soft_limit(&text).with_context(|| format!("{path} has no limit of open files"))
}

fn soft_limit(limits: &str) -> Option<u64> {
    let values = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    match values.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

fn memory(process: u32, field: &str) -> anyhow::Result<f64> {
    let path = format!("/proc/{process}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    mebibytes(&text, field).with_context(|| format!("{path} has no {field}"))
}

fn mebibytes(status: &str, field: &str) -> Option<f64> {
    let value = find_field(status, field)?.strip_suffix(" kB")?;
    Some(value.trim().parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_mebibytes() {
        let status = "Name:\tserver\nVmHWM:\t  20480 kB\nVmRSS:\t   10240 kB\n";
        assert_eq!(mebibytes(status, "VmRSS"), Some(10.0));
        assert_eq!(mebibytes(status, "VmHWM"), Some(20.0));
        assert_eq!(mebibytes(status, "VmSwap"), None);
    }

    #[test]
    fn the_limit_that_holds_now_is_the_soft_one() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 20000                files\n";
        assert_eq!(soft_limit(limits), Some(1_024));
        let limits = "Max open files            unlimited            unlimited            files\n";
        assert_eq!(soft_limit(limits), Some(u64::MAX));
        assert_eq!(soft_limit("Max stack size"), None);
    }

    #[test]
    fn this_process_has_a_size() {
        let own = std::process::id();
        assert!(open_files(own).unwrap() > 0);
        assert!(resident(own).unwrap() > 0.0);
        assert!(peak(own).unwrap() >= resident(own).unwrap() / 2.0);
    }

    #[test]
    fn two_free_ports_differ() {
        assert_ne!(free_port().unwrap(), free_port().unwrap());
    }
}
