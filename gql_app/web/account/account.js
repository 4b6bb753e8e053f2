// @ts-check
/** Pages for the links of letters: the token, one press of a button, and what came of it. */

const TOKEN = takeToken();
const TITLE = document.title;
const HOME = /** @type {HTMLMetaElement} */ (document.querySelector("meta[name=home]")).content;
const SESSION = "gql_app:session"; // where the playground looks for it
const PATIENCE = 60_000;
const UNREACHABLE =
  "We could not reach the server. Nothing is lost: check your connection, and try again.";

/**
 * @typedef {{ code: string, field?: string | null, message: string }} Fault
 * @typedef {{
 *   status?: string, message: string, errors: Fault[], retryAfter?: number | null,
 *   token?: string | null, refreshToken?: string | null,
 *   customer?: { name: string, email: string, isAdmin: boolean } | null,
 * }} Payload what every mutation answers, and tokens of those that sign in
 */

/** @type {Promise<Record<string, string>> | null} */
let operations = null;
let busy = false;
/** The moment until which the server takes no more attempts. */
let closedUntil = 0;

/** Take the token out of the address, where it would be kept with what was visited. */
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (location.hash) history.replaceState(null, "", location.pathname);
  return token;
}

/** @param {string} selector @param {ParentNode} within @returns {HTMLElement[]} */
function all(selector, within = document) {
  return [...within.querySelectorAll(selector)].filter((each) => each instanceof HTMLElement);
}

/**
 * Show one of the page's views; what comes after the first one has the focus.
 *
 * @param {string} name
 * @param {string} message
 */
function show(name, message = "") {
  const heading = /** @type {HTMLElement} */ (document.querySelector("h1"));
  const isFirst = all("[data-view]").every((view) => view.hidden);
  for (const view of all("[data-view]")) {
    view.hidden = view.dataset.view !== name;
    if (view.hidden) continue;
    document.title = heading.textContent = view.dataset.title ?? TITLE;
    for (const each of all("[data-message]", view)) each.textContent = message;
  }
  if (!isFirst && name !== "ask") heading.focus();
}

/**
 * Say something in a form.
 *
 * @param {HTMLElement} form
 * @param {"alert" | "status"} role
 * @param {string} words
 */
function say(form, role, words) {
  for (const each of all(`[role=${role}]`, form)) each.textContent = words;
}

/**
 * Send what a button is for. Throws where no answer of the API comes back.
 *
 * @param {string} name
 * @param {object} variables
 * @param {HeadersInit} headers
 * @returns {Promise<Payload>}
 */
async function send(name, variables, headers = {}) {
  const query = (await documents())[name];
  const response = await post("../graphql", { query, variables }, headers);
  const { data, errors } = await response.json();
  if (data?.[name]) return data[name];
  return refusal(errors);
}

/** Return why the API answered no payload. @param {any} errors @returns {Payload} */
function refusal(errors) {
  const [{ message, extensions }] = errors;
  return { message, errors: [{ code: extensions?.code ?? "", message }] };
}

/** @param {string} url @param {object} body @param {HeadersInit} headers */
function post(url, body, headers = {}) {
  return fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE),
  });
}

/** Return what may be sent, by the names of mutations; it is read once. */
function documents() {
  operations ??= fetch("operations.json").then((response) => response.json());
  operations.catch(() => (operations = null));
  return operations;
}

/**
 * Do what a button of a form is for, once.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 */
async function press(form, button) {
  if (busy) return;
  if (Date.now() < closedUntil) return say(form, "alert", waiting());
  begin(form);
  try {
    const payload = await send(button.value, { token: TOKEN, ...typed(form) });
    if (payload.status !== "SUCCESS") return refuse(form, payload);
    form.reset();
    if (payload.token) await enter(payload);
    show(button.value, payload.message);
  } catch {
    say(form, "alert", UNREACHABLE);
  } finally {
    end(form);
  }
}

/** @param {HTMLFormElement} form */
function typed(form) {
  return Object.fromEntries(new FormData(form));
}

/** @param {HTMLFormElement} form */
function begin(form) {
  busy = true;
  say(form, "alert", "");
  say(form, "status", "One moment …");
  for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
  for (const each of all("[data-wrong]", form)) each.textContent = "";
  for (const each of all("[aria-pressed=true]", form)) each.click(); // hides what was typed
  lock(form, true);
}

/** @param {HTMLFormElement} form */
function end(form) {
  busy = false;
  say(form, "status", "");
  lock(form, Date.now() < closedUntil);
}

/**
 * Tell by each button whether it does anything; it keeps the focus.
 *
 * @param {HTMLFormElement} form
 * @param {boolean} isLocked
 */
function lock(form, isLocked) {
  for (const each of all("button[value]", form))
    each.setAttribute("aria-disabled", String(isLocked));
}

/**
 * Show what the server refused, at the field that it is about.
 *
 * @param {HTMLFormElement} form
 * @param {Payload} payload
 */
function refuse(form, payload) {
  if (payload.errors.some(({ code }) => code.startsWith("TOKEN_")))
    return show("spent", payload.message);
  /** @type {string[]} */
  const others = [];
  for (const { field, message } of payload.errors)
    if (!mark(form, field, message)) others.push(message);
  if (payload.retryAfter) close(form, payload.retryAfter);
  say(form, "alert", payload.errors.length ? others.join(" ") : payload.message);
}

/**
 * Tell what is wrong at a field; false if the form has none of this name.
 *
 * @param {HTMLFormElement} form
 * @param {string | null | undefined} name
 * @param {string} message
 */
function mark(form, name, message) {
  const input = name && form.elements.namedItem(name);
  if (!(input instanceof HTMLInputElement)) return false;
  for (const each of all(`[data-wrong=${name}]`, form)) each.textContent = message;
  input.setAttribute("aria-invalid", "true");
  input.focus();
  return true;
}

/** Take no press for some seconds. @param {HTMLFormElement} form @param {number} seconds */
function close(form, seconds) {
  closedUntil = Date.now() + seconds * 1000;
  setTimeout(() => {
    lock(form, busy);
    say(form, "alert", "");
    say(form, "status", "You can try again now.");
  }, seconds * 1000);
}

/** Say how long nothing can be tried. */
function waiting() {
  const seconds = Math.ceil((closedUntil - Date.now()) / 1000);
  const [left, unit] = seconds > 90 ? [Math.ceil(seconds / 60), "minutes"] : [seconds, "seconds"];
  return `Too many attempts. Try again in ${left} ${unit}.`;
}

/**
 * Hand a session over to the page that this one leads to, and go there.
 *
 * @param {Payload} payload
 */
async function enter(payload) {
  const home = HOME && new URL(HOME, location.href);
  if (!home || home.origin === location.origin) keep(payload);
  // Another origin can't be handed a session, and one that nobody holds shouldn't stay.
  else await send("logout", {}, { authorization: `Bearer ${payload.token}` }).catch(() => null);
  if (home) location.replace(home);
}

/** Keep a session as the playground does. @param {Payload} payload */
function keep({ token, refreshToken = null, customer }) {
  const claims = (token ?? "").split(".")[1] ?? "";
  // From its own dates (RFC 7519 section 4.1), for this machine's clock may be wrong.
  const { iat, exp } = JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/")));
  const life = (exp - iat) * 1000;
  const held = { token, expiresAt: Date.now() + life, life, refreshToken, ...customer };
  try {
    sessionStorage.setItem(SESSION, JSON.stringify(held));
  } catch {
    // Without storage nobody stays signed in, and the page that comes says so.
  }
}

/** Ask what a link is about, and put the question. */
async function describe() {
  show("loading");
  try {
    const response = await post("link", { token: TOKEN });
    const answer = await response.json();
    if (response.ok) return ask(answer);
    const { message, errors } = refusal(answer.errors);
    const isSpent = errors.some(({ code }) => code.startsWith("TOKEN_"));
    show(isSpent ? "spent" : "unreachable", message);
  } catch {
    show("unreachable", UNREACHABLE);
  }
}

/** @param {{ kind: string, madeAt: string }} link */
function ask({ kind, madeAt }) {
  show("ask");
  for (const time of document.querySelectorAll("time")) {
    time.dateTime = madeAt;
    time.textContent = new Date(madeAt).toLocaleDateString("en-GB", { dateStyle: "long" });
  }
  for (const question of all("[data-kind]")) question.hidden = question.dataset.kind !== kind;
}

/** Return the view that a link opens, which may be for its kind of token. @param {string} token */
function asking(token) {
  const own = all("[data-token]").find(({ dataset }) => token.startsWith(dataset.token ?? ""));
  return own?.dataset.view ?? "ask";
}

for (const form of document.forms)
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter instanceof HTMLButtonElement) void press(form, event.submitter);
  });
for (const button of all("[data-shows]"))
  button.addEventListener("click", () => {
    const input = /** @type {HTMLInputElement} */ (
      document.getElementById(button.dataset.shows ?? "")
    );
    const isShown = input.type === "text";
    input.type = isShown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!isShown));
  });
for (const button of all("[data-again]")) button.addEventListener("click", () => void describe());
for (const each of all("[data-homeless]")) each.hidden = Boolean(HOME);
for (const each of all("[data-home]")) {
  each.hidden = !HOME;
  for (const link of each.querySelectorAll("a")) link.href = HOME;
}
addEventListener("hashchange", () => location.reload()); // another letter's link, in the same tab

documents().catch(() => null);
if (!TOKEN) show("missing");
else if (document.querySelector("[data-kind]")) void describe();
else show(asking(TOKEN));
