//! `bench-load sign-in`: logins one after the other for their latency, or several at once for
//! how many there are in a second; leaves cookies and grants for wrk. The host's credential
//! comes from `STREAMLIT_SECRET`.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;
use futures::future::try_join_all;

use crate::report::Report;
use crate::values::secret;
use crate::visitor::{Places, SignedIn, Visitor};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Origin of the companion
    #[arg(long)]
    companion: String,
    /// Origin of the Streamlit page
    #[arg(long)]
    host_origin: String,
    /// Logins
    #[arg(long, default_value_t = 1)]
    count: usize,
    /// Logins at once
    #[arg(long, default_value_t = 1)]
    concurrency: usize,
    /// Folder for page-cookies.txt, grants.txt and access-tokens.txt
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let places = Places {
        companion: arguments.companion,
        host_origin: arguments.host_origin,
        host_secret: secret("STREAMLIT_SECRET")?,
    };
    let visitor = Arc::new(Visitor::at_provider(places).await?);
    let concurrency = arguments.concurrency.max(1);
    let started = Instant::now();
    let shares = (0..concurrency).map(|index| {
        let share = arguments.count / concurrency;
        let extra = usize::from(index < arguments.count % concurrency);
        sign_in_times(Arc::clone(&visitor), share + extra)
    });
    let mut report = Report::default();
    let mut people = Vec::new();
    for (samples, signed_in) in try_join_all(shares).await? {
        report.merge(samples);
        people.extend(signed_in);
    }
    report.add("seconds", started.elapsed().as_secs_f64());
    if let Some(folder) = &arguments.out {
        save(folder, &people)?;
    }
    report.print()
}

async fn sign_in_times(
    visitor: Arc<Visitor>,
    times: usize,
) -> anyhow::Result<(Report, Vec<SignedIn>)> {
    let mut report = Report::default();
    let mut people = Vec::with_capacity(times);
    for _ in 0..times {
        people.push(visitor.sign_in(&mut report).await?);
    }
    Ok((report, people))
}

fn save(folder: &Path, people: &[SignedIn]) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let lines = |of: fn(&SignedIn) -> &str| people.iter().map(of).collect::<Vec<_>>();
    write_lines(
        &folder.join("page-cookies.txt"),
        &lines(|person| &person.page_cookie),
    )?;
    write_lines(&folder.join("grants.txt"), &lines(|person| &person.grant))?;
    write_lines(
        &folder.join("access-tokens.txt"),
        &lines(|person| &person.access_token),
    )
}

/// One value a line. Credentials of a companion that lives for minutes, and for its owner only.
pub(crate) fn write_lines(path: &Path, lines: &[&str]) -> anyhow::Result<()> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    file.write_all((lines.join("\n") + "\n").as_bytes())?;
    Ok(())
}
