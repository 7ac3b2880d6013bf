//! Takes out of the program what the linker must keep and nobody uses.
//!
//! A panic ends the program; its words go nowhere, since wasm32 has no standard error. They
//! and the code that puts them together are a twentieth of the page all the same, and only
//! an unstable compiler leaves them out. The panicking functions become the trap in which
//! they end anyway, and the places that they would name become zeros. Leptos exports streams
//! for server functions, of which this program has none.

use std::ops::Range;

use anyhow::{Context as _, ensure};
use walrus::ir::{Instr, Value};
use walrus::{
    ConstExpr, Data, DataKind, FunctionId, FunctionKind, LocalFunction, Module, ModuleConfig,
    RawCustomSection,
};

/// Functions that never return, with what they would say.
const PANICS: [&str; 12] = [
    "core::panicking::",
    "core::option::unwrap_failed",
    "core::option::expect_failed",
    "core::result::unwrap_failed",
    "core::slice::index::slice_index_fail",
    "core::str::slice_error_fail",
    "core::cell::panic_already_",
    "alloc::alloc::handle_alloc_error",
    "alloc::raw_vec::capacity_overflow",
    "alloc::raw_vec::handle_error",
    "std::alloc::rust_oom",
    "std::thread::local::panic_access_error",
];
/// Where wasm-bindgen's macros leave word of imports and exports.
const BINDGEN_SECTION: &str = "__wasm_bindgen_unstable";
/// The classes that wasm-streams exports, and the functions behind them.
const STREAM_CLASSES: &[u8] = b"IntoUnderlying";
const STREAM_EXPORTS: &str = "intounderlying";
/// A panic's place: pointer and length of a path, line, column.
const PLACE_BYTES: usize = 16;

/// The program without them, for wasm-bindgen.
///
/// # Errors
/// When this is no program that wasm-bindgen would take.
pub(super) fn trimmed(program: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut module = ModuleConfig::new()
        .strict_validate(false)
        .generate_name_section(true)
        .parse(program)?;
    drop_streams(&mut module)?;
    end_panics_at_once(&mut module)?;
    blank_places(&mut module);
    walrus::passes::gc::run(&mut module);
    Ok(module.emit_wasm())
}

fn drop_streams(module: &mut Module) -> anyhow::Result<()> {
    let exports: Vec<_> = module
        .exports
        .iter()
        .filter(|export| export.name.contains(STREAM_EXPORTS))
        .map(walrus::Export::id)
        .collect();
    for export in exports {
        module.exports.delete(export);
    }
    let mut data = Vec::new();
    while let Some(section) = module.customs.remove_raw(BINDGEN_SECTION) {
        let kept = without_streams(&section.data);
        data.extend(kept.context("wasm-bindgen's section of the program is cut off")?);
    }
    module.customs.add(RawCustomSection {
        name: BINDGEN_SECTION.to_owned(),
        data,
    });
    Ok(())
}

/// The section is pairs of a version and what one use of the macro declares.
fn without_streams(section: &[u8]) -> Option<Vec<u8>> {
    let mut kept = Vec::new();
    let mut rest = section;
    while !rest.is_empty() {
        let (version, after) = counted(rest)?;
        let (declared, after) = counted(after)?;
        let mut names = declared.windows(STREAM_CLASSES.len());
        if !names.any(|name| name == STREAM_CLASSES) {
            kept.extend_from_slice(version);
            kept.extend_from_slice(declared);
        }
        rest = after;
    }
    Some(kept)
}

/// The first piece with its length before it, and the rest.
fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = bytes
        .first_chunk()
        .map(|length| u32::from_le_bytes(*length))?;
    bytes.split_at_checked(usize::try_from(length).ok()?.checked_add(4)?)
}

/// # Errors
/// When a function that is believed never to return could: another toolchain has other names.
fn end_panics_at_once(module: &mut Module) -> anyhow::Result<()> {
    let panics: Vec<(FunctionId, String)> = module
        .funcs
        .iter()
        .filter_map(|function| Some((function.id(), function.name.clone()?)))
        .filter(|(_, name)| is_panic(name))
        .collect();
    ensure!(
        !panics.is_empty(),
        "no panicking function was found by its name"
    );
    for (id, name) in panics {
        let results = module.types.results(module.funcs.get(id).ty());
        let returns_nothing = results.is_empty();
        if let FunctionKind::Local(local) = &mut module.funcs.get_mut(id).kind {
            ensure!(
                returns_nothing && ends_in_a_trap(local),
                "{name} may return"
            );
            let mut body = local.builder_mut().func_body();
            body.instrs_mut().clear();
            body.unreachable();
        }
    }
    Ok(())
}

fn ends_in_a_trap(function: &LocalFunction) -> bool {
    let body = function.block(function.entry_block());
    let last = body.instrs.last();
    matches!(last, Some((Instr::Unreachable(_), _)))
}

/// By the mangled name, without its hash.
fn is_panic(name: &str) -> bool {
    let name = format!("{:#}", rustc_demangle::demangle(name));
    PANICS.iter().any(|known| name.starts_with(known))
}

/// Zeros compress to nothing. A place is four words in the data: pointer and length of a
/// source file's path, line, column; no other data of a program looks like that.
fn blank_places(module: &mut Module) {
    let blank = places(&segments(module));
    let data: Vec<_> = module.data.iter().map(Data::id).collect();
    for data in data {
        let data = module.data.get_mut(data);
        let Some(start) = start(data) else { continue };
        for range in &blank {
            let inner = range.start.checked_sub(start);
            let bytes = inner.and_then(|from| data.value.get_mut(from..from + range.len()));
            if let Some(bytes) = bytes {
                bytes.fill(0);
            }
        }
    }
}

/// All places and their paths.
fn places(segments: &[Segment<'_>]) -> Vec<Range<usize>> {
    let places = segments.iter().flat_map(|segment| {
        let first = segment.start.next_multiple_of(size_of::<u32>());
        let addresses = (first..).step_by(size_of::<u32>());
        let ranges = addresses.map(|at| at..at + PLACE_BYTES);
        let words = ranges.map_while(|range| Some((segment.read(&range)?, range)));
        words.filter_map(|(words, place)| Some([place, path(segments, words)?]))
    });
    places.flatten().collect()
}

/// Where the path lies that a place names, if it is a place.
fn path(segments: &[Segment<'_>], place: &[u8]) -> Option<Range<usize>> {
    const MOST_LINES: usize = 100_000;
    const MOST_COLUMNS: usize = 1_000;
    let mut words = place
        .as_chunks()
        .0
        .iter()
        .map(|word| u32::from_le_bytes(*word));
    let mut word = || usize::try_from(words.next()?).ok();
    let (start, length, line, column) = (word()?, word()?, word()?, word()?);
    let range = start..start.checked_add(length)?;
    let text = segments.iter().find_map(|segment| segment.read(&range))?;
    let is_path = text.strip_suffix(&[0]).unwrap_or(text).ends_with(b".rs");
    let is_place = (1..MOST_LINES).contains(&line) && (1..MOST_COLUMNS).contains(&column);
    (is_path && is_place).then_some(range)
}

/// Bytes that lie in memory from the start.
struct Segment<'a> {
    start: usize,
    bytes: &'a [u8],
}

impl Segment<'_> {
    fn read(&self, range: &Range<usize>) -> Option<&[u8]> {
        let from = range.start.checked_sub(self.start)?;
        self.bytes.get(from..from.checked_add(range.len())?)
    }
}

fn segments(module: &Module) -> Vec<Segment<'_>> {
    let segments = module.data.iter().filter_map(|data| {
        let bytes = &data.value;
        start(data).map(|start| Segment { start, bytes })
    });
    segments.collect()
}

fn start(data: &Data) -> Option<usize> {
    match data.kind {
        DataKind::Active {
            offset: ConstExpr::Value(Value::I32(start)),
            ..
        } => usize::try_from(start).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use walrus::FunctionBuilder;

    use super::*;

    /// One segment at 1,000 with these words, and after them a path.
    fn memory(words: [u32; 4], path: &[u8]) -> Vec<u8> {
        let words = words.into_iter().flat_map(u32::to_le_bytes);
        words.chain(path.iter().copied()).collect()
    }

    fn blanked(mut bytes: Vec<u8>) -> Vec<u8> {
        let mut module = Module::default();
        let memory = module.memories.add_local(false, false, 1, None, None);
        let offset = ConstExpr::Value(Value::I32(1_000));
        let kind = DataKind::Active { memory, offset };
        let data = module.data.add(kind, std::mem::take(&mut bytes));
        blank_places(&mut module);
        module.data.get(data).value.clone()
    }

    #[test]
    fn the_place_of_a_panic_is_blanked_with_its_path() {
        let place = memory([1_016, 8, 12, 5], b"src/a.rs\0words");
        assert_eq!(blanked(place), memory([0; 4], b"\0\0\0\0\0\0\0\0\0words"));
    }

    #[test]
    fn other_data_stays_as_it_is() {
        let path = b"src/a.rs\0words";
        for words in [
            [1_016, 7, 12, 5],
            [1_016, 8, 0, 5],
            [1_016, 8, 12, 5_000],
            [9_016, 8, 12, 5],
            [u32::MAX, u32::MAX, 12, 5],
        ] {
            assert_eq!(
                blanked(memory(words, path)),
                memory(words, path),
                "{words:?}"
            );
        }
    }

    fn with_a_panic(trap: bool) -> Module {
        let mut module = Module::default();
        let mut builder = FunctionBuilder::new(&mut module.types, &[], &[]);
        builder.name("_ZN4core9panicking9panic_fmt17h0123456789abcdefE".to_owned());
        let mut body = builder.func_body();
        body.i32_const(7).drop();
        if trap {
            body.unreachable();
        }
        builder.finish(Vec::new(), &mut module.funcs);
        module
    }

    #[test]
    fn what_never_returns_is_but_a_trap() {
        let mut module = with_a_panic(true);
        end_panics_at_once(&mut module).unwrap();
        let (_, function) = module.funcs.iter_local().next().unwrap();
        assert_eq!(function.block(function.entry_block()).instrs.len(), 1);
    }

    #[test]
    fn a_function_of_such_a_name_that_returns_stops_the_build() {
        assert!(end_panics_at_once(&mut with_a_panic(false)).is_err());
        assert!(end_panics_at_once(&mut Module::default()).is_err());
    }

    #[test]
    fn panics_are_known_by_either_mangling() {
        for name in [
            "_ZN4core9panicking9panic_fmt17h0123456789abcdefE",
            "_RNvNtCskgNPJ2IGAzH_4core9panicking9panic_fmt",
        ] {
            assert!(is_panic(name), "{name}");
        }
        assert!(!is_panic("_ZN4core3fmt5write17h0123456789abcdefE"));
    }

    #[test]
    fn what_is_declared_of_streams_is_dropped_and_all_else_kept() {
        let piece = |text: &str| {
            [
                &u32::try_from(text.len()).unwrap().to_le_bytes()[..],
                text.as_bytes(),
            ]
            .concat()
        };
        let section = |names: &[&str]| -> Vec<u8> {
            names
                .iter()
                .flat_map(|name| [piece("{}"), piece(name)].concat())
                .collect()
        };
        let all = section(&["setTimeout", "IntoUnderlyingSink", "fetch"]);
        assert_eq!(
            without_streams(&all),
            Some(section(&["setTimeout", "fetch"]))
        );
        assert_eq!(without_streams(&all[..all.len() - 1]), None);
    }
}
