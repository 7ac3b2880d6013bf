//! `bench-load seed`: a real session many times over, each copy sealed for its own record, so
//! that the companion opens them like those of true logins, which would take minutes. Its
//! `AUTH0_SECRET` comes from the environment.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::Args;
use secrecy::SecretString;
use session_store::{HandleKind, KeyHash, KeyRing, SessionId, StoredSession};

use crate::fill::{Seed, fill, open};
use crate::report::Report;
use crate::sign_in::write_lines;
use crate::values::{now, random_256, random_bytes, secret};

/// What the companion's keys for sessions are derived for.
const PURPOSE: &str = "session";

#[derive(Args)]
pub(crate) struct Arguments {
    /// `SESSION_STORE` of the companion
    #[arg(long)]
    store: String,
    /// First-party cookie of a real session, `name=value`
    #[arg(long)]
    cookie: String,
    /// Copies
    #[arg(long)]
    count: usize,
    /// Cookies of the copies, one a line
    #[arg(long)]
    out: PathBuf,
}

pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let store = open(&arguments.store)?;
    let keys = KeyRing::derive(&[SecretString::from(secret("AUTH0_SECRET")?)], PURPOSE)?;
    let (name, value) = arguments
        .cookie
        .split_once('=')
        .context("the cookie is not name=value")?;
    let found = store
        .find(HandleKind::PageCookie, KeyHash::of(value), now())
        .await?;
    let (_, template) = found.context("the store has no such cookie")?;
    let template = template.context("the cookie's session has ended")?;
    let payload = opened(&keys, &template)?;

    let mut cookies = Vec::with_capacity(arguments.count);
    let copies = (0..arguments.count).map(|_| {
        let cookie = random_256()?;
        cookies.push(format!("{name}={cookie}"));
        copy(&keys, &payload, cookie)
    });
    fill(&store, copies).await?;
    let lines: Vec<&str> = cookies.iter().map(String::as_str).collect();
    write_lines(&arguments.out, &lines)?;
    let mut report = Report::default();
    report.add("payload_bytes", f64::from(u32::try_from(payload.len())?));
    report.print()
}

fn opened(keys: &KeyRing, template: &StoredSession) -> anyhow::Result<Vec<u8>> {
    let opened = keys.open(&template.id.0, &template.sealed);
    let payload = opened.context("AUTH0_SECRET does not open the session")?;
    ensure!(!payload.plaintext.is_empty(), "the session has ended");
    Ok(payload.plaintext)
}

/// A login of somebody else: a subject, and a session at the provider, of its own.
fn copy(keys: &KeyRing, payload: &[u8], cookie: String) -> anyhow::Result<Seed> {
    let id = SessionId(random_bytes()?);
    let person = random_256()?;
    Ok(Seed {
        id,
        sealed: keys.seal(random_bytes()?, &id.0, payload),
        subject: KeyHash::of(&person),
        provider_session: KeyHash::of_parts(&["session", &person]),
        handles: vec![
            (HandleKind::PageCookie, cookie),
            (HandleKind::FrameCookie, random_256()?),
            (HandleKind::Grant, random_256()?),
            (HandleKind::SignOutKey, random_256()?),
        ],
        expires_at: Seed::rolling(now()),
    })
}
