//! Streamlit's own `st.login`, with the dev tenant for a provider.

use crate::commands::bench::samples::Samples;
use crate::commands::bench::{Bench, browser};
use crate::progress::Step;

/// Logins in Chromium: from the provider's redirect back to the name shown.
///
/// # Errors
/// When Authlib cannot be installed, or a login fails.
pub(crate) fn logins(
    bench: &Bench<'_>,
    step: &Step,
    arguments: &[String],
) -> anyhow::Result<Samples> {
    let packages = super::python_packages(bench, step)?;
    browser::script(bench, step, "native_login.py", arguments, Some(&packages))
}
