// @ts-check
/** What the account pages share: views, forms with errors, requests, and the stored session. */

const TITLE = document.title;
const HOME = told("home");
/** What this server has: "passkeys", "passwordReset", "signInLinks", "verification". */
export const OFFERED = told("offered").split(" ");
const SESSION = "gql_app:session"; // the same key as the playground's
const PATIENCE = 60_000;
/** The elements that are filled with what belongs to an account. */
const FILLED =
  "[data-message], [data-list], [data-email], [data-left], [data-secret], [data-qr], " +
  "[data-codes], [data-copied]";
export const UNREACHABLE =
  "We could not reach the server. Nothing is lost: check your connection, and try again.";
export const UNANSWERED =
  "The server did not answer, so we don’t know whether your request arrived.";

/**
 * @typedef {{ code: string, field?: string | null, message: string }} Fault
 * @typedef {{ challenge: string, methods: string[], passkeyOptions?: object | null }} Challenge
 * @typedef {{
 *   status?: string, message: string, errors: Fault[], retryAfter?: number | null,
 *   token?: string | null, refreshToken?: string | null, secondFactor?: Challenge | null,
 *   customer?: { name: string, email: string, isAdmin: boolean } | null,
 *   reason?: string, methods?: string[], mayBeDone?: boolean, codes?: string[] | null, options?: any,
 *   secret?: string, uri?: string, qrCode?: string | null,
 * }} Payload a mutation's payload, or the error in place of it
 * @typedef {{
 *   token: string, expiresAt: number, life: number, refreshToken: string | null,
 *   name?: string, email?: string, isAdmin?: boolean,
 * }} Held
 */

/** An error whose message is shown to the user. */
export class Told extends Error {}

/** @type {Promise<Record<string, string>> | null} */
let operations = null;
let busy = false;
/**
 * When each rate-limited form opens again (milliseconds since 1970), and the address that it is
 * closed for. Passkeys are exempt, since they can't be guessed.
 *
 * @type {Map<HTMLFormElement, { until: number, email: unknown }>}
 */
const closings = new Map();

/** Return a setting of the server from the page's head. @param {string} name */
function told(name) {
  return /** @type {HTMLMetaElement} */ (document.querySelector(`meta[name=${name}]`)).content;
}

/** @param {string} selector @param {ParentNode} within @returns {HTMLElement[]} */
export function all(selector, within = document) {
  return [...within.querySelectorAll(selector)].filter((each) => each instanceof HTMLElement);
}

/**
 * Show one of the page's views; focus its heading unless it is the first view or "ask".
 *
 * Whatever was typed or filled in is removed from all views, except one to come back to.
 *
 * @param {string} name
 * @param {string} message
 * @param {string} kept
 */
export function show(name, message = "", kept = "") {
  const heading = /** @type {HTMLElement} */ (document.querySelector("h1"));
  const isFirst = all("[data-view]").every((view) => view.hidden);
  for (const view of all("[data-view]")) {
    view.hidden = view.dataset.view !== name;
    if (view.dataset.view !== kept) wipe(view);
    if (view.hidden) continue;
    document.title = heading.textContent = view.dataset.title ?? TITLE;
    for (const each of all("[data-message]", view)) each.textContent = message;
  }
  if (!isFirst && name !== "ask") heading.focus();
}

/** Return a view to its first state. @param {HTMLElement} view */
function wipe(view) {
  for (const form of document.forms) {
    if (!view.contains(form)) continue;
    form.reset();
    clear(form);
    closings.delete(form);
    lock(form, false);
  }
  for (const each of all(FILLED, view)) each.replaceChildren();
  for (const link of view.querySelectorAll("[data-uri]")) link.removeAttribute("href");
}

/**
 * Set the text of a form's alert or status.
 *
 * @param {HTMLElement} form
 * @param {"alert" | "status"} role
 * @param {string} words
 */
export function say(form, role, words) {
  for (const each of all(`[role=${role}]`, form)) each.textContent = words;
}

/**
 * Send an operation by its name. Throws if no answer of the API comes back.
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

/** Return the first error in the form of a payload. @param {any} errors @returns {Payload} */
export function refusal(errors) {
  const [{ message, extensions }] = errors;
  const { code = "", reason, methods, mayBeDone } = extensions ?? {};
  return { message, errors: [{ code, message }], reason, methods, mayBeDone };
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

/** Return the trusted documents by their names, loaded once. */
export function documents() {
  operations ??= fetch("operations.json").then((response) =>
    response.ok ? response.json() : Promise.reject(response),
  );
  operations.catch(() => (operations = null));
  return operations;
}

/**
 * Run a button's work, one at a time, and pass its payload to `take`; show errors in the form.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 * @param {() => Promise<Payload>} work
 * @param {(payload: Payload) => boolean | Promise<boolean>} take returns false for an error
 * @param {() => unknown} [lose] shows that no answer came
 */
export async function press(form, button, work, take, lose) {
  if (busy) return;
  if (left(form) > 0 && !isForPasskey(button)) return say(form, "alert", waiting(form));
  begin(form);
  try {
    const payload = await work();
    if (!(await take(payload))) refuse(form, button, payload);
  } catch (error) {
    if (error instanceof Told) say(form, "alert", error.message);
    else if (lose) await lose();
    else say(form, "alert", `${UNANSWERED} Check your connection, and try again.`);
  } finally {
    end(form);
  }
}

/**
 * Call `work` whenever one of a form's buttons is pressed.
 *
 * @param {HTMLFormElement} form
 * @param {(form: HTMLFormElement, button: HTMLButtonElement) => void} work
 */
export function onPress(form, work) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter instanceof HTMLButtonElement) work(form, event.submitter);
  });
  // Another address opens a rate-limited form.
  form.addEventListener("input", () => busy || lock(form, left(form) > 0));
}

/** @param {HTMLFormElement} form */
export function typed(form) {
  return Object.fromEntries(new FormData(form));
}

/** @param {HTMLFormElement} form */
function begin(form) {
  busy = true;
  clear(form);
  say(form, "status", "One moment …");
  lock(form, true);
}

/** Remove all messages of a form, and hide what is typed. @param {HTMLFormElement} form */
function clear(form) {
  say(form, "alert", "");
  say(form, "status", "");
  for (const input of form.querySelectorAll("input")) input.removeAttribute("aria-invalid");
  for (const each of all("[data-wrong]", form)) {
    each.textContent = "";
    each.setAttribute("aria-live", "assertive");
  }
  for (const each of all("[aria-pressed=true]", form)) each.click();
}

/** @param {HTMLFormElement} form */
function end(form) {
  busy = false;
  say(form, "status", "");
  lock(form, left(form) > 0);
}

/**
 * Set aria-disabled on a form's buttons, which unlike `disabled` keeps the focus.
 *
 * @param {HTMLFormElement} form
 * @param {boolean} isLocked
 */
function lock(form, isLocked) {
  for (const each of all("button[value]", form))
    each.setAttribute("aria-disabled", String(isLocked && (busy || !isForPasskey(each))));
}

/** Return whether the token that was sent is no longer valid. @param {Payload} payload */
export function isSpent({ errors = [] }) {
  return errors.some(({ code }) => code.startsWith("TOKEN_"));
}

/**
 * Show the server's errors, each at its field.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 * @param {Payload} payload
 */
function refuse(form, button, payload) {
  if (isSpent(payload)) return show("spent", payload.message);
  /** @type {string[]} */
  const others = [];
  for (const { field, message } of payload.errors)
    if (!mark(form, field, message)) others.push(message);
  if (payload.retryAfter && !isForPasskey(button)) close(form, payload.retryAfter);
  say(form, "alert", payload.errors.length ? others.join(" ") : payload.message);
}

/**
 * Show an error at a field; returns false if the form has none of this name.
 *
 * A screen reader reads it once: with the first wrong field if that gets the focus, else by itself.
 *
 * @param {HTMLFormElement} form
 * @param {string | null | undefined} name
 * @param {string} message
 */
function mark(form, name, message) {
  const input = name && form.elements.namedItem(name);
  if (!(input instanceof HTMLInputElement)) return false;
  const isFirst = !form.querySelector("[aria-invalid]");
  const isRead = isFirst && input !== document.activeElement;
  for (const each of all(`[data-wrong=${name}]`, form)) {
    each.setAttribute("aria-live", isRead ? "off" : "assertive");
    each.textContent = message;
  }
  input.setAttribute("aria-invalid", "true");
  if (isFirst) input.focus();
  return true;
}

/** Lock a form for some seconds. @param {HTMLFormElement} form @param {number} seconds */
function close(form, seconds) {
  const closing = { until: Date.now() + seconds * 1000, email: typed(form).email };
  closings.set(form, closing);
  setTimeout(() => {
    if (closings.get(form) !== closing || typed(form).email !== closing.email) return;
    lock(form, busy);
    say(form, "alert", "");
    say(form, "status", "You can try again now.");
  }, seconds * 1000);
}

/** Return the milliseconds until a form opens again. @param {HTMLFormElement} form */
function left(form) {
  const closing = closings.get(form);
  return closing?.email === typed(form).email ? (closing?.until ?? 0) - Date.now() : 0;
}

/** Return a date in words. @param {string} moment */
export function day(moment) {
  return new Date(moment).toLocaleDateString("en-GB", { dateStyle: "long" });
}

/** @param {HTMLElement} button */
export function isForPasskey(button) {
  return "passkey" in button.dataset;
}

/** Return the message of a rate-limited form. @param {HTMLFormElement} form */
function waiting(form) {
  const seconds = Math.ceil(left(form) / 1000);
  const [number, unit] = seconds > 90 ? [Math.ceil(seconds / 60), "minute"] : [seconds, "second"];
  return `Too many attempts. Try again in ${number} ${unit}${number === 1 ? "" : "s"}.`;
}

/** Return the Authorization header of a session. @param {{ token?: string | null }} session */
export function bearing({ token }) {
  return { authorization: `Bearer ${token}` };
}

/**
 * Store a session, and go to the home page.
 *
 * A session that may only set up a second factor goes to the security page.
 *
 * @param {Payload} payload
 */
export async function enter(payload) {
  const home = HOME && new URL(HOME, location.href);
  const { reason } = await send("nodes", {}, bearing(payload)).catch(() => ({ reason: "" }));
  const isHeld = reason === "SECOND_FACTOR_ENROLMENT_REQUIRED";
  if (isHeld || !home || home.origin === location.origin) keep(payload);
  // Another origin can't read the stored session, and an unused one should not stay open.
  else await send("logout", {}, bearing(payload)).catch(() => null);
  if (isHeld) location.replace("security");
  else if (home) location.replace(home);
}

/** Store a session as the playground does. @param {Payload} payload */
export function keep({ token, refreshToken = null, customer }) {
  // By its iat and exp claims (RFC 7519 section 4.1), since this machine's clock may be wrong.
  const { iat, exp } = claimsOf(token ?? "");
  const life = (exp - iat) * 1000;
  store({ token: token ?? "", expiresAt: Date.now() + life, life, refreshToken, ...customer });
}

/** Return the claims of a token; none of anything else. @param {string} token @returns {any} */
function claimsOf(token) {
  try {
    const part = token.split(".")[1] ?? "";
    return JSON.parse(atob(part.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return {};
  }
}

/** Return whether a token is of the stored session: a refresh keeps its sid. @param {string} token */
export function holds(token) {
  const held = kept()?.token ?? "";
  const { sid } = claimsOf(token);
  return token === held || (Boolean(sid) && sid === claimsOf(held).sid);
}

/** @param {Held} held */
export function store(held) {
  try {
    sessionStorage.setItem(SESSION, JSON.stringify(held));
  } catch {
    // Without storage nobody stays signed in, and the next page says so.
  }
}

/** Return the stored session, null if there is none. @returns {Held | null} */
export function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(SESSION) ?? "null");
  } catch {
    return null;
  }
}

/** Remove the stored session. */
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
for (const each of all("[data-offered]"))
  each.hidden = !OFFERED.includes(each.dataset.offered ?? "");
for (const each of all("[data-homeless]")) each.hidden = Boolean(HOME);
for (const each of all("[data-home]")) {
  each.hidden = !HOME;
  for (const link of each.querySelectorAll("a")) link.href = HOME;
}
documents().catch(() => null);
