//! Rewrites the pages of `frontend/` from what Trunk reads to what the companion serves.
//!
//! Trunk's own output needs an inline loader script of its own making; this one needs none,
//! so no inline script is allowed but those of the source, by their hash. Understands the few
//! asset links that these pages use and refuses all others: a link that was silently
//! left as it is would be a broken page.

use anyhow::{Context as _, bail, ensure};

/// The companion puts the allowed Streamlit origins here, by this very text.
pub(crate) const ORIGINS_PLACEHOLDER: &str = r#"<meta name="component-auth0:origins" content="">"#;

/// An asset that the page asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asset {
    /// The Rust program: its script and its wasm.
    Rust,
    /// A style sheet.
    StyleSheet { source: String },
    /// A classic or module script; `attributes` are the tag's other ones.
    Script { source: String, attributes: String },
    /// A script in the page itself; the companion puts its hash into the CSP.
    Inline { source: String },
    /// The page's icon; `attributes` are the tag's other ones.
    Icon { source: String, attributes: String },
    /// A file that another tag names by its public URL.
    Copied { source: String },
}

impl Asset {
    /// The file it is made from, relative to its page; the program has none.
    pub(crate) fn href(&self) -> Option<&str> {
        match self {
            Self::Rust => None,
            Self::StyleSheet { source }
            | Self::Script { source, .. }
            | Self::Inline { source }
            | Self::Icon { source, .. }
            | Self::Copied { source } => Some(source),
        }
    }
}

/// A page in pieces: text as it is, and assets where their tags were.
#[derive(Debug)]
pub(crate) struct Page {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Asset(Asset),
}

impl Page {
    /// Takes the page apart at its `data-trunk` tags.
    ///
    /// # Errors
    /// When an asset is of a kind that is not understood, or the companion's placeholder is
    /// missing.
    pub(crate) fn parse(html: &str) -> anyhow::Result<Self> {
        ensure!(
            html.matches(ORIGINS_PLACEHOLDER).count() == 1,
            "a framed page must hold the line {ORIGINS_PLACEHOLDER} once: the companion fills it in"
        );
        let html = without_comments(html);
        let mut pieces = Vec::new();
        let mut rest = html.as_str();
        while let Some((before, tag, after)) = next_trunk_tag(rest)? {
            pieces.push(Piece::Text(before.to_owned()));
            pieces.push(Piece::Asset(asset(&tag)?));
            rest = after;
        }
        pieces.push(Piece::Text(rest.to_owned()));
        Ok(Self { pieces })
    }

    /// # Errors
    /// When the page asks for the Rust program more or less often than it should.
    pub(crate) fn check_programs(&self, expected: usize) -> anyhow::Result<()> {
        let programs = self.assets().filter(|asset| **asset == Asset::Rust).count();
        ensure!(
            programs == expected,
            "the page must have {expected} <link data-trunk rel=\"rust\">, it has {programs}"
        );
        Ok(())
    }

    /// The assets in the page's order.
    pub(crate) fn assets(&self) -> impl Iterator<Item = &Asset> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Asset(asset) => Some(asset),
            Piece::Text(_) => None,
        })
    }

    /// Puts the page together, each asset as the tag that `tag` makes of it.
    pub(crate) fn render(&self, mut tag: impl FnMut(&Asset) -> String) -> String {
        let html: String = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Asset(asset) => tag(asset),
            })
            .collect();
        let lines = html.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

struct Tag {
    name: String,
    attributes: Vec<(String, Option<String>)>,
}

impl Tag {
    fn value(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(attribute, _)| attribute == name)
            .and_then(|(_, value)| value.as_deref())
    }

    fn required(&self, name: &str) -> anyhow::Result<String> {
        self.value(name)
            .map(str::to_owned)
            .with_context(|| format!("a data-trunk <{}> lacks its `{name}`", self.name))
    }

    /// The attributes that are for the browser, as text with a leading space each.
    fn others(&self, known: &[&str]) -> String {
        self.attributes
            .iter()
            .filter(|(name, _)| !name.starts_with("data-") && !known.contains(&name.as_str()))
            .map(|(name, value)| match value {
                Some(value) => format!(" {name}=\"{value}\""),
                None => format!(" {name}"),
            })
            .collect()
    }
}

fn asset(tag: &Tag) -> anyhow::Result<Asset> {
    match (tag.name.as_str(), tag.value("rel")) {
        ("link", Some("rust")) => Ok(Asset::Rust),
        ("link", Some("css")) => Ok(Asset::StyleSheet {
            source: tag.required("href")?,
        }),
        ("link", Some("icon")) => Ok(Asset::Icon {
            source: tag.required("href")?,
            attributes: tag.others(&["rel", "href"]),
        }),
        ("link", Some("inline")) if tag.value("type") == Some("js") => Ok(Asset::Inline {
            source: tag.required("href")?,
        }),
        ("link", Some("copy-file")) => Ok(Asset::Copied {
            source: tag.required("href")?,
        }),
        ("script", _) => Ok(Asset::Script {
            source: tag.required("src")?,
            attributes: tag.others(&["src"]),
        }),
        (name, rel) => bail!(
            "cargo xtask build does not understand <{name} data-trunk rel=\"{}\">: \
             it knows rust, css, icon, copy-file, inline (type js) and script",
            rel.unwrap_or_default()
        ),
    }
}

/// The next tag that is marked for Trunk, with the text before and after it.
fn next_trunk_tag(html: &str) -> anyhow::Result<Option<(&str, Tag, &str)>> {
    let mut from = 0;
    while let Some(offset) = html[from..].find('<') {
        let start = from + offset;
        let inner = &html[start + 1..];
        from = start + 1;
        if !inner.starts_with(|first: char| first.is_ascii_alphabetic()) {
            continue;
        }
        let (tag, length) = parse_tag(inner)?;
        from += length;
        if tag.attributes.iter().any(|(name, _)| name == "data-trunk") {
            let mut after = &html[from..];
            if tag.name == "script" {
                after = after
                    .trim_start()
                    .strip_prefix("</script>")
                    .context("a data-trunk <script> must be empty")?;
            }
            return Ok(Some((&html[..start], tag, after)));
        }
    }
    Ok(None)
}

/// Reads a tag after its `<`; returns it with the length up to and including its `>`.
fn parse_tag(text: &str) -> anyhow::Result<(Tag, usize)> {
    let name_end = text
        .find(|next: char| next.is_whitespace() || next == '>' || next == '/')
        .context("the page ends within a tag")?;
    let mut tag = Tag {
        name: text[..name_end].to_ascii_lowercase(),
        attributes: Vec::new(),
    };
    let mut rest = &text[name_end..];
    loop {
        rest = rest.trim_start_matches(|next: char| next.is_whitespace() || next == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return Ok((tag, text.len() - after.len()));
        }
        let name_end = rest
            .find(|next: char| next.is_whitespace() || matches!(next, '=' | '>' | '/'))
            .context("the page ends within a tag")?;
        let name = rest[..name_end].to_ascii_lowercase();
        rest = rest[name_end..].trim_start();
        let value = match rest.strip_prefix('=') {
            Some(after) => {
                let (value, after) = attribute_value(after.trim_start())?;
                rest = after;
                Some(value.to_owned())
            }
            None => None,
        };
        tag.attributes.push((name, value));
    }
}

fn attribute_value(text: &str) -> anyhow::Result<(&str, &str)> {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote) {
            return inner
                .split_once(quote)
                .context("the page ends within an attribute");
        }
    }
    let end = text
        .find(|next: char| next.is_whitespace() || next == '>')
        .context("the page ends within a tag")?;
    Ok(text.split_at(end))
}

/// Comments are for those who read the source; the browser downloads none.
fn without_comments(html: &str) -> String {
    let mut kept = String::with_capacity(html.len());
    let mut rest = html;
    while let Some((before, comment)) = rest.split_once("<!--") {
        kept.push_str(before);
        rest = comment.split_once("-->").map_or("", |(_, after)| after);
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!doctype html>
<html lang="en">
  <head>
    <!-- a note with <link data-trunk rel="sass" href="no"> in it -->
    <meta name="component-auth0:origins" content="">
    <script data-trunk src="../static/ready.js" async></script>
    <link data-trunk rel="inline" href="../static/early.js" type="js">
    <link data-trunk rel="rust" data-wasm-opt="z" />
    <link data-trunk rel='css' href=../static/frontend.css>
    <link rel="canonical" href="/streamlit">
  </head>
  <body data-state="loading"></body>
</html>"#;

    #[test]
    fn finds_the_assets_in_order_and_leaves_other_links_alone() {
        let page = Page::parse(PAGE).unwrap();
        let assets: Vec<&Asset> = page.assets().collect();
        assert_eq!(
            assets,
            [
                &Asset::Script {
                    source: "../static/ready.js".to_owned(),
                    attributes: " async".to_owned()
                },
                &Asset::Inline {
                    source: "../static/early.js".to_owned()
                },
                &Asset::Rust,
                &Asset::StyleSheet {
                    source: "../static/frontend.css".to_owned()
                },
            ]
        );
    }

    #[test]
    fn renders_assets_in_place_without_comments_or_indentation() {
        let html = Page::parse(PAGE).unwrap().render(|asset| match asset {
            Asset::Rust => "RUST".to_owned(),
            Asset::StyleSheet { .. } => "CSS".to_owned(),
            _ => "SCRIPT".to_owned(),
        });
        assert_eq!(
            html,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n\
             <meta name=\"component-auth0:origins\" content=\"\">\n\
             SCRIPT\nSCRIPT\nRUST\nCSS\n<link rel=\"canonical\" href=\"/streamlit\">\n</head>\n\
             <body data-state=\"loading\"></body>\n</html>\n"
        );
    }

    #[test]
    fn refuses_a_page_without_the_companions_placeholder() {
        let error = Page::parse(&PAGE.replace("content=\"\"", "content")).unwrap_err();
        assert!(error.to_string().contains("component-auth0:origins"));
    }

    #[test]
    fn refuses_assets_that_it_does_not_understand() {
        for strange in ["rel='inline'", "rel='inline' type='css'", "rel='sass'"] {
            let error = Page::parse(&PAGE.replace("rel='css'", strange)).unwrap_err();
            assert!(
                error.to_string().contains("does not understand"),
                "{strange}"
            );
        }
    }

    #[test]
    fn refuses_a_page_without_the_program_that_it_should_have() {
        let without = PAGE.replace("rel=\"rust\"", "rel=\"icon\" href=\"x\"");
        let without = Page::parse(&without).unwrap();
        let error = without.check_programs(1).unwrap_err();
        assert!(error.to_string().contains("it has 0"));
        without.check_programs(0).unwrap();
        assert!(Page::parse(PAGE).unwrap().check_programs(0).is_err());
    }

    #[test]
    fn a_broken_tag_is_an_error_and_not_a_panic() {
        for broken in ["<link data-trunk", "<link data-trunk rel=\"css", "<li"] {
            let page = format!("{ORIGINS_PLACEHOLDER}{broken}");
            assert!(Page::parse(&page).is_err(), "{broken}");
        }
    }
}
