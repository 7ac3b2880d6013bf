//! The frontend's way from Rust to `dist/`, without Trunk.
//!
//! Cargo → wasm-bindgen (library) → wasm-opt → esbuild → names by content → brotli and gzip.
//! Compiling Trunk and wasm-bindgen's CLI first would take three times as long as all of
//! this from a fresh clone. Equal inputs give equal bytes, and unchanged inputs no work.

mod assets;
mod budget;
mod index_html;
mod output;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context as _, ensure};
use wasm_bindgen_cli_support::Bindgen;

use self::assets::File;
pub(crate) use self::budget::Cost;
use self::index_html::{Asset, Page};
use self::output::Output;
use crate::context::Context;
use crate::fingerprint::Fingerprint;
use crate::process;
use crate::progress::Step;
use crate::tools::npm::{self, FrontendTools, Tool};
use crate::tools::rust_target;

/// Raise it when this code gives other bytes for the same inputs.
const PIPELINE: &str = "1";
const PACKAGE: &str = "frontend";

/// How much time to spend on size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// What is shipped and measured.
    Release,
    /// Quick to rebuild, several times larger.
    Dev,
}

impl Profile {
    fn cargo_name(self) -> &'static str {
        match self {
            Self::Release => "wasm-release",
            Self::Dev => "wasm-dev",
        }
    }
}

/// Builds `dist/` and tells what loading it costs.
///
/// # Errors
/// When a tool fails, or `index.html` holds what is not understood.
pub(crate) fn run(context: &Context, profile: Profile) -> anyhow::Result<Cost> {
    let step = context.progress.step("frontend");
    step.say(format_args!("compiling ({} profile)", profile.cargo_name()));
    let (wasm, tools) = thread::scope(|scope| {
        // The network works while the processor compiles.
        let tools = scope.spawn(|| npm::frontend_tools(context));
        let wasm = compile(context, &step, profile);
        (wasm, tools.join())
    });
    let tools = tools.map_err(|_| anyhow::anyhow!("the npm step panicked"))?;
    let build = Build {
        context,
        step: &step,
        profile,
        tools,
        wasm: wasm?,
        work: context.workspace.frontend_target().join("bindgen"),
    };
    let output = Output::new(&context.workspace, build.fingerprint()?);
    if let Some(cost) = output.current() {
        step.done("unchanged");
        return Ok(cost);
    }
    let (page, files) = build.files()?;
    let cost = output.replace(&page, &files)?;
    step.done("dist/ written");
    Ok(cost)
}

fn compile(context: &Context, step: &Step, profile: Profile) -> anyhow::Result<PathBuf> {
    rust_target::ensure_wasm(context, step)?;
    let target = context.workspace.frontend_target();
    process::run(
        context,
        step,
        process::cargo(context.workspace.root())
            .args(["build", "--package", PACKAGE, "--bin", PACKAGE])
            .args(["--target", rust_target::WASM, "--profile"])
            .arg(profile.cargo_name())
            .arg("--target-dir")
            .arg(&target),
    )?;
    Ok(target
        .join(rust_target::WASM)
        .join(profile.cargo_name())
        .join(format!("{PACKAGE}.wasm")))
}

struct Build<'a> {
    context: &'a Context,
    step: &'a Step,
    profile: Profile,
    tools: FrontendTools,
    wasm: PathBuf,
    work: PathBuf,
}

/// Built assets by their `href` or `src` in `index.html`.
type Sources = HashMap<String, File>;

impl Build<'_> {
    fn index(&self) -> PathBuf {
        self.context.workspace.join("frontend/index.html")
    }

    fn page(&self) -> anyhow::Result<Page> {
        let index = self.index();
        let html = fs::read_to_string(&index)
            .with_context(|| format!("cannot read {}", index.display()))?;
        Page::parse(&html)
    }

    /// Paths in `index.html` are relative to it, as Trunk reads them.
    fn source(&self, href: &str) -> PathBuf {
        self.context.workspace.join("frontend").join(href)
    }

    fn fingerprint(&self) -> anyhow::Result<Fingerprint> {
        let mut fingerprint = Fingerprint::default();
        fingerprint
            .add("pipeline", PIPELINE.as_bytes())
            .add("profile", self.profile.cargo_name().as_bytes())
            .add("tools", self.tools.describe().as_bytes())
            .add_file(&self.wasm)
            .add_file(&self.index());
        for asset in self.page()?.assets() {
            if let Some(href) = asset.href() {
                fingerprint.add_file(&self.source(href));
            }
        }
        Ok(fingerprint)
    }

    /// The page, and all files that it can ask for.
    fn files(&self) -> anyhow::Result<(File, Vec<File>)> {
        self.step
            .say("wasm-bindgen, wasm-opt, esbuild, compression");
        let page = self.page()?;
        let wasm = File::hashed("frontend_bg.wasm", self.bindgen()?)?;
        let script = File::hashed("frontend.js", self.bundle()?)?;
        let mut sources = Sources::new();
        for asset in page.assets() {
            if let Some(href) = asset.href() {
                sources.insert(href.to_owned(), self.source_file(href)?);
            }
        }
        let mut html = page.render(|asset| tag(asset, &wasm, &script, &sources));
        for asset in page.assets() {
            if let Asset::Copied { source } = asset {
                html = point_to_hashed(&html, source, &sources[source]);
            }
        }
        let mut files = vec![wasm, script];
        files.extend(sources.into_values());
        files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok((
            File::named("index.html".to_owned(), html.into_bytes())?,
            files,
        ))
    }

    fn bindgen(&self) -> anyhow::Result<Vec<u8>> {
        // Leftovers of an older build must not get into the bundle.
        if self.work.exists() {
            fs::remove_dir_all(&self.work)?;
        }
        Bindgen::new()
            .web(true)?
            .input_path(&self.wasm)
            .out_name(PACKAGE)
            .typescript(false)
            .remove_name_section(self.profile == Profile::Release)
            .remove_producers_section(true)
            .omit_default_module_path(true)
            .generate(&self.work)
            .with_context(|| format!("wasm-bindgen refused {}", self.wasm.display()))?;
        let wasm = self.work.join(format!("{PACKAGE}_bg.wasm"));
        match &self.tools.wasm_opt {
            Some(wasm_opt) if self.profile == Profile::Release => {
                let smaller = self.work.join("optimized.wasm");
                let mut command = Command::new(&wasm_opt.program);
                command.arg("-Oz").arg(&wasm).arg("-o").arg(&smaller);
                process::run(self.context, self.step, &mut command)?;
                Ok(fs::read(smaller)?)
            }
            _ => Ok(fs::read(wasm)?),
        }
    }

    /// wasm-bindgen's script as one module; `static/ready.js` imports and starts it.
    fn bundle(&self) -> anyhow::Result<Vec<u8>> {
        let glue = self.work.join(format!("{PACKAGE}.js"));
        let Some(esbuild) = &self.tools.esbuild else {
            ensure!(
                !self.work.join("snippets").exists(),
                "a crate brings its own scripts: bundling them needs esbuild, so install Node.js and npm"
            );
            return Ok(fs::read(glue)?);
        };
        self.esbuild(esbuild, &glue, &["--bundle", "--format=esm"])
    }

    fn source_file(&self, href: &str) -> anyhow::Result<File> {
        let path = self.source(href);
        let name = file_name(href)?;
        let minifiable = Path::new(name)
            .extension()
            .is_some_and(|extension| extension == "js" || extension == "css");
        let contents = match &self.tools.esbuild {
            Some(esbuild) if minifiable => self.esbuild(esbuild, &path, &[])?,
            _ => fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?,
        };
        File::hashed(name, contents)
    }

    fn esbuild(&self, esbuild: &Tool, input: &Path, options: &[&str]) -> anyhow::Result<Vec<u8>> {
        let output = self.work.join("esbuild.out");
        let mut command = Command::new(&esbuild.program);
        command
            .arg(input)
            .args(options)
            .args([
                "--log-level=error",
                "--legal-comments=none",
                "--target=es2022",
            ])
            .arg(format!("--outfile={}", output.display()));
        if self.profile == Profile::Release {
            command.arg("--minify");
        }
        process::run(self.context, self.step, &mut command)?;
        Ok(fs::read(output)?)
    }
}

fn file_name(href: &str) -> anyhow::Result<&str> {
    let name = href.rsplit('/').next().unwrap_or_default();
    ensure!(!name.is_empty(), "index.html names a folder: {href}");
    Ok(name)
}

/// A file that another tag names by its public path gets its hashed name there.
fn point_to_hashed(html: &str, source: &str, file: &File) -> String {
    let name = source.rsplit('/').next().unwrap_or_default();
    html.replace(
        &format!("\"/static/{name}\""),
        &format!("\"{}\"", file.url()),
    )
}

fn tag(asset: &Asset, wasm: &File, script: &File, sources: &Sources) -> String {
    let url = |source: &String| sources[source].url();
    match asset {
        // `static/ready.js` finds the hashed names in these links, as in Trunk's output.
        // `crossorigin`: without it the preloaded answer does not match the fetch, and
        // the wasm is downloaded twice.
        Asset::Rust => format!(
            "<link rel=\"modulepreload\" href=\"{}\" crossorigin>\n\
             <link rel=\"preload\" href=\"{}\" as=\"fetch\" type=\"application/wasm\" crossorigin>",
            script.url(),
            wasm.url()
        ),
        Asset::StyleSheet { source } => {
            format!("<link rel=\"stylesheet\" href=\"{}\">", url(source))
        }
        Asset::Script { source, attributes } => {
            format!("<script src=\"{}\"{attributes}></script>", url(source))
        }
        Asset::Icon { source, attributes } => {
            format!("<link rel=\"icon\" href=\"{}\"{attributes}>", url(source))
        }
        Asset::Copied { .. } => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> File {
        File::named(name.to_owned(), b"contents".to_vec()).unwrap()
    }

    #[test]
    fn the_program_is_named_in_preload_links_and_started_by_no_inline_script() {
        let html = tag(
            &Asset::Rust,
            &file("a.wasm"),
            &file("a.js"),
            &Sources::new(),
        );
        assert!(html.contains("<link rel=\"modulepreload\" href=\"/static/a.js\" crossorigin>"));
        assert!(html.contains(
            "href=\"/static/a.wasm\" as=\"fetch\" type=\"application/wasm\" crossorigin>"
        ));
        assert!(!html.contains("<script"));
    }

    #[test]
    fn a_copied_file_is_named_by_its_hash_where_a_tag_names_it() {
        let html = "<script src=\"/static/ready.js\"></script>";
        assert_eq!(
            point_to_hashed(html, "../static/ready.js", &file("ready-01.js")),
            "<script src=\"/static/ready-01.js\"></script>"
        );
    }

    #[test]
    fn a_folder_is_no_file() {
        assert_eq!(file_name("../static/ready.js").unwrap(), "ready.js");
        assert!(file_name("../static/").is_err());
    }
}
