// @ts-check
/** What all account pages have: views, forms that say what is wrong, and what is sent. */

const TITLE = document.title;
const HOME = /** @type {HTMLMetaElement} */ (document.querySelector("meta[name=home]")).content;
const SESSION = "gql_app:session"; // where the playground looks for it
const PATIENCE = 60_000;
export const UNREACHABLE =
  "We could not reach the server. Nothing is lost: check your connection, and try again.";

/**
 * @typedef {{ code: string, field?: string | null, message: string }} Fault
 * @typedef {{ challenge: string, methods: string[], passkeyOptions?: object | null }} Challenge
 * @typedef {{
 *   status?: string, message: string, errors: Fault[], retryAfter?: number | null,
 *   token?: string | null, refreshToken?: string | null, secondFactor?: Challenge | null,
 *   customer?: { name: string, email: string, isAdmin: boolean } | null,
 *   reason?: string, methods?: string[], codes?: string[] | null, options?: any,
 *   secret?: string, uri?: string, qrCode?: string | null,
 * }} Payload what mutations answer, or why there is no such answer
 * @typedef {{
 *   token: string, expiresAt: number, life: number, refreshToken: string | null,
 *   name?: string, email?: string, isAdmin?: boolean,
 * }} Held
 */

/** What a press came to in words, where no answer of the server's has any. */
export class Told extends Error {}

/** @type {Promise<Record<string, string>> | null} */
let operations = null;
let busy = false;
/**
 * The moments until which the server takes no more attempts by a form, but for passkeys: they
 * can't be guessed, and are judged still.
 *
 * @type {Map<HTMLFormElement, number>}
 */
const closedUntil = new Map();

/** @param {string} selector @param {ParentNode} within @returns {HTMLElement[]} */
export function all(selector, within = document) {
  return [...within.querySelectorAll(selector)].filter((each) => each instanceof HTMLElement);
}

/**
 * Show one of the page's views; what comes after the first one has the focus.
 *
 * @param {string} name
 * @param {string} message
 */
export function show(name, message = "") {
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
export function say(form, role, words) {
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
export async function send(name, variables = {}, headers = {}) {
  const query = (await documents())[name];
  const response = await post("../graphql", { query, variables }, headers);
  const { data, errors } = await response.json();
  if (data?.[name]) return data[name];
  return refusal(errors);
}

/** Return why the API answered no payload. @param {any} errors @returns {Payload} */
export function refusal(errors) {
  const [{ message, extensions }] = errors;
  const { code = "", reason, methods } = extensions ?? {};
  return { message, errors: [{ code, message }], reason, methods };
}

/** @param {string} url @param {object} body @param {HeadersInit} headers */
export function post(url, body, headers = {}) {
  return fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE),
  });
}

/** Return what may be sent, by the names of mutations; it is read once. */
export function documents() {
  operations ??= fetch("operations.json").then((response) => response.json());
  operations.catch(() => (operations = null));
  return operations;
}

/**
 * Do what a button of a form is for, once, and take what comes of it; else tell what was refused.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 * @param {() => Promise<Payload>} work
 * @param {(payload: Payload) => boolean | Promise<boolean>} take whether it was dealt with
 */
export async function press(form, button, work, take) {
  if (busy) return;
  if (left(form) > 0 && !isForPasskey(button)) return say(form, "alert", waiting(form));
  begin(form);
  try {
    const payload = await work();
    if (payload.status === "SUCCESS" || payload.secondFactor) form.reset();
    if (!(await take(payload))) refuse(form, payload);
  } catch (error) {
    say(form, "alert", error instanceof Told ? error.message : UNREACHABLE);
  } finally {
    end(form);
  }
}

/**
 * Have the presses of a form's buttons do something.
 *
 * @param {HTMLFormElement} form
 * @param {(form: HTMLFormElement, button: HTMLButtonElement) => void} work
 */
export function onPress(form, work) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter instanceof HTMLButtonElement) work(form, event.submitter);
  });
}

/** @param {HTMLFormElement} form */
export function typed(form) {
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
  lock(form, left(form) > 0);
}

/**
 * Tell by each button whether it does anything; it keeps the focus.
 *
 * @param {HTMLFormElement} form
 * @param {boolean} isLocked
 */
function lock(form, isLocked) {
  for (const each of all("button[value]", form))
    each.setAttribute("aria-disabled", String(isLocked && (busy || !isForPasskey(each))));
}

/** Tell whether the token that was sent is good no more. @param {Payload} payload */
export function isSpent({ errors = [] }) {
  return errors.some(({ code }) => code.startsWith("TOKEN_"));
}

/**
 * Show what the server refused, at the field that it is about.
 *
 * @param {HTMLFormElement} form
 * @param {Payload} payload
 */
function refuse(form, payload) {
  if (isSpent(payload)) return show("spent", payload.message);
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
  closedUntil.set(form, Date.now() + seconds * 1000);
  setTimeout(() => {
    lock(form, busy);
    say(form, "alert", "");
    say(form, "status", "You can try again now.");
  }, seconds * 1000);
}

/** Return for how many milliseconds a form is closed. @param {HTMLFormElement} form */
function left(form) {
  return (closedUntil.get(form) ?? 0) - Date.now();
}

/** @param {HTMLElement} button */
export function isForPasskey(button) {
  return "passkey" in button.dataset;
}

/** Say how long nothing can be tried. @param {HTMLFormElement} form */
function waiting(form) {
  const seconds = Math.ceil(left(form) / 1000);
  const [number, unit] = seconds > 90 ? [Math.ceil(seconds / 60), "minute"] : [seconds, "second"];
  return `Too many attempts. Try again in ${number} ${unit}${number === 1 ? "" : "s"}.`;
}

/** Return the headers that a session is sent with. @param {{ token?: string | null }} session */
export function bearing({ token }) {
  return { authorization: `Bearer ${token}` };
}

/**
 * Hand a session over to the page that this one leads to, and go there.
 *
 * One that may only set up a second factor goes to where that is done.
 *
 * @param {Payload} payload
 */
export async function enter(payload) {
  const home = HOME && new URL(HOME, location.href);
  const { reason } = await send("nodes", {}, bearing(payload)).catch(() => ({ reason: "" }));
  const isHeld = reason === "SECOND_FACTOR_ENROLMENT_REQUIRED";
  if (isHeld || !home || home.origin === location.origin) keep(payload);
  // Another origin can't be handed a session, and one that nobody holds shouldn't stay.
  else await send("logout", {}, bearing(payload)).catch(() => null);
  if (isHeld) location.replace("security");
  else if (home) location.replace(home);
}

/** Keep a session as the playground does. @param {Payload} payload */
export function keep({ token, refreshToken = null, customer }) {
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

/** Return the session that is kept, null if there is none. @returns {Held | null} */
export function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(SESSION) ?? "null");
  } catch {
    return null;
  }
}

/** Forget the session. */
export function forget() {
  try {
    sessionStorage.removeItem(SESSION);
  } catch {
    // Without storage there was none.
  }
}

for (const button of all("[data-shows]"))
  button.addEventListener("click", () => {
    const input = /** @type {HTMLInputElement} */ (
      document.getElementById(button.dataset.shows ?? "")
    );
    const isShown = input.type === "text";
    input.type = isShown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!isShown));
  });
for (const each of all("[data-homeless]")) each.hidden = Boolean(HOME);
for (const each of all("[data-home]")) {
  each.hidden = !HOME;
  for (const link of each.querySelectorAll("a")) link.href = HOME;
}
documents().catch(() => null);
