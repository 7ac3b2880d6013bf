//! Says before anything starts whether the ports are free.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

/// A port with the part that wants it and the option that changes it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PortUse {
    pub(crate) port: u16,
    pub(crate) part: &'static str,
    pub(crate) option: &'static str,
}

/// Checks that all ports are distinct and free on both loopback addresses.
///
/// # Errors
/// Names every port that is not, with the remedy.
pub(crate) fn check(uses: &[PortUse]) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    for (index, wanted) in uses.iter().enumerate() {
        if let Some(twin) = uses[..index].iter().find(|other| other.port == wanted.port) {
            problems.push(format!(
                "port {} is wanted by the {} and the {}: choose another with {}",
                wanted.port, twin.part, wanted.part, wanted.option
            ));
        } else if !is_free(wanted.port) {
            problems.push(format!(
                "port {} of the {} is busy: stop the program that holds it{}, or choose another port with {} <PORT>",
                wanted.port,
                wanted.part,
                holder_remedy(wanted.port),
                wanted.option
            ));
        }
    }
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("\n       "));
    Ok(())
}

fn holder_remedy(port: u16) -> String {
    format!(" (`ss -ltnp 'sport = :{port}'` shows it)")
}

fn is_free(port: u16) -> bool {
    let addresses = [
        SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
    ];
    addresses
        .iter()
        .all(|address| match TcpListener::bind(address) {
            Ok(_) => true,
            // A machine without IPv6 has no such address to be busy.
            Err(error) => !matches!(
                error.kind(),
                ErrorKind::AddrInUse | ErrorKind::PermissionDenied
            ),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn companion(port: u16) -> PortUse {
        PortUse {
            port,
            part: "companion",
            option: "--port-companion",
        }
    }

    #[test]
    fn a_busy_port_is_named_with_its_part_and_the_remedy() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        let message = check(&[companion(port)]).unwrap_err().to_string();
        assert!(message.contains(&format!("port {port} of the companion is busy")));
        assert!(message.contains("--port-companion"));
    }

    #[test]
    fn a_port_held_on_all_addresses_is_busy_too() {
        let holder = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        assert!(!is_free(holder.local_addr().unwrap().port()));
    }

    #[test]
    fn a_port_that_was_let_go_is_free() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = holder.local_addr().unwrap().port();
        drop(holder);
        check(&[companion(port)]).unwrap();
    }

    #[test]
    fn two_parts_cannot_have_one_port() {
        let api = PortUse {
            port: 1,
            part: "remote API",
            option: "--port-api",
        };
        let message = check(&[companion(1), api]).unwrap_err().to_string();
        assert!(message.contains("the companion and the remote API"));
    }
}
