// Tells Streamlit that the component is there, long before the WASM is (design §3, step 2),
// asks who is signed in meanwhile, and starts the WASM. Written into the page, which the CSP
// allows by its hash: a file of its own would be one more journey before the first word.
//
// It must not decide anything: the render message that comes early is kept as the event
// that the browser made, and judged by the WASM (`frontend/src/streamlit.rs`). The answer to
// the early question is the WASM's only if it asks the very same; all others it asks itself.
(() => {
  "use strict";

  // It has begun: an inline script that is found in the page later is none of ours.
  document.currentScript?.remove();

  // Streamlit's own protocol, nothing secret in it: the host's origin is not known yet.
  const tell = (type, fields) =>
    window.parent.postMessage({ isStreamlitMessage: true, type, ...fields }, "*");

  // As `frontend/src/api.rs` asks its companion: same origin, marked as the frame's, so that
  // it is judged by the frame's cookie only (design §4), and no redirect is followed.
  const ask = (body) =>
    fetch("/api/auth/ticket", {
      method: "POST",
      headers: { "content-type": "application/json", "X-Component-Auth0": "frame" },
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(30000),
      body,
    });

  // Until the WASM is there and takes the listener away: for an admitted page only, and once.
  // A command comes before any question.
  const early = (window.componentAuth0 = { render: null });
  const askEarly = ({ isTrusted, origin, data }) => {
    const origins = document.querySelector("meta[name='component-auth0:origins']").content.split(" ");
    const { challenge, command, known } = data.args ?? {};
    if (early.asked || !isTrusted || !origins.includes(origin) || command || typeof challenge !== "string") return;
    const known_ref = typeof known?.ref === "string" ? known.ref : undefined;
    const body = JSON.stringify({ challenge, host_origin: origin, known_ref });
    early.asked = { body, at: Date.now(), response: ask(body) };
    // The WASM hears of a failure when it looks, and nobody else is to.
    early.asked.response.catch(() => {});
  };

  early.listener = (event) => {
    if (event.source !== window.parent || event.data?.type !== "streamlit:render") return;
    early.render = event;
    askEarly(event);
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

  tell("streamlit:componentReady", { apiVersion: 1 });

  // Nothing is measured before Streamlit shows the frame (it is display:none until ready):
  // the observer's first call comes with the first layout, so with the skeleton's height.
  const page = document.documentElement;
  let height = 0;
  new ResizeObserver(() => {
    const now = Math.ceil(page.getBoundingClientRect().height);
    if (now > 0 && now !== height) tell("streamlit:setFrameHeight", { height: (height = now) });
  }).observe(page);

  // Both build routes (xtask, Trunk) name the hashed files in preload links.
  document.addEventListener("DOMContentLoaded", async () => {
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
  });
})();
