//! Files of `dist/`: names by content, and their precompressed siblings.

use std::io::Write as _;

use anyhow::Context as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use crate::fingerprint::hex;

/// Eight bytes: names change with the content, and no two of a handful of files collide.
const HASH_BYTES: usize = 8;

/// One served file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) contents: Vec<u8>,
    pub(crate) brotli: Vec<u8>,
    pub(crate) gzip: Vec<u8>,
}

impl File {
    /// A file whose name changes with its contents, so that browsers may keep it for ever.
    ///
    /// # Errors
    /// When compression fails.
    pub(crate) fn hashed(name: &str, contents: Vec<u8>) -> anyhow::Result<Self> {
        Self::named(hashed_name(name, &contents), contents)
    }

    /// A file under a fixed name.
    ///
    /// # Errors
    /// When compression fails.
    pub(crate) fn named(name: String, contents: Vec<u8>) -> anyhow::Result<Self> {
        let brotli = brotli(&contents).with_context(|| format!("cannot compress {name}"))?;
        let gzip = gzip(&contents).with_context(|| format!("cannot compress {name}"))?;
        Ok(Self {
            name,
            contents,
            brotli,
            gzip,
        })
    }

    /// The path under which the companion serves it.
    pub(crate) fn url(&self) -> String {
        format!("/static/{}", self.name)
    }

    /// The siblings that are worth sending, by suffix: a small picture only grows.
    pub(crate) fn siblings(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        [("br", &self.brotli), ("gz", &self.gzip)]
            .into_iter()
            .filter(|(_, compressed)| compressed.len() < self.contents.len())
            .map(|(suffix, compressed)| (suffix, compressed.as_slice()))
    }

    /// Bytes on the wire for a browser of today.
    pub(crate) fn transferred(&self) -> usize {
        self.brotli.len().min(self.contents.len())
    }
}

/// Bytes of these contents after the compression that is shipped.
///
/// # Errors
/// When compression fails.
pub(crate) fn compressed_len(contents: &[u8]) -> anyhow::Result<usize> {
    Ok(brotli(contents)?.len())
}

/// `frontend.css` → `frontend-0123456789abcdef.css`.
fn hashed_name(name: &str, contents: &[u8]) -> String {
    let hash = hex(&Sha256::digest(contents)[..HASH_BYTES]);
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}-{hash}.{extension}"),
        None => format!("{name}-{hash}"),
    }
}

fn brotli(contents: &[u8]) -> std::io::Result<Vec<u8>> {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: 11,
        lgwin: 22,
        size_hint: contents.len(),
        ..Default::default()
    };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &contents[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

fn gzip(contents: &[u8]) -> std::io::Result<Vec<u8>> {
    // GzEncoder writes no time of its own: equal input gives equal bytes.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(contents)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_name_follows_the_content_and_keeps_the_extension() {
        assert_eq!(
            hashed_name("frontend.css", b"a"),
            "frontend-ca978112ca1bbdca.css"
        );
        assert_ne!(
            hashed_name("frontend.css", b"a"),
            hashed_name("frontend.css", b"b")
        );
    }

    #[test]
    fn siblings_hold_the_same_content() {
        let contents = b"component component component component".repeat(20);
        let file = File::named("a.txt".to_owned(), contents.clone()).unwrap();
        let mut from_brotli = Vec::new();
        brotli::BrotliDecompress(&mut &file.brotli[..], &mut from_brotli).unwrap();
        let mut from_gzip = Vec::new();
        flate2::read::GzDecoder::new(&file.gzip[..])
            .read_to_end(&mut from_gzip)
            .unwrap();
        assert_eq!(from_brotli, contents);
        assert_eq!(from_gzip, contents);
        assert_eq!(file.siblings().count(), 2);
    }

    #[test]
    fn a_file_that_would_grow_gets_no_siblings() {
        let file = File::named("a.txt".to_owned(), b"x".to_vec()).unwrap();
        assert_eq!(file.siblings().count(), 0);
        assert_eq!(file.transferred(), 1);
    }
}
