use clap::Args;
#[derive(Args)]
pub(crate) struct Arguments {}
pub(crate) fn run(
    _c: &crate::context::Context,
    _a: &Arguments,
) -> anyhow::Result<std::process::ExitCode> {
    Ok(std::process::ExitCode::SUCCESS)
}
