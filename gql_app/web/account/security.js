// @ts-check
/** The page to set up, rename and remove the second factors of the signed-in account. */
import {
  all,
  bearing,
  forget,
  isForPasskey,
  isSpent,
  keep,
  kept,
  onPress,
  press,
  say,
  send,
  show,
  typed,
  UNREACHABLE,
} from "./page.js";
import { foundAny, made, offer, secondStep, tellHindrance, verifying } from "./proofs.js";

/**
 * @typedef {import("./page.js").Payload} Payload
 * @typedef {{
 *   id: string, method: string, name: string | null, createdAt: string, lastUsedAt: string | null,
 * }} Factor
 */

const SVG = "http://www.w3.org/2000/svg";
/** Mutations that need more than a form's fields, by their names. */
const WORKS = {
  login: signingIn,
  signInWithPasskey: async () => send("signInWithPasskey", { credential: await foundAny() }),
  verifySecondFactor: verifying,
  reauthenticate: proving,
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
  const work = () =>
    WORKS[name] ? WORKS[name](form, button) : ask(name, id ? { id, ...typed(form) } : typed(form));
  void press(form, button, work, (payload) => {
    if (payload.methods) return again(payload, form, button);
    return take(name, payload);
  });
}

/**
 * Show the outcome of a mutation; returns false if it was refused.
 *
 * @param {string} name
 * @param {Payload} payload
 */
async function take(name, payload) {
  if (payload.secondFactor) return secondStep(payload.secondFactor);
  if (isOver(payload)) return signIn(payload.message);
  if (payload.status !== "SUCCESS") return false;
  if (payload.token) keep(payload);
  if (name === "logout") return signIn();
  if (name === "reauthenticate") return goOn();
  if (payload.secret) return scan(payload);
  if (payload.codes?.length) return showCodes(payload);
  await load(payload.message);
  return true;
}

/** Forget the session, and show the sign-in form with a message. */
function signIn(message = "") {
  forget();
  wipe();
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
  offer("again", methods);
  show("again");
  return true;
}

/** Repeat the press that waited for a proof; returns false if there is none. */
function goOn() {
  if (!pending) return false;
  const { form, button } = pending;
  pending = null;
  const view = /** @type {HTMLElement} */ (form.closest("[data-view]"));
  show(view.dataset.view ?? "");
  setTimeout(() => go(form, button)); // once this press has ended
  return true;
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
  const payload = await send(name, variables, held ? bearing(held) : {});
  if (!held?.refreshToken || payload.reason !== "TOKEN_EXPIRED") return payload;
  const next = await send("refresh", { refreshToken: held.refreshToken });
  if (!next.token) return next;
  keep(next);
  return send(name, variables, bearing(next));
}

/** Return whether a session, or a pending sign-in, is over. @param {Payload} payload */
function isOver(payload) {
  return isSpent(payload) || (payload.reason ?? "").startsWith("TOKEN_");
}

/** Load and show the account's second factors, with a message. */
async function load(message = "") {
  const me = /** @type {any} */ (await ask("me"));
  if (me.errors && isOver(me)) return signIn(me.message);
  if (me.errors) return show("unreachable", me.message);
  wipe();
  list(me.secondFactors);
  for (const each of all("[data-left]")) each.textContent = String(me.recoveryCodesLeft);
  show("factors", message);
}

/** Open the page: load the second factors, or ask for a sign-in. */
async function open() {
  if (!kept()) return void signIn();
  show("loading");
  try {
    await load();
  } catch {
    show("unreachable", UNREACHABLE);
  }
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

/** @param {string} moment */
function day(moment) {
  return new Date(moment).toLocaleDateString("en-GB", { dateStyle: "long" });
}

/** Show the secret for an authenticator app. @param {Payload} payload */
function scan({ message, secret = "", uri = "", qrCode }) {
  one("[data-secret]").textContent = secret.replace(/(.{4})(?=.)/g, "$1 ");
  const link = /** @type {HTMLAnchorElement} */ (one("[data-uri]"));
  link.hidden = !uri.startsWith("otpauth:");
  if (!link.hidden) link.href = uri;
  one("[data-qr]").replaceChildren(...drawn(qrCode ?? ""));
  show("beginCodes", message);
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
  one("[data-codes]").replaceChildren(...items);
  one("[data-copied]").textContent = "";
  show("codes", message);
  return true;
}

async function copy() {
  const codes = all("[data-codes] code").map((each) => each.textContent);
  const words = await navigator.clipboard.writeText(codes.join("\n")).then(
    () => "Copied.",
    () => "Not copied: select the codes, and copy them by hand.",
  );
  one("[data-copied]").textContent = words;
}

/** Go back to the list of second factors. */
function back() {
  pending = null;
  void open();
}

/** Remove the secrets that were shown from the page. */
function wipe() {
  for (const each of all("[data-codes], [data-qr], [data-secret]")) each.replaceChildren();
  one("[data-uri]").removeAttribute("href");
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
  forget();
  location.assign(link.href);
}

for (const form of document.forms) onPress(form, go);
for (const button of all("[data-back]")) button.addEventListener("click", back);
for (const button of all("[data-again]")) button.addEventListener("click", () => void open());
one("[data-home] a").addEventListener("click", (event) => void leave(event));
one("[data-copy]").addEventListener("click", () => void copy());
tellHindrance(document.body);
void open();
