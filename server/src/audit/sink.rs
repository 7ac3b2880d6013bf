//! Where lines end up: standard output, or the end of a file that may be moved away at any
//! moment (logrotate), and is then made anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Takes whole lines. A write that fails loses its line, no other.
pub(super) struct Sink {
    target: Target,
    /// A line was cut off in the middle: the next one begins on a line of its own.
    is_torn: bool,
}

enum Target {
    Stdout,
    File { path: PathBuf, file: File },
}

impl Sink {
    pub(super) const fn stdout() -> Self {
        Self {
            target: Target::Stdout,
            is_torn: false,
        }
    }

    /// Opens the file, or makes it readable by its owner only: it says who was here, and when.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            target: Target::File {
                path: path.to_owned(),
                file: open(path)?,
            },
            is_torn: false,
        })
    }

    pub(super) fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        self.follow_the_path();
        if self.is_torn {
            self.write(b"\n")?;
            self.is_torn = false;
        }
        self.write(line)
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let all = bytes.len();
        let out: &mut dyn Write = match &mut self.target {
            Target::Stdout => &mut io::stdout(),
            Target::File { file, .. } => file,
        };
        let result = loop {
            match out.write(bytes) {
                _ if bytes.is_empty() => break out.flush(),
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        if result.is_err() && (1..all).contains(&bytes.len()) {
            self.is_torn = true;
        }
        result
    }

    /// Somebody moved the file away: its name is a new one's. If that cannot be made, the
    /// old one takes the line rather than nothing.
    fn follow_the_path(&mut self) {
        let Target::File { path, file } = &mut self.target else {
            return;
        };
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let named = fs::metadata(&*path).map(identity).ok();
        if named != file.metadata().map(identity).ok()
            && let Ok(new) = open(path)
        {
            *file = new;
            self.is_torn = false;
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn lines_are_appended_to_a_file_of_the_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        Sink::open(&path).unwrap().write_line(b"one\n").unwrap();
        Sink::open(&path).unwrap().write_line(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn a_file_that_was_moved_away_is_made_anew() {
        let directory = tempfile::tempdir().unwrap();
        let (path, moved) = (
            directory.path().join("audit.log"),
            directory.path().join("audit.log.1"),
        );
        let mut sink = Sink::open(&path).unwrap();
        sink.write_line(b"one\n").unwrap();
        fs::rename(&path, &moved).unwrap();
        sink.write_line(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&moved).unwrap(), "one\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(mode(&path), 0o600);
        // `copytruncate` needs nothing of us.
        File::create(&path).unwrap();
        sink.write_line(b"three\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    fn the_old_file_takes_the_line_where_no_new_one_can_be_made() {
        let directory = tempfile::tempdir().unwrap();
        let (inside, moved) = (directory.path().join("log"), directory.path().join("old"));
        fs::create_dir(&inside).unwrap();
        let mut sink = Sink::open(&inside.join("audit.log")).unwrap();
        fs::rename(&inside, &moved).unwrap();
        sink.write_line(b"one\n").unwrap();
        assert_eq!(
            fs::read_to_string(moved.join("audit.log")).unwrap(),
            "one\n"
        );
    }

    #[test]
    fn after_a_line_that_was_cut_off_the_next_one_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.log");
        let mut sink = Sink::open(&path).unwrap();
        sink.write_line(b"{\"cut").unwrap();
        sink.is_torn = true;
        sink.write_line(b"two\n").unwrap();
        sink.write_line(b"three\n").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "{\"cut\ntwo\nthree\n");
    }

    // E61: the disk is full.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_and_no_more() {
        let mut sink = Sink::open(Path::new("/dev/full")).unwrap();
        assert!(sink.write_line(b"one\n").is_err());
        assert!(sink.write_line(b"two\n").is_err());
        assert!(!sink.is_torn);
    }
}
