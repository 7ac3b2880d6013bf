//! The built frontend, read once at the start and served from memory: files under
//! `/static/` precompressed and cached by content hash, and the component page itself with
//! the origins that may hold it filled in.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path as UrlPath, State};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};
use shared::error::ErrorCode;

use crate::config::Settings;
use crate::error::AppError;

const COMPONENT_FILE: &str = "index.html";
const HERO_FILE: &str = "hero.html";
const ORIGINS_PLACEHOLDER: &str = r#"<meta name="component-auth0:origins" content="">"#;
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

/// The files of our own pages, which need no build.
const PAGE_FILES: [(&str, &[u8]); 2] = [
    ("pages.css", include_bytes!("../../static/pages.css")),
    (
        "close-window.js",
        include_bytes!("../../static/close-window.js"),
    ),
];

/// One file in the encodings there are.
struct Asset {
    content_type: HeaderValue,
    cache_control: HeaderValue,
    etag: HeaderValue,
    plain: Bytes,
    brotli: Option<Bytes>,
    gzip: Option<Bytes>,
}

/// All files. Cheap to clone.
#[derive(Clone)]
pub struct Assets(Arc<Files>);

#[derive(Default)]
struct Files {
    by_name: HashMap<String, Asset>,
    component_page: Option<Asset>,
    hero_page: Option<Asset>,
    inline_scripts: Vec<String>,
}

impl Assets {
    /// Reads `STATIC_DIR`.
    ///
    /// # Errors
    /// If it cannot be read, or one of its pages lacks the place for the origins. A build
    /// without `hero.html` is fine.
    pub fn load(settings: &Settings) -> io::Result<Self> {
        let mut files = Self::page_files();
        let directory = &settings.static_dir;
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_encoded = has_extension(&name, "br") || has_extension(&name, "gz");
            if !entry.file_type()?.is_file()
                || is_encoded
                || [COMPONENT_FILE, HERO_FILE].contains(&&*name)
            {
                continue;
            }
            let asset = Asset::read(directory, &name)?;
            files.by_name.insert(name, asset);
        }
        let page = std::fs::read_to_string(directory.join(COMPONENT_FILE))?;
        files.component_page = Some(files.framed_page(COMPONENT_FILE, &page, settings)?);
        match std::fs::read_to_string(directory.join(HERO_FILE)) {
            Ok(page) => files.hero_page = Some(files.framed_page(HERO_FILE, &page, settings)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Self(Arc::new(files)))
    }

    /// Only the files of our own pages, for tests and for a server without frontend.
    #[must_use]
    pub fn without_frontend() -> Self {
        Self(Arc::new(Self::page_files()))
    }

    fn page_files() -> Files {
        let by_name = PAGE_FILES.into_iter().map(|(name, content)| {
            (
                name.to_owned(),
                Asset::new(name, Bytes::from_static(content), REVALIDATE),
            )
        });
        Files {
            by_name: by_name.collect(),
            ..Files::default()
        }
    }

    /// CSP sources of inline scripts in the framed pages (Trunk may write some).
    #[must_use]
    pub fn inline_script_sources(&self) -> &[String] {
        &self.0.inline_scripts
    }
}

/// `GET /static/{file}`. Names are looked up, never joined to a path: there is nothing to
/// traverse (A24).
///
/// # Errors
/// 404 for any other name.
pub async fn file(
    State(assets): State<Assets>,
    name: Result<UrlPath<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, AppError> {
    // No file of ours has a name that is not UTF-8.
    let asset = name
        .ok()
        .and_then(|UrlPath(name)| assets.0.by_name.get(&name));
    asset
        .map(|asset| asset.answer(&headers))
        .ok_or(AppError::refused(
            ErrorCode::NotFound,
            "There is no such file.",
        ))
}

/// `GET /streamlit`: the component page.
///
/// # Errors
/// 404 if the server was started without the built frontend.
pub async fn component(
    State(assets): State<Assets>,
    headers: HeaderMap,
) -> Result<Response, AppError> {
    framed(assets.0.component_page.as_ref(), &headers)
}

/// `GET /streamlit/hero`: the Component Hero, events without a provider.
///
/// # Errors
/// 404 if the built frontend has none.
pub async fn hero(State(assets): State<Assets>, headers: HeaderMap) -> Result<Response, AppError> {
    framed(assets.0.hero_page.as_ref(), &headers)
}

fn framed(page: Option<&Asset>, headers: &HeaderMap) -> Result<Response, AppError> {
    page.map(|page| page.answer(headers))
        .ok_or(AppError::refused(
            ErrorCode::NotFound,
            "The frontend is not built: run `cargo xtask build`.",
        ))
}

impl Asset {
    fn new(name: &str, plain: Bytes, cache_control: HeaderValue) -> Self {
        Self {
            content_type: content_type(name),
            cache_control,
            etag: etag(&plain),
            plain,
            brotli: None,
            gzip: None,
        }
    }

    fn read(directory: &Path, name: &str) -> io::Result<Self> {
        let encoded =
            |extension: &str| match std::fs::read(directory.join(format!("{name}.{extension}"))) {
                Ok(content) => Ok(Some(Bytes::from(content))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            };
        let plain = std::fs::read(directory.join(name))?.into();
        let cache_control = if is_named_by_hash(name) {
            IMMUTABLE
        } else {
            REVALIDATE
        };
        Ok(Self {
            brotli: encoded("br")?,
            gzip: encoded("gz")?,
            ..Self::new(name, plain, cache_control)
        })
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let known = headers
            .get_all(header::IF_NONE_MATCH)
            .iter()
            .any(|tag| *tag == self.etag);
        let accepted = headers
            .get(header::ACCEPT_ENCODING)
            .and_then(|value| value.to_str().ok());
        let accepts = |coding: &str| accepted.is_some_and(|accepted| accepts(accepted, coding));
        let (body, coding) = match (&self.brotli, &self.gzip) {
            (Some(brotli), _) if accepts("br") => (brotli, Some("br")),
            (_, Some(gzip)) if accepts("gzip") => (gzip, Some("gzip")),
            _ => (&self.plain, None),
        };
        let mut response = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            Response::new(Body::from(body.clone()))
        };
        let answer = response.headers_mut();
        answer.insert(header::CONTENT_TYPE, self.content_type.clone());
        answer.insert(header::CACHE_CONTROL, self.cache_control.clone());
        answer.insert(header::ETAG, self.etag.clone());
        answer.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Some(coding) = coding.filter(|_| !known) {
            answer.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        }
        response
    }
}

impl Files {
    /// A page that Streamlit frames, with the origins that may hold it filled in.
    fn framed_page(&mut self, name: &str, page: &str, settings: &Settings) -> io::Result<Asset> {
        if !page.contains(ORIGINS_PLACEHOLDER) {
            return Err(io::Error::other(format!(
                "{name} has no place for STREAMLIT_ORIGINS"
            )));
        }
        self.inline_scripts.extend(inline_script_hashes(page));
        // Origins are serialized by the URL parser: there is no quote in them to escape.
        let origins: Vec<_> = settings
            .streamlit_origins
            .iter()
            .map(ToString::to_string)
            .collect();
        let filled = ORIGINS_PLACEHOLDER.replace("\"\"", &format!("\"{}\"", origins.join(" ")));
        let page = Bytes::from(page.replace(ORIGINS_PLACEHOLDER, &filled));
        let (brotli, gzip) = (brotli(&page)?, gzip(&page)?);
        Ok(Asset {
            brotli: Some(brotli),
            gzip: Some(gzip),
            ..Asset::new(name, page, REVALIDATE)
        })
    }
}

fn brotli(content: &[u8]) -> io::Result<Bytes> {
    let mut encoder = brotli::CompressorWriter::new(Vec::new(), 4096, 11, 22);
    encoder.write_all(content)?;
    encoder.flush()?;
    Ok(encoder.into_inner().into())
}

fn gzip(content: &[u8]) -> io::Result<Bytes> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content)?;
    encoder.finish().map(Bytes::from)
}

fn content_type(name: &str) -> HeaderValue {
    HeaderValue::from_static(match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    })
}

fn etag(content: &[u8]) -> HeaderValue {
    let mut tag = String::from("\"");
    for byte in &Sha256::digest(content)[..12] {
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    HeaderValue::try_from(tag)
        .unwrap_or_else(|_| unreachable!("hexadecimal digits are header-safe"))
}

/// `name-0123456789abcdef.js`: both build routes name files by their content.
fn is_named_by_hash(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let hash = stem
        .trim_end_matches("_bg")
        .rsplit('-')
        .next()
        .unwrap_or_default();
    hash.len() >= 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) && hash != stem
}

fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, found)| found == extension)
}

/// Whether an `Accept-Encoding` names the coding without refusing it (RFC 9110 §12.5.3).
fn accepts(accepted: &str, coding: &str) -> bool {
    accepted.split(',').any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case(coding));
        named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

/// `'sha256-…'` of each `<script>` that has no `src`, as CSP wants it.
fn inline_script_hashes(page: &str) -> Vec<String> {
    let mut hashes = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find("<script") {
        rest = &rest[start..];
        let Some(open) = rest.find('>') else { break };
        let (tag, after) = rest.split_at(open + 1);
        let Some(end) = after.find("</script>") else {
            break;
        };
        if !tag.contains(" src=") {
            let hash = STANDARD.encode(Sha256::digest(&after.as_bytes()[..end]));
            hashes.push(format!("'sha256-{hash}'"));
        }
        rest = &after[end..];
    }
    hashes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_content_hash_are_immutable() {
        for hashed in [
            "frontend-0123456789abcdef.js",
            "frontend-0a1b2c3d4e5f6789_bg.wasm",
        ] {
            assert!(is_named_by_hash(hashed), "{hashed}");
        }
        for plain in [
            "ready.js",
            "close-window.js",
            "component-auth0.css",
            "deadbeef.js",
        ] {
            assert!(!is_named_by_hash(plain), "{plain}");
        }
    }

    #[test]
    fn encodings_are_negotiated() {
        assert!(accepts("gzip, deflate, br", "br"));
        assert!(accepts("br;q=0.5", "br"));
        assert!(!accepts("br;q=0, gzip", "br"));
        assert!(!accepts("identity", "gzip"));
    }

    #[test]
    fn inline_scripts_are_hashed_and_others_are_not() {
        let page = r#"<script src="/static/a.js"></script><script type="module">x</script>"#;
        let expected = STANDARD.encode(Sha256::digest(b"x"));
        assert_eq!(inline_script_hashes(page), [format!("'sha256-{expected}'")]);
    }
}
