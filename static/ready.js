// Tells Streamlit that the component is there, long before the WASM is (design §3, step 2),
// and then starts the WASM. External, because the page's CSP forbids inline script.
//
// It must not decide anything: the render message that comes early is kept as the event
// that the browser made, and judged by the WASM (`frontend/src/streamlit.rs`).
(() => {
  "use strict";

  // Streamlit's own protocol, nothing secret in it: the host's origin is not known yet.
  const post = (type, fields) =>
    window.parent.postMessage({ isStreamlitMessage: true, type, ...fields }, "*");

  const early = (window.componentAuth0 = { render: null });
  early.listener = (event) => {
    if (event.source === window.parent && event.data?.type === "streamlit:render") early.render = event;
  };
  window.addEventListener("message", early.listener);

  // A turn among the frames of this browser that show one session (`frontend/src/turn.rs`):
  // resolves with what ends it. Where locks are refused or absent, and when `signal` says
  // that the turn is not wanted any more, it begins at once.
  early.turn = async (session, signal) => {
    try {
      return await new Promise((begin, fail) =>
        navigator.locks.request(`component-auth0 ${session}`, { signal }, () => new Promise(begin)).catch(fail),
      );
    } catch {
      return () => {};
    }
  };

  post("streamlit:componentReady", { apiVersion: 1 });

  // Nothing is measured before Streamlit shows the frame (it is display:none until ready):
  // the observer's first call comes with the first layout, so with the skeleton's height.
  const page = document.documentElement;
  let height = 0;
  new ResizeObserver(() => {
    const now = Math.ceil(page.getBoundingClientRect().height);
    if (now > 0 && now !== height) post("streamlit:setFrameHeight", { height: (height = now) });
  }).observe(page);

  // Both build routes (xtask, Trunk) name the hashed files in preload links.
  const start = async () => {
    const glue = document.querySelector("link[rel=modulepreload]");
    const wasm = document.querySelector('link[rel=preload][type="application/wasm"]');
    try {
      const { default: init } = await import(glue.href);
      await init({ module_or_path: wasm.href });
    } catch (error) {
      console.error(error);
      document.getElementById("component-auth0").dataset.state = "error";
      document.getElementById("start-failure").hidden = false;
    }
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
