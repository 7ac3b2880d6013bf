//! What Streamlit's people have today for an API: Flask with `PyJWT`, under gunicorn.

use crate::commands::bench::Bench;
use crate::commands::bench::resources::free_port;
use crate::commands::bench::site::Site;
use crate::commands::demo;
use crate::progress::Step;
use crate::readiness::Probe;

/// Starts it beside the dev tenant; its port.
///
/// # Errors
/// When its packages cannot be installed, or it does not start.
pub(crate) fn start<'a>(
    bench: &Bench<'a>,
    step: &Step,
    site: &mut Site<'a>,
) -> anyhow::Result<u16> {
    let packages = super::python_packages(bench, step)?;
    let port = free_port()?;
    let workspace = &bench.context.workspace;
    let python = workspace.venv_program("python");
    let command = bench.cores.server(python.as_os_str());
    let mut command = demo::in_known_environment(command, &workspace.join("bench/peers"));
    command
        // More workers than the one core that it has would only take turns.
        .args(["-m", "gunicorn", "--workers", "1", "--threads", "8"])
        .args(["--worker-class", "gthread", "--keep-alive", "60"])
        .args(["--bind", &format!("127.0.0.1:{port}"), "flask_api:app"])
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("ISSUER", site.issuer())
        .env("API_AUDIENCE", "http://oe.streamlit.app/api");
    let probe = Probe {
        port,
        path: "/api/ping",
    };
    site.services
        .start("bench Flask", &mut command, Some(probe), false)?;
    site.services.wait_ready(bench.patience)?;
    Ok(port)
}
