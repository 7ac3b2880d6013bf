//! The targets under libFuzzer: `cargo xtask fuzz` starts this with `FUZZ_TARGET` set to the
//! name of one. All in one binary: to link the companion takes longer than to start it.
#![no_main]

use std::sync::OnceLock;

use fuzz::Target;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let target = chosen();
    (target.run)(&data[..data.len().min(target.longest)]);
});

fn chosen() -> &'static Target {
    static TARGET: OnceLock<&'static Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "libFuzzer reads the arguments itself and knows no target"
        )]
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        fuzz::find(&name).unwrap_or_else(|| panic!("FUZZ_TARGET={name} is no target"))
    })
}
