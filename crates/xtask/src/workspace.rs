//! Where things are: the only file that names the folders of the repository.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Paths of this checkout.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// The checkout that this binary was compiled from.
    pub(crate) fn locate() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .context("crates/xtask is not two levels below the workspace")?;
        anyhow::ensure!(
            root.join("Cargo.toml").is_file(),
            "the checkout has moved from {}: run `cargo xtask` in its new place once more",
            root.display()
        );
        Ok(Self {
            root: root.to_path_buf(),
        })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.root.join(path)
    }

    /// Output of native builds.
    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Output of wasm builds. A folder of its own, so that both builds run at once
    /// (Cargo locks a target folder) and leptos' `csr` and `ssr` features never mix.
    pub(crate) fn frontend_target(&self) -> PathBuf {
        self.target().join("frontend")
    }

    /// What the companion serves.
    pub(crate) fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// Tools installed for this checkout only.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target().join("tools")
    }

    /// The Python environment of demo and tests.
    pub(crate) fn venv(&self) -> PathBuf {
        self.target().join("venv")
    }

    /// A program of the Python environment.
    pub(crate) fn venv_program(&self, name: &str) -> PathBuf {
        self.venv().join("bin").join(name)
    }

    /// A native binary of the development profile.
    pub(crate) fn debug_binary(&self, name: &str) -> PathBuf {
        self.target().join("debug").join(name)
    }

    /// Full output of the steps, for a look after a failure.
    pub(crate) fn logs(&self) -> PathBuf {
        self.target().join("xtask-logs")
    }
}
