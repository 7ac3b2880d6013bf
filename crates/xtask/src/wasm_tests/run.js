// Runs the tests of a wasm-bindgen test binary in this page and posts what they printed.

const output = document.getElementById("output");
const original = {};
const listeners = {};

// wasm-bindgen-test shows what a failed test printed: it must see the console's calls.
for (const method of ["debug", "log", "info", "warn", "error"]) {
  original[method] = console[method];
  console[method] = (...values) => {
    original[method].apply(console, values);
    listeners[method]?.(values);
  };
}
// wasm-bindgen-test calls tests through this one, to see their exceptions.
globalThis.__wbg_test_invoke = (test) => test();

async function run() {
  const { default: init, ...bindings } = await import("./tests.js");
  const wasm = await init({ module_or_path: "tests_bg.wasm" });
  const filters = (await (await fetch("filters.txt")).text()).split("\n").filter(Boolean);
  const all = Object.keys(wasm).filter((name) => name.startsWith("__wbgt_"));
  const chosen = all.filter((name) => !filters.length || filters.some((word) => name.includes(word)));
  const context = new bindings.WasmBindgenTestContext(false);
  for (const method of Object.keys(original)) {
    listeners[method] = bindings[`__wbgtest_console_${method}`];
  }
  context.include_ignored(false);
  context.filtered_count(all.length - chosen.length);
  await context.run(chosen.map((name) => wasm[name]));
}

let failure = "";
try {
  await run();
} catch (error) {
  failure = `\n${error}\n${error?.stack ?? ""}`;
}
await fetch("report", { method: "POST", body: output.textContent + failure });
