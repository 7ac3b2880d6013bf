//! Writes `dist/` whole or not at all, and knows whether it is current.
//!
//! The record says what this pipeline wrote last: pages of other hands, and files that came
//! or went, make the folder stale.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::assets::File;
use super::budget::{Cost, Row};
use crate::fingerprint::Fingerprint;
use crate::workspace::Workspace;

/// The folder that the companion serves, with the record of how it was made.
pub(crate) struct Output {
    dist: PathBuf,
    staging: PathBuf,
    record: PathBuf,
    fingerprint: String,
}

impl Output {
    pub(crate) fn new(workspace: &Workspace, fingerprint: Fingerprint) -> Self {
        Self {
            dist: workspace.dist(),
            staging: workspace.frontend_target().join("dist.new"),
            record: workspace.frontend_target().join("dist.record"),
            fingerprint: fingerprint.finish(),
        }
    }

    /// The cost of what lies there, if it was made from the same inputs and is whole.
    pub(crate) fn current(&self) -> Option<Cost> {
        let record = fs::read_to_string(&self.record).ok()?;
        let (inputs, rest) = record.split_once('\n')?;
        let (folder, rows) = rest.split_once('\n')?;
        if inputs != self.fingerprint || folder != folder_fingerprint(&self.dist).ok()? {
            return None;
        }
        Cost::parse(rows)
    }

    /// Replaces the folder. The first page is the one whose loading is measured.
    pub(crate) fn replace(&self, pages: &[File], files: &[File]) -> anyhow::Result<Cost> {
        let measured = pages.first().context("there is no page to write")?;
        if self.staging.exists() {
            fs::remove_dir_all(&self.staging)?;
        }
        fs::create_dir_all(&self.staging)?;
        for page in pages {
            // The companion fills origins into a page, so nobody could serve siblings of it.
            fs::write(self.staging.join(&page.name), &page.contents)?;
        }
        for file in files {
            fs::write(self.staging.join(&file.name), &file.contents)?;
            for (suffix, compressed) in file.siblings() {
                fs::write(
                    self.staging.join(format!("{}.{suffix}", file.name)),
                    compressed,
                )?;
            }
        }
        self.swap_in()?;
        let html = String::from_utf8_lossy(&measured.contents);
        let loaded = files.iter().filter(|file| is_loaded(&html, file));
        let cost = Cost::new([measured].into_iter().chain(loaded).map(Row::of).collect());
        let record = format!(
            "{}\n{}\n{}",
            self.fingerprint,
            folder_fingerprint(&self.dist)?,
            cost.to_record()
        );
        fs::write(&self.record, record)?;
        Ok(cost)
    }

    fn swap_in(&self) -> anyhow::Result<()> {
        let old = self.staging.with_extension("old");
        if old.exists() {
            fs::remove_dir_all(&old)?;
        }
        if self.dist.exists() {
            fs::rename(&self.dist, &old).context("cannot move the old dist/ away")?;
        }
        fs::rename(&self.staging, &self.dist).context("cannot move the new dist/ in")?;
        if old.exists() {
            fs::remove_dir_all(&old)?;
        }
        Ok(())
    }
}

/// A file counts when a browser asks for it; an icon it does not ask for within a frame.
fn is_loaded(html: &str, file: &File) -> bool {
    html.lines()
        .any(|line| line.contains(&file.url()) && !line.contains("rel=\"icon\""))
}

/// The pages' contents and all names, which tell the contents of the other files.
fn folder_fingerprint(dist: &Path) -> std::io::Result<String> {
    let mut paths = fs::read_dir(dist)?
        .map(|entry| Ok(entry?.path()))
        .collect::<std::io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    let mut fingerprint = Fingerprint::default();
    for path in paths {
        if path
            .extension()
            .is_some_and(|extension| extension == "html")
        {
            fingerprint.add_file(&path);
        } else {
            fingerprint.add(&path.to_string_lossy(), b"");
        }
    }
    Ok(fingerprint.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(folder: &Path, input: &str) -> Output {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add("input", input.as_bytes());
        Output {
            dist: folder.join("dist"),
            staging: folder.join("dist.new"),
            record: folder.join("dist.record"),
            fingerprint: fingerprint.finish(),
        }
    }

    fn files() -> (Vec<File>, Vec<File>) {
        let script = File::hashed("a.js", b"let a = 1;".repeat(50)).unwrap();
        let page = format!("<script src=\"{}\"></script>", script.url());
        let unused = File::hashed("icon.svg", b"<svg/>".to_vec()).unwrap();
        let page = File::named("index.html".to_owned(), page.into_bytes()).unwrap();
        let hero_script = File::hashed("hero.js", b"let b = 1;".repeat(50)).unwrap();
        let hero = format!("<script src=\"{}\"></script>", hero_script.url());
        let hero = File::named("hero.html".to_owned(), hero.into_bytes()).unwrap();
        (vec![page, hero], vec![script, unused, hero_script])
    }

    #[test]
    fn what_was_written_is_current_until_the_inputs_change() {
        let folder = tempfile::tempdir().unwrap();
        let (pages, files) = files();
        assert!(output(folder.path(), "one").current().is_none());
        let cost = output(folder.path(), "one")
            .replace(&pages, &files)
            .unwrap();
        assert_eq!(
            cost.to_record().lines().count(),
            2,
            "neither icon nor Hero cost anything"
        );
        assert!(output(folder.path(), "one").current().is_some());
        assert!(output(folder.path(), "two").current().is_none());
    }

    #[test]
    fn a_page_of_other_hands_is_stale() {
        let folder = tempfile::tempdir().unwrap();
        let (pages, files) = files();
        let output = output(folder.path(), "one");
        for name in ["index.html", "hero.html"] {
            output.replace(&pages, &files).unwrap();
            fs::write(folder.path().join("dist").join(name), "Trunk was here").unwrap();
            assert!(output.current().is_none(), "{name}");
        }
    }

    #[test]
    fn a_lost_file_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (pages, files) = files();
        let output = output(folder.path(), "one");
        for file in &files {
            output.replace(&pages, &files).unwrap();
            fs::remove_file(folder.path().join("dist").join(&file.name)).unwrap();
            assert!(output.current().is_none(), "{}", file.name);
        }
    }

    #[test]
    fn precompressed_siblings_lie_beside_the_files_but_not_beside_the_page() {
        let folder = tempfile::tempdir().unwrap();
        let (pages, files) = files();
        output(folder.path(), "one")
            .replace(&pages, &files)
            .unwrap();
        let dist = folder.path().join("dist");
        assert!(dist.join(format!("{}.br", files[0].name)).is_file());
        assert!(dist.join(format!("{}.gz", files[0].name)).is_file());
        assert!(!dist.join("index.html.br").exists());
        assert!(!dist.join("hero.html.br").exists());
    }
}
