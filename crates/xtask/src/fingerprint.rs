//! Fingerprints of inputs, so that work is skipped when nothing it read has changed.
//!
//! Contents count, times do not: a fresh checkout and a touched file are no change.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

/// Collects inputs.
#[derive(Default)]
pub(crate) struct Fingerprint {
    hasher: Sha256,
}

impl Fingerprint {
    /// Adds a named value. Lengths go in too, so that neighbours cannot run together.
    pub(crate) fn add(&mut self, name: &str, contents: &[u8]) -> &mut Self {
        for part in [name.as_bytes(), contents] {
            self.hasher.update((part.len() as u64).to_le_bytes());
            self.hasher.update(part);
        }
        self
    }

    /// Adds a file's contents; a missing file counts as such.
    pub(crate) fn add_file(&mut self, path: &Path) -> &mut Self {
        let contents = fs::read(path).unwrap_or_default();
        self.add(&path.to_string_lossy(), &contents)
    }

    /// The fingerprint as hex.
    pub(crate) fn finish(self) -> String {
        hex(&self.hasher.finalize())
    }
}

/// The record of a finished step, beside what it made.
pub(crate) struct Stamp {
    path: PathBuf,
    fingerprint: String,
}

impl Stamp {
    pub(crate) fn new(path: PathBuf, fingerprint: Fingerprint) -> Self {
        Self {
            path,
            fingerprint: fingerprint.finish(),
        }
    }

    /// Whether the step ended well with the same inputs.
    pub(crate) fn is_current(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|written| written == self.fingerprint)
    }

    /// Records success: call it last.
    pub(crate) fn write(&self) -> anyhow::Result<()> {
        fs::write(&self.path, &self.fingerprint)
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[(&str, &str)]) -> String {
        let mut fingerprint = Fingerprint::default();
        for (name, contents) in parts {
            fingerprint.add(name, contents.as_bytes());
        }
        fingerprint.finish()
    }

    #[test]
    fn a_byte_moved_between_neighbours_is_a_change() {
        assert_ne!(of(&[("a", "bc"), ("d", "")]), of(&[("a", "b"), ("d", "c")]));
        assert_ne!(of(&[("ab", "")]), of(&[("a", "b")]));
    }

    #[test]
    fn a_stamp_is_current_until_an_input_changes() {
        let folder = tempfile::tempdir().unwrap();
        let stamp = |contents: &str| {
            let mut fingerprint = Fingerprint::default();
            fingerprint.add("input", contents.as_bytes());
            Stamp::new(folder.path().join("stamp"), fingerprint)
        };
        assert!(!stamp("one").is_current());
        stamp("one").write().unwrap();
        assert!(stamp("one").is_current());
        assert!(!stamp("two").is_current());
    }
}
