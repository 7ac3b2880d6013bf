//! Mounts the component; see the library for what it does.

fn main() {
    #[cfg(target_arch = "wasm32")]
    frontend::mount();
}
