//! What the operator sees of the companion, and where.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::parse::Parser;

/// Where the audit log goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AuditLog {
    /// Nowhere.
    Off,
    /// To standard output, which holds nothing else.
    Stdout,
    /// To the end of a file.
    File(PathBuf),
}

impl Parser<'_> {
    pub(super) fn metrics_address(&mut self) -> Option<SocketAddr> {
        let address = self.lookup.value("METRICS_ADDR")?.parse();
        if address.is_err() {
            self.problem(
                "METRICS_ADDR",
                "must be an IP address and a port to listen on, for instance 127.0.0.1:9464",
            );
        }
        address.ok()
    }

    pub(super) fn audit_log(&mut self) -> AuditLog {
        match self.lookup.value("AUDIT_LOG") {
            None | Some("stdout") => AuditLog::Stdout,
            Some("off") => AuditLog::Off,
            Some(path) if path.contains('/') => AuditLog::File(PathBuf::from(path)),
            // A file called `stderr`, or `none`, is not what anybody meant.
            Some(_) => {
                self.problem(
                    "AUDIT_LOG",
                    "must be stdout, off, or the path of a file, for instance /var/log/component-auth0/audit.log",
                );
                AuditLog::Off
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Lookup, Settings};
    use super::*;

    const GOOD: [(&str, &str); 5] = [
        ("AUTH0_BASE_URL", "http://localhost:3001"),
        ("AUTH0_ISSUER_BASE_URL", "https://tenant.eu.auth0.com"),
        ("AUTH0_SECRET", "0123456789abcdef0123456789abcdef"),
        ("AUTH0_CLIENT_ID", "client"),
        ("AUTH0_CLIENT_SECRET", "client-secret"),
    ];

    fn with(name: &str, value: &str) -> Result<Settings, String> {
        Settings::parse(&Lookup::of([(name, value)]).over(Lookup::of(GOOD)))
            .map_err(|problems| problems[0].to_string())
    }

    #[test]
    fn the_audit_log_goes_where_it_is_told() {
        for (value, meant) in [
            ("", AuditLog::Stdout),
            ("stdout", AuditLog::Stdout),
            ("off", AuditLog::Off),
            ("./audit.log", AuditLog::File("./audit.log".into())),
        ] {
            assert!(
                with("AUDIT_LOG", value).unwrap().audit_log == meant,
                "{value}"
            );
        }
        for mistake in ["stderr", "true", "audit.log"] {
            let problem = with("AUDIT_LOG", mistake).err().unwrap();
            assert!(problem.starts_with("AUDIT_LOG: must be"), "{problem}");
        }
    }

    #[test]
    fn the_address_of_the_metrics_is_an_address_with_a_port() {
        assert_eq!(with("METRICS_ADDR", "").unwrap().metrics_address, None);
        let address = with("METRICS_ADDR", "[::1]:9464").unwrap().metrics_address;
        assert_eq!(address.map(|address| address.port()), Some(9464));
        for mistake in ["9464", ":9464", "localhost:9464", "127.0.0.1"] {
            let problem = with("METRICS_ADDR", mistake).err().unwrap();
            assert!(problem.starts_with("METRICS_ADDR: must be"), "{problem}");
        }
    }
}
