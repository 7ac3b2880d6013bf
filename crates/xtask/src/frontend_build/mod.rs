//! The frontend's way from Rust to `dist/`, without Trunk.
//!
//! Cargo → wasm-bindgen (library) → wasm-opt → esbuild → names by content → brotli and gzip.
//! Compiling Trunk and wasm-bindgen's CLI first would take three times as long as all of
//! this from a fresh clone. Equal inputs give equal bytes, and unchanged inputs no work.

mod assets;
mod budget;
mod index_html;
mod output;
mod short_names;
mod trim;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context as _, ensure};
use wasm_bindgen_cli_support::Bindgen;

use self::assets::File;
pub(crate) use self::assets::compressed_len;
pub(crate) use self::budget::Cost;
use self::index_html::{Asset, Page};
use self::output::Output;
use self::short_names::ShortNames;
use crate::context::Context;
use crate::fingerprint::Fingerprint;
use crate::process;
use crate::progress::Step;
use crate::tools::npm::{self, FrontendTools, Tool};
use crate::tools::rust_target;

/// Raise it when this code gives other bytes for the same inputs.
const PIPELINE: &str = "3";
const PACKAGE: &str = "frontend";
const COMPONENT_PAGE: &str = "index.html";
/// Plain HTML and JavaScript: it has no program, and no part in the component's budget.
const HERO_PAGE: &str = "hero.html";

/// A flat program with its loops found anew is a hundredth smaller once more.
const WASM_OPT: [&str; 4] = ["--flatten", "--rereloop", "-Oz", "--converge"];

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
/// When a tool fails, or a page holds what is not understood.
pub(crate) fn run(context: &Context, profile: Profile) -> anyhow::Result<Cost> {
    let step = context.progress.step("frontend");
    let build = prepare(context, &step, profile)?;
    let output = Output::new(&context.workspace, build.fingerprint()?);
    if let Some(cost) = output.current() {
        step.done("unchanged");
        return Ok(cost);
    }
    let (pages, files) = build.files()?;
    let cost = output.replace(&pages, &files)?;
    step.done("dist/ written");
    Ok(cost)
}

/// The program as it is shipped, but with the names of its functions.
///
/// # Errors
/// When a tool fails.
pub(crate) fn named_program(context: &Context) -> anyhow::Result<Vec<u8>> {
    let step = context.progress.step("frontend");
    let build = prepare(context, &step, Profile::Release)?;
    let program = build.bindgen(Names::Kept)?;
    step.done("built with names");
    Ok(program)
}

fn prepare<'a>(
    context: &'a Context,
    step: &'a Step,
    profile: Profile,
) -> anyhow::Result<Build<'a>> {
    step.say(format_args!("compiling ({} profile)", profile.cargo_name()));
    let (wasm, tools) = thread::scope(|scope| {
        // The network works while the processor compiles.
        let tools = scope.spawn(|| npm::frontend_tools(context));
        let wasm = compile(context, step, profile);
        (wasm, tools.join())
    });
    let tools = tools.map_err(|_| anyhow::anyhow!("the npm step panicked"))?;
    Ok(Build {
        context,
        step,
        profile,
        tools,
        wasm: wasm?,
        work: context.workspace.frontend_target().join("bindgen"),
    })
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

/// Names of functions in the program.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Kept,
    Dropped,
}

struct Build<'a> {
    context: &'a Context,
    step: &'a Step,
    profile: Profile,
    tools: FrontendTools,
    wasm: PathBuf,
    work: PathBuf,
}

/// Built assets by their `href` or `src` in the pages.
type Sources = HashMap<String, File>;

impl Build<'_> {
    /// The component's page and the Hero's.
    fn sources(&self) -> anyhow::Result<[(&'static str, Page); 2]> {
        Ok([
            (COMPONENT_PAGE, self.page(COMPONENT_PAGE, 1)?),
            (HERO_PAGE, self.page(HERO_PAGE, 0)?),
        ])
    }

    fn page(&self, name: &str, programs: usize) -> anyhow::Result<Page> {
        let html =
            fs::read_to_string(self.source(name)).with_context(|| format!("cannot read {name}"))?;
        let page = Page::parse(&html).with_context(|| format!("cannot build {name}"))?;
        page.check_programs(programs)
            .with_context(|| format!("cannot build {name}"))?;
        Ok(page)
    }

    /// Paths in a page are relative to it, as Trunk reads them.
    fn source(&self, href: &str) -> PathBuf {
        self.context.workspace.join("frontend").join(href)
    }

    fn fingerprint(&self) -> anyhow::Result<Fingerprint> {
        let mut fingerprint = Fingerprint::default();
        fingerprint
            .add("pipeline", PIPELINE.as_bytes())
            .add("profile", self.profile.cargo_name().as_bytes())
            .add("tools", self.tools.describe().as_bytes())
            .add_file(&self.wasm);
        for (name, page) in self.sources()? {
            fingerprint.add_file(&self.source(name));
            for href in page.assets().filter_map(Asset::href) {
                fingerprint.add_file(&self.source(href));
            }
        }
        Ok(fingerprint)
    }

    /// The pages, the component's first, and all files that they can ask for.
    fn files(&self) -> anyhow::Result<(Vec<File>, Vec<File>)> {
        self.step
            .say("wasm-bindgen, wasm-opt, esbuild, compression");
        let pages = self.sources()?;
        let names = match self.profile {
            Profile::Release => Names::Dropped,
            Profile::Dev => Names::Kept,
        };
        let wasm = File::hashed("frontend_bg.wasm", self.bindgen(names)?)?;
        let script = File::hashed("frontend.js", self.bundle()?)?;
        let mut sources = Sources::new();
        let assets = pages.iter().flat_map(|(_, page)| page.assets());
        for href in assets.filter_map(Asset::href) {
            sources.insert(href.to_owned(), self.source_file(href)?);
        }
        let built = pages.iter().map(|(name, page)| {
            let html = built_html(page, &wasm, &script, &sources);
            File::named((*name).to_owned(), html.into_bytes())
        });
        let built = built.collect::<anyhow::Result<_>>()?;
        let mut files = vec![wasm, script];
        let inline = |href: &str| {
            let mut assets = pages.iter().flat_map(|(_, page)| page.assets());
            assets.any(|asset| matches!(asset, Asset::Inline { source } if source == href))
        };
        files.extend(
            sources
                .into_iter()
                .filter(|(href, _)| !inline(href))
                .map(|(_, file)| file),
        );
        files.sort_by(|one, other| one.name.cmp(&other.name));
        Ok((built, files))
    }

    fn bindgen(&self, names: Names) -> anyhow::Result<Vec<u8>> {
        // Leftovers of an older build must not get into the bundle.
        if self.work.exists() {
            fs::remove_dir_all(&self.work)?;
        }
        let mut program = fs::read(&self.wasm)?;
        if self.profile == Profile::Release {
            program = trim::trimmed(&program).context("cannot trim the program")?;
        }
        let mut output = Bindgen::new()
            .web(true)?
            .input_bytes(PACKAGE, program)
            .out_name(PACKAGE)
            .typescript(false)
            .remove_name_section(names == Names::Dropped)
            .remove_producers_section(true)
            .omit_default_module_path(true)
            .generate_output()
            .with_context(|| format!("wasm-bindgen refused {}", self.wasm.display()))?;
        let short = ShortNames::give(&mut output);
        output.emit(&self.work)?;
        let glue = self.work.join(format!("{PACKAGE}.js"));
        fs::write(&glue, short.apply(&fs::read_to_string(&glue)?))?;
        let wasm = self.work.join(format!("{PACKAGE}_bg.wasm"));
        match &self.tools.wasm_opt {
            Some(wasm_opt) if self.profile == Profile::Release => {
                self.optimize(wasm_opt, &wasm, names)
            }
            _ => Ok(fs::read(wasm)?),
        }
    }

    fn optimize(&self, wasm_opt: &Tool, wasm: &Path, names: Names) -> anyhow::Result<Vec<u8>> {
        let smaller = self.work.join("optimized.wasm");
        let mut command = Command::new(&wasm_opt.program);
        command.args(WASM_OPT).arg(wasm).arg("-o").arg(&smaller);
        if names == Names::Kept {
            command.arg("--debuginfo");
        }
        process::run(self.context, self.step, &mut command)?;
        Ok(fs::read(smaller)?)
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
        // The page starts the program in one way; the others are left out.
        let entry = self.work.join("entry.js");
        fs::write(
            &entry,
            format!("export {{ default }} from \"./{PACKAGE}.js\";"),
        )?;
        self.esbuild(esbuild, &entry, &["--bundle", "--format=esm"])
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
    ensure!(!name.is_empty(), "a page names a folder: {href}");
    Ok(name)
}

fn built_html(page: &Page, wasm: &File, script: &File, sources: &Sources) -> String {
    let mut html = page.render(|asset| tag(asset, wasm, script, sources));
    for asset in page.assets() {
        if let Asset::Copied { source } = asset {
            html = point_to_hashed(&html, source, &sources[source]);
        }
    }
    html
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
        Asset::Inline { source } => {
            let script = String::from_utf8_lossy(&sources[source].contents);
            format!("<script>{}</script>", script.trim())
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
    fn an_inline_script_stands_in_the_page_and_is_no_request() {
        let source = "../static/ready.js".to_owned();
        let script = File::hashed("ready.js", b"ready();\n".to_vec()).unwrap();
        let sources = Sources::from([(source.clone(), script)]);
        let html = tag(
            &Asset::Inline { source },
            &file("a.wasm"),
            &file("a.js"),
            &sources,
        );
        assert_eq!(html, "<script>ready();</script>");
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
