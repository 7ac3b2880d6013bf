// Component Hero: events between a component and its Streamlit app, without any provider.
// Copy it to begin a component of your own, in any language: the whole protocol is here. The
// app's side is `python/examples/hero_app.py`, which calls `run_component(…, name="hero")`.
//
//   frame → app   streamlit:componentReady, :setFrameHeight, :setComponentValue (an event)
//   app → frame   streamlit:render, with the args and the theme; again after each rerun
//
// The rules, which are those of the sign-in component too:
// - Orders come from the embedding window, on an origin that the companion lists, or not at all.
// - Events go to exactly the origin that gave the orders.
// - What comes from outside is text: `textContent`, never markup.
// - The app decides. It believes nothing in an event that it cannot check itself.

const part = (testId) => document.querySelector(`[data-testid="${testId}"]`);
const byId = (id) => document.getElementById(id);

/** Pages that may give orders: STREAMLIT_ORIGINS, written into this page by the companion. */
const HOST_ORIGINS = document
  .querySelector('meta[name="component-auth0:origins"]')
  .content.split(/\s+/)
  .filter((origin) => origin !== "" && origin !== "null");

/** The origin of the page that holds this frame, once it has given an order. */
let hostOrigin = null;
/** The args of the last order. */
let args = {};
/** The id of the request that is waiting for its answer. */
let awaited = null;
/** Whether the person typed an address: then the app's suggestion stays away. */
let urlTyped = false;

// --- Streamlit's protocol ----------------------------------------------------------------

const post = (type, fields, targetOrigin) =>
  window.parent.postMessage({ isStreamlitMessage: true, type, ...fields }, targetOrigin);

/** Whether this is a render message that must be obeyed, must be refused, or is not for us. */
function judge(event) {
  // `isTrusted`: a script can make a message event with any `source` and `origin` it likes.
  const fromHost = event.isTrusted && event.source === window.parent && window.parent !== window;
  if (!fromHost || event.data?.type !== "streamlit:render") return "ignored";
  // Whole origins are compared: `https://app.example.evil.test` only begins like a good one.
  return HOST_ORIGINS.includes(event.origin) ? "obeyed" : "refused";
}

function listen() {
  window.addEventListener("message", (event) => {
    const verdict = judge(event);
    if (verdict === "refused") {
      refuse(`This component does not work on ${event.origin}: STREAMLIT_ORIGINS lacks it.`);
    } else if (verdict === "obeyed") {
      hostOrigin = event.origin;
      args = asObject(event.data.args);
      wear(asObject(event.data.theme));
      draw(event.data.disabled === true);
    }
  });
  // The host's origin is not known yet, and nothing in this message is secret.
  post("streamlit:componentReady", { apiVersion: 1 }, "*");
}

/** Keeps the frame as high as its content. */
function followHeight() {
  const page = document.documentElement;
  let height = 0;
  new ResizeObserver(() => {
    const now = Math.ceil(page.getBoundingClientRect().height);
    if (now === 0 || now === height) return; // not laid out, or nothing new
    height = now;
    post("streamlit:setFrameHeight", { height }, "*");
  }).observe(page);
}

// --- Events ------------------------------------------------------------------------------

/** 128 random bits. `crypto.randomUUID` would need https or localhost. */
function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Sends one event and returns its id.
 *
 * The id tells two equal events apart, and one event from itself in the next rerun. The
 * challenge ties it to this Streamlit session: the app makes no request for another's event.
 */
function send(name, data) {
  const id = randomId();
  const value = {
    id,
    name,
    challenge: asText(args.challenge),
    data: {
      hostname: asText(args.hostname),
      message: "",
      isError: false,
      error: null,
      sessioninfo: null,
      action: null,
      props: null,
      ...data,
    },
  };
  post("streamlit:setComponentValue", { dataType: "json", value }, hostOrigin);
  part("sent").textContent = `Sent ${name ?? "an event without a name"}.`;
  return id;
}

/** What the buttons send, by their `data-send`. */
const EVENTS = {
  report: () => send("onAdhocReport", { message: "Everything is fine here." }),
  fail: () => send("onAdhocReport", { message: "fail" }),
  error: () => {
    const error = { code: "hero_error", message: "Something went wrong in the component." };
    return send("onError", { message: error.message, isError: true, error });
  },
  // The app subscribed to neither of these: both reach its handler as `onError`.
  unknown: () => send("onUnheardOf", { message: "Nobody subscribed to this." }),
  nameless: () => send(null, { message: "An event without a name." }),
};

function sendGuess(guess) {
  send("onStatusUpdate", { message: "A guess", props: { guess } });
}

/** Asks the app to make a request. It answers in the arg `action_result`, under this id. */
function askForRequest(type, url) {
  const props = { label: `${type} ${url}`, type, url, headers: {}, data: null, useauth: false };
  awaited = send("onActionRequest", {
    message: `Asks for ${url}`,
    action: { name: "WebRequest", props },
  });
  drawResult();
}

// --- Drawing -----------------------------------------------------------------------------

function draw(disabled) {
  byId("component-hero").dataset.state = "ready";
  byId("controls").disabled = disabled;
  part("error").hidden = true;
  part("hostname").textContent = asText(args.hostname) ?? "Component Hero";
  part("message").textContent = asText(asObject(args.initial_state).message) ?? "";
  const events = Array.isArray(args.events) ? args.events.filter(asText) : [];
  part("events").textContent = events.join(", ") || "no event";
  if (!urlTyped) byId("url").value = asText(args.request_url) ?? byId("url").value;
  drawResult();
}

/** The last answer, or that one is on its way. */
function drawResult() {
  const result = asObject(args.action_result);
  const isWaiting = awaited !== null && result.id !== awaited;
  byId("result").hidden = !isWaiting && result.id === undefined;
  byId("result").dataset.outcome = isWaiting ? "waiting" : result.ok === true ? "ok" : "failed";
  if (isWaiting) {
    showResult("Waiting for the host …", "", "", "");
    return;
  }
  const refusal = asText(asObject(result.error).message);
  showResult(
    // The host made no request at all, or it has the server's status.
    result.status > 0 ? `Status ${result.status}` : "Not done",
    asText(result.label) ?? "",
    refusal ?? asText(result.body) ?? "",
    result.truncated === true ? "The answer was longer; the host cut it." : "",
  );
}

function showResult(status, label, body, note) {
  const texts = { status, label, body, note };
  for (const [name, text] of Object.entries(texts)) {
    const element = part(`result-${name}`);
    element.textContent = text;
    element.hidden = text === "";
  }
}

/** Shows why nothing works, and sends nothing to anybody. */
function refuse(reason) {
  hostOrigin = null;
  byId("component-hero").dataset.state = "error";
  byId("controls").disabled = true;
  part("error").textContent = reason;
  part("error").hidden = false;
}

/** Takes on the app's theme. */
function wear(theme) {
  const colours = {
    "--primary": theme.primaryColor,
    "--text": theme.textColor,
    "--box": theme.secondaryBackgroundColor,
  };
  const { dataset, style } = document.documentElement;
  dataset.theme = theme.base === "dark" ? "dark" : "light";
  for (const [property, colour] of Object.entries(colours)) {
    if (asText(colour) && CSS.supports("color", colour)) style.setProperty(property, colour);
  }
  if (asText(theme.font)) style.setProperty("--font", theme.font);
}

// --- What comes from outside has the type that it has --------------------------------------

function asObject(value) {
  return typeof value === "object" && value !== null ? value : {};
}

function asText(value) {
  return typeof value === "string" ? value : null;
}

// --- Start -------------------------------------------------------------------------------

/** A form's `submit` is also the Enter key; the page itself goes nowhere. */
function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}

for (const button of document.querySelectorAll("[data-send]")) {
  button.addEventListener("click", EVENTS[button.dataset.send]);
}
byId("url").addEventListener("input", () => (urlTyped = true));
onSubmit(byId("guess-form"), () => {
  const guess = byId("guess").value.trim();
  if (guess !== "") sendGuess(guess);
  byId("guess").value = "";
});
onSubmit(byId("request-form"), () => askForRequest(byId("method").value, byId("url").value.trim()));

if (window.parent === window) {
  refuse("This is a component: it works inside a Streamlit app only.");
} else {
  followHeight();
  listen();
}
