//! `cargo xtask wasm-size`: what each crate costs in the frontend's program.
//!
//! Measured on what is shipped: after the trimming, wasm-bindgen and wasm-opt. A function
//! that was inlined counts for its caller, and a generic one of the standard library for the
//! crate whose type it is made for.

use std::collections::BTreeMap;
use std::ops::Range;
use std::process::ExitCode;

use anyhow::Context as _;
use wasmparser::{KnownCustom, Name, NameSectionReader, Parser, Payload, TypeRef};

use crate::context::Context;
use crate::frontend_build::{self, compressed_len};

/// Crates of the toolchain: what is generic in them is somebody else's.
const TOOLCHAIN: [&str; 6] = [
    "core",
    "alloc",
    "std",
    "hashbrown",
    "__rustc",
    "compiler_builtins",
];
/// Rows with less are summed up.
const LEAST_BYTES: usize = 500;

/// Builds the program with names and prints the table.
pub(crate) fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let program = frontend_build::named_program(context)?;
    let functions = functions(&program).context("cannot read the program")?;
    let mut crates: BTreeMap<String, Vec<Range<usize>>> = BTreeMap::new();
    for function in functions {
        let owner = owner(&function.name).to_owned();
        crates.entry(owner).or_default().push(function.body);
    }
    let mut rows: Vec<_> = crates
        .into_iter()
        .map(|(name, bodies)| (bodies.iter().map(Range::len).sum(), name, bodies))
        .collect();
    rows.sort_by_key(|(bytes, ..)| usize::MAX - bytes);
    print(&program, &rows)?;
    Ok(ExitCode::SUCCESS)
}

/// Bytes, crate, function bodies.
type Row = (usize, String, Vec<Range<usize>>);

fn print(program: &[u8], rows: &[Row]) -> anyhow::Result<()> {
    let shipped = without_names(program)?;
    let whole = compressed_len(shipped)?;
    let code: usize = rows.iter().map(|(bytes, ..)| bytes).sum();
    println!(
        "{:<24} {:>8} {:>7} {:>8}",
        "crate", "code", "share", "brotli"
    );
    let mut rest = 0;
    for (bytes, name, bodies) in rows {
        if *bytes < LEAST_BYTES {
            rest += bytes;
            continue;
        }
        let saved = whole.saturating_sub(compressed_len(&cut(shipped, bodies))?);
        println!(
            "{name:<24} {bytes:>8} {:>6}% {saved:>8}",
            bytes * 100 / code
        );
    }
    println!("{:<24} {rest:>8} {:>6}%", "others", rest * 100 / code);
    println!(
        "\ncode {code} of {} bytes, {whole} after brotli; the column tells what the file \
         would lose with those functions",
        shipped.len()
    );
    Ok(())
}

/// The program up to the end of its data: the names come after it.
fn without_names(program: &[u8]) -> anyhow::Result<&[u8]> {
    for payload in Parser::new(0).parse_all(program) {
        if let Payload::DataSection(data) = payload? {
            return Ok(&program[..data.range().end]);
        }
    }
    anyhow::bail!("the program has no data")
}

struct Function {
    name: String,
    body: Range<usize>,
}

fn functions(program: &[u8]) -> anyhow::Result<Vec<Function>> {
    let (mut imported, mut bodies, mut names) = (0, Vec::new(), BTreeMap::new());
    for payload in Parser::new(0).parse_all(program) {
        match payload? {
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    imported += u32::from(matches!(import?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => bodies.push(body.range()),
            Payload::CustomSection(section) => {
                if let KnownCustom::Name(sections) = section.as_known() {
                    names.extend(function_names(sections)?);
                }
            }
            _ => {}
        }
    }
    let numbered = (imported..).zip(bodies);
    Ok(numbered
        .map(|(index, body)| Function {
            name: names.remove(&index).unwrap_or_default(),
            body,
        })
        .collect())
}

fn function_names(sections: NameSectionReader<'_>) -> anyhow::Result<Vec<(u32, String)>> {
    for section in sections {
        if let Name::Function(names) = section? {
            let names = names.into_iter();
            let names = names.map(|name| name.map(|name| (name.index, name.name.to_owned())));
            return Ok(names.collect::<Result<_, _>>()?);
        }
    }
    Ok(Vec::new())
}

/// The crate that a function is there for.
fn owner(name: &str) -> &str {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let mut first = None;
    let mut rest = name;
    while let Some(start) = rest.find(is_word) {
        let within_path = rest[..start].ends_with("::");
        let from = &rest[start..];
        let end = from.find(|letter| !is_word(letter)).unwrap_or(from.len());
        let (word, after) = from.split_at(end);
        let after = without_hash(after);
        if after.starts_with("::") && !within_path {
            if !TOOLCHAIN.contains(&word) {
                return word;
            }
            first = first.or(Some(word));
        }
        rest = after;
    }
    first.unwrap_or("(no crate)")
}

/// After a crate's name: `core[c5930c85a12de822]::fmt`.
fn without_hash(text: &str) -> &str {
    text.strip_prefix('[')
        .and_then(|inner| inner.split_once(']'))
        .filter(|(hash, _)| hash.len() > 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .map_or(text, |(_, after)| after)
}

/// The file without these parts of it.
fn cut(file: &[u8], parts: &[Range<usize>]) -> Vec<u8> {
    let mut parts = parts.to_vec();
    parts.sort_by_key(|part| part.start);
    let (mut kept, mut from) = (Vec::with_capacity(file.len()), 0);
    for part in parts {
        kept.extend_from_slice(&file[from..part.start]);
        from = part.end;
    }
    kept.extend_from_slice(&file[from..]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_belongs_to_the_first_crate_that_is_not_the_toolchains() {
        for (name, crate_name) in [
            (
                "frontend::frame::Frame::dispatch::h2a632c69e6440297",
                "frontend",
            ),
            (
                "core::ptr::drop_in_place<alloc::vec::Vec<shared::auth::SignedIn>>",
                "shared",
            ),
            (
                "<T as base64ct::encoding::Encoding>::encode_string",
                "base64ct",
            ),
            ("<core[c5930c85a12de822]::fmt::Formatter>::pad", "core"),
            (
                "<dlmalloc[e24a27700634d609]::Dlmalloc<System>>::malloc",
                "dlmalloc",
            ),
            (
                "core::option::Option<T>::and_then::h7733ae2305c2d80f",
                "core",
            ),
            ("main", "(no crate)"),
            ("", "(no crate)"),
        ] {
            assert_eq!(owner(name), crate_name, "{name}");
        }
    }

    #[test]
    fn parts_are_cut_in_whatever_order_they_come() {
        assert_eq!(cut(b"abcdef", &[4..5, 1..3]), b"adf");
    }
}
