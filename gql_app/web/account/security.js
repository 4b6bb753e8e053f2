// @ts-check
/** The page to set up, rename and remove the second factors of the signed-in account. */
import {
  all,
  bearing,
  day,
  forget,
  holds,
  isForPasskey,
  isSpent,
  keep,
  kept,
  OFFERED,
  onPress,
  press,
  say,
  send,
  show,
  store,
  typed,
  UNANSWERED,
  UNREACHABLE,
} from "./page.js";
import { foundAny, made, offer, secondStep, tellHindrance, verifying } from "./proofs.js";

/**
 * @typedef {import("./page.js").Held} Held
 * @typedef {import("./page.js").Payload} Payload
 * @typedef {{
 *   id: string, method: string, name: string | null, createdAt: string, lastUsedAt: string | null,
 * }} Factor
 */

const SVG = "http://www.w3.org/2000/svg";
const LOST =
  `${UNANSWERED} This is what your account has now. ` +
  "If you have missed new recovery codes, make others.";
const LEFT_OPEN =
  "You are signed out here. The server did not confirm it: the session may still be open.";
/** The payload without a session, as it may have ended in another tab. @type {Payload} */
const GONE = {
  message: "You are not signed in any more.",
  errors: [{ code: "TOKEN_MISSING", message: "" }],
};
/** Tells the tabs with the same session of its refresh and its end, as the playground does. */
const tabs = new BroadcastChannel("gql_app");
/** Mutations that need more than a form's fields, by their names. */
const WORKS = {
  login: signingIn,
  signInWithPasskey: async () => send("signInWithPasskey", { credential: await foundAny() }),
  verifySecondFactor: verifying,
  reauthenticate: proving,
  logout: () => ask("logout").catch(() => ({ message: "", errors: [] })),
  confirmPasskey: addingPasskey,
};

/** The press to repeat after a proof. @type {{ form: HTMLFormElement, button: HTMLButtonElement } | null} */
let pending = null;

/** @template {HTMLElement} T @param {string} selector @returns {T} */
function one(selector) {
  return /** @type {T} */ (document.querySelector(selector));
}

/**
 * Send a button's mutation, and show its outcome.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 */
function go(form, button) {
  const name = /** @type {keyof typeof WORKS} */ (button.value);
  const { id } = form.dataset;
  const isChange =
    name !== "logout" && form.matches("[data-view=factors] form, [data-view=beginCodes]");
  const work = () =>
    WORKS[name] ? WORKS[name](form, button) : ask(name, id ? { id, ...typed(form) } : typed(form));
  const pass = (/** @type {Payload} */ payload) => {
    if (payload.methods) return again(payload, form, button);
    if (isChange && payload.mayBeDone) return load(payload.message);
    return take(name, payload);
  };
  void press(form, button, work, pass, isChange ? () => load(LOST, UNANSWERED) : undefined);
}

/**
 * Show the outcome of a mutation; returns false if it was refused.
 *
 * @param {string} name
 * @param {Payload} payload
 */
async function take(name, payload) {
  if (payload.secondFactor) return secondStep(payload.secondFactor);
  if (isOver(payload)) return end(payload.message);
  if (name === "logout") return end(payload.status === "SUCCESS" ? "" : LEFT_OPEN);
  if (payload.status !== "SUCCESS") return false;
  if (payload.token) keep(payload);
  if (name === "reauthenticate") return goOn();
  if (payload.secret) return scan(payload);
  if (payload.codes?.length) return showCodes(payload);
  return load(payload.message);
}

/** Forget a session that has ended, here and in the tabs that hold it too; show the sign-in. */
function end(message = "") {
  tellTabs(kept(), null);
  return signIn(message);
}

/** @param {Held | null} before @param {Held | null} held the session that replaces it */
function tellTabs(before, held) {
  if (before) tabs.postMessage({ token: before.token, held });
}

/** Forget the session, and show the sign-in form with a message. */
function signIn(message = "") {
  forget();
  pending = null;
  show("sign-in");
  say(one("[data-view=sign-in]"), "alert", message);
  return true;
}

/**
 * Ask for a proof, after which the press is repeated.
 *
 * @param {Payload} payload
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 */
function again({ methods = [], message }, form, button) {
  if (methods.every((each) => each === "SIGN_IN")) return signIn(message);
  pending = { form, button };
  show("again", "", viewOf(form));
  offer("again", methods);
  return true;
}

/** Repeat the press that waited for a proof; returns false if there is none. */
function goOn() {
  if (!pending) return false;
  const { form, button } = pending;
  pending = null;
  show(viewOf(form), "", viewOf(form));
  setTimeout(() => go(form, button)); // once this press has ended
  return true;
}

/** Return the name of a form's view. @param {HTMLFormElement} form */
function viewOf(form) {
  const view = /** @type {HTMLElement} */ (form.closest("[data-view]"));
  return view.dataset.view ?? "";
}

/** @param {HTMLFormElement} form */
function signingIn(form) {
  return send("login", typed(form));
}

/** @param {HTMLFormElement} form @param {HTMLButtonElement} button */
async function proving(form, button) {
  const { password, code } = typed(form);
  if (isForPasskey(button)) return ask("reauthenticate", { passkey: await foundAny() });
  return ask(
    "reauthenticate",
    form.querySelector("[data-by=PASSWORD][hidden]") ? { code } : { password },
  );
}

/** @param {HTMLFormElement} form */
async function addingPasskey(form) {
  const begun = await ask("beginPasskey");
  if (!begun.options) return begun;
  const name = String(typed(form).name).trim() || null;
  return ask("confirmPasskey", { credential: await made(begun.options), name });
}

/**
 * Send an operation with the stored session, refreshed if its token has expired.
 *
 * @param {string} name
 * @param {object} variables
 * @returns {Promise<Payload>}
 */
async function ask(name, variables = {}) {
  const held = kept();
  if (!held) return GONE;
  const payload = await send(name, variables, bearing(held));
  if (!held.refreshToken || payload.reason !== "TOKEN_EXPIRED") return payload;
  // Plain HTTP has no Web Locks; there the server's grace period for concurrent refreshes must do.
  const refused = navigator.locks
    ? await navigator.locks.request("gql_app:refresh", () => refresh(held))
    : await refresh(held);
  const now = kept();
  return refused ?? (now && holds(held.token) ? send(name, variables, bearing(now)) : GONE);
}

/** Refresh the session, unless another tab does; returns why it was refused. @param {Held} held */
async function refresh(held) {
  const { refreshToken } = held;
  if (kept()?.refreshToken !== refreshToken) return null;
  const next = await send("refresh", { refreshToken });
  if (kept()?.refreshToken !== refreshToken) return null; // it has ended meanwhile
  if (!next.token) return next;
  keep(next);
  tellTabs(held, kept());
  return null;
}

/**
 * Apply a change that another tab made to the session which this tab holds too.
 *
 * @param {MessageEvent<{ token: string, held: Held | null }>} message
 */
function hear({ data: { token, held } }) {
  if (!holds(token)) return;
  if (held) store(held);
  else signIn("The session was ended in another tab.");
}

/** Return whether a session, or a pending sign-in, is over. @param {Payload} payload */
function isOver(payload) {
  return isSpent(payload) || (payload.reason ?? "").startsWith("TOKEN_");
}

/** Load and show the account's second factors, with a message; with another if that fails. */
async function load(message = "", excuse = UNREACHABLE) {
  const before = kept();
  const me = /** @type {any} */ (await ask("me").catch(() => ({ errors: [], message: excuse })));
  if (before && kept() && !holds(before.token)) return true; // somebody else has signed in
  if (me.errors && isOver(me)) return end(me.message);
  if (!kept()) return true; // it has ended meanwhile, and the sign-in is shown
  show(me.errors ? "unreachable" : "factors", me.errors ? me.message : message);
  if (me.errors) return true;
  list(me.secondFactors);
  one("[data-left]").textContent = String(me.recoveryCodesLeft);
  one("[data-email]").textContent = me.pendingEmail ?? me.email;
  const isConfirmed = me.emailVerifiedAt !== null && !me.pendingEmail;
  one("[data-unconfirmed]").hidden = isConfirmed || !OFFERED.includes("verification");
  return true;
}

/** Open the page: load the second factors, or ask for a sign-in. */
async function open() {
  if (!kept()) return void signIn();
  show("loading");
  await load();
}

/** @param {Factor[]} factors */
function list(factors) {
  const template = /** @type {HTMLTemplateElement} */ (one("template"));
  const items = factors.map((factor) => {
    const item = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    fill(item, factor);
    return item;
  });
  one("[data-list]").replaceChildren(...items);
  one("[data-none]").hidden = factors.length > 0;
  one("[data-some]").hidden = factors.length === 0;
}

/** @param {DocumentFragment} item @param {Factor} factor */
function fill(item, { id, method, name, createdAt, lastUsedAt }) {
  const form = /** @type {HTMLFormElement} */ (item.querySelector("form"));
  const kind = method === "CODE" ? "App for codes" : "Passkey";
  form.dataset.id = id;
  for (const input of form.querySelectorAll("input")) {
    input.id = `name-${id}`;
    input.defaultValue = name ?? "";
    input.setAttribute("aria-describedby", `wrong-${id}`);
  }
  for (const each of all("[data-wrong]", item)) each.id = `wrong-${id}`;
  for (const label of form.querySelectorAll("label")) label.htmlFor = `name-${id}`;
  for (const button of form.querySelectorAll("button"))
    button.setAttribute("aria-label", `${button.textContent} ${name ?? kind}`);
  for (const each of all("[data-facts]", item)) {
    const used = lastUsedAt ? `last used on ${day(lastUsedAt)}` : "not used yet";
    each.textContent = `${kind}, since ${day(createdAt)}, ${used}`;
  }
  onPress(form, go);
}

/** Show the secret for an authenticator app. @param {Payload} payload */
function scan({ message, secret = "", uri = "", qrCode }) {
  show("beginCodes", message);
  one("[data-secret]").textContent = secret.replace(/(.{4})(?=.)/g, "$1 ");
  const link = /** @type {HTMLAnchorElement} */ (one("[data-uri]"));
  link.hidden = !uri.startsWith("otpauth:");
  if (!link.hidden) link.href = uri;
  one("[data-qr]").replaceChildren(...drawn(qrCode ?? ""));
  return true;
}

/** Rebuild a QR code from its SVG's numbers, so that no markup in it is run. @param {string} svg */
function drawn(svg) {
  const size = /viewBox="0 0 (\d+) \1"/.exec(svg)?.[1];
  const path = /stroke="#000" d="([\dMmHhVvz. -]+)"/.exec(svg)?.[1];
  if (!size || !path) return [];
  const picture = element("svg", { viewBox: `0 0 ${size} ${size}`, role: "img" });
  picture.setAttribute("aria-label", "QR code for your app");
  picture.append(
    element("rect", { width: size, height: size, fill: "#fff" }),
    element("path", { d: path, stroke: "#000" }),
  );
  return [picture];
}

/** @param {string} name @param {Record<string, string>} attributes */
function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [each, value] of Object.entries(attributes)) made.setAttribute(each, value);
  return made;
}

/** Show recovery codes, which are shown only once. @param {Payload} payload */
function showCodes({ message, codes }) {
  const items = (codes ?? []).map((code) => {
    const item = document.createElement("li");
    item.append(Object.assign(document.createElement("code"), { textContent: code }));
    return item;
  });
  show("codes", message);
  one("[data-codes]").replaceChildren(...items);
  return true;
}

async function copy() {
  const codes = all("[data-codes] code").map((each) => each.textContent);
  const told = one("[data-copied]");
  try {
    await navigator.clipboard.writeText(codes.join("\n")); // there is no clipboard over plain HTTP
    told.textContent = "Copied.";
  } catch {
    told.textContent = "Not copied: select the codes, and copy them by hand.";
  }
}

/** Go back to the list of second factors. */
function back() {
  pending = null;
  void open();
}

/**
 * End the session before following a link to another origin, which can't read it.
 *
 * @param {MouseEvent} event
 */
async function leave(event) {
  const link = /** @type {HTMLAnchorElement} */ (event.currentTarget);
  if (link.origin === location.origin) return;
  event.preventDefault();
  await ask("logout").catch(() => null);
  tellTabs(kept(), null);
  forget();
  location.assign(link.href);
}

for (const form of document.forms) onPress(form, go);
for (const button of all("[data-back]")) button.addEventListener("click", back);
for (const button of all("[data-again]")) button.addEventListener("click", () => void open());
one("[data-home] a").addEventListener("click", (event) => void leave(event));
one("[data-copy]").addEventListener("click", () => void copy());
tabs.onmessage = hear;
tellHindrance(document.body);
void open();
