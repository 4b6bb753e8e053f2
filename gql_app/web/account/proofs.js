// @ts-check
/** Proofs of identity other than a password: codes, and passkeys from the browser. */
import { all, isForPasskey, OFFERED, send, show, Told, typed } from "./page.js";

/** @typedef {import("./page.js").Challenge} Challenge */

/** Sentences for the DOMExceptions of WebAuthn (section 5.1). @type {Record<string, string>} */
const WHYS = {
  InvalidStateError: "This device has a passkey for your account already.",
  SecurityError: "A passkey works only on its own domain: open this page there.",
};
const NONE = "The browser gave no passkey. Try again, or take another way.";
/** Why this page can't use passkeys, empty if the server has none; null if it can. */
export const HINDRANCE = hindrance();

/** The challenge of the pending sign-in. @type {Challenge | null} */
let waiting = null;

function hindrance() {
  if (!OFFERED.includes("passkeys")) return "";
  const { protocol, hostname, port, pathname } = location;
  if (/^127[\d.]+$|^\[::1\]$/.test(hostname)) {
    const address = `${protocol}//localhost${port && `:${port}`}${pathname}`;
    return `Passkeys need a host name: open this page as ${address}.`;
  }
  if (/^[\d.]+$|^\[/.test(hostname))
    return "Passkeys need a host name: open this page by its name, not by an IP address.";
  const isSupported = "parseRequestOptionsFromJSON" in (globalThis.PublicKeyCredential ?? {});
  return isSupported ? null : "Passkeys need a newer browser, and HTTPS.";
}

/** Ask the browser for an existing passkey. Throws Told. @param {any} options */
export function found(options) {
  return given(() =>
    navigator.credentials.get({
      publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
    }),
  );
}

/** Ask the browser to create a passkey. Throws Told. @param {any} options */
export function made(options) {
  return given(() =>
    navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options),
    }),
  );
}

/** @param {() => Promise<Credential | null>} ask @returns {Promise<object>} */
async function given(ask) {
  if (HINDRANCE) throw new Told(HINDRANCE);
  try {
    const credential = /** @type {PublicKeyCredential} */ (await ask());
    return credential.toJSON();
  } catch (error) {
    throw new Told(WHYS[error instanceof Error ? error.name : ""] ?? NONE);
  }
}

/** Ask the browser for any passkey for this site. Throws Told. */
export async function foundAny() {
  if (HINDRANCE) throw new Told(HINDRANCE);
  const { options, message } = await send("beginPasskeySignIn");
  if (!options) throw new Told(message);
  return found(options);
}

/** Show the second step of a sign-in. @param {Challenge} challenge */
export function secondStep(challenge) {
  waiting = challenge;
  show("second");
  offer("second", challenge.methods);
  return true;
}

/**
 * Send the second factor of the pending sign-in.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 */
export async function verifying(form, button) {
  const { challenge = "", passkeyOptions } = waiting ?? {};
  const proof = isForPasskey(button) ? { passkey: await found(passkeyOptions) } : typed(form);
  return send("verifySecondFactor", { challenge, ...proof });
}

/**
 * Show only those fields and buttons of a view that belong to the methods.
 *
 * @param {string} view
 * @param {string[]} methods
 */
export function offer(view, methods) {
  const form = /** @type {HTMLElement} */ (document.querySelector(`[data-view=${view}]`));
  for (const each of all("[data-by]", form))
    each.hidden = !(each.dataset.by ?? "").split(" ").some((method) => methods.includes(method));
  const hasBoth = methods.includes("CODE") && methods.includes("RECOVERY_CODE");
  for (const each of all("[data-swap]", form)) {
    each.hidden = !hasBoth;
    setRecovery(each, !methods.includes("CODE"));
  }
  tellHindrance(form, methods.includes("PASSKEY"));
}

/**
 * Show why the page can't use passkeys, in place of a view's passkey buttons.
 *
 * @param {HTMLElement} view
 * @param {boolean} areWanted
 */
export function tellHindrance(view, areWanted = true) {
  for (const each of all("[data-passkey]", view)) each.hidden = !areWanted || HINDRANCE !== null;
  for (const each of all("[data-hindrance]", view)) each.textContent = areWanted ? HINDRANCE : "";
}

/**
 * Switch a form between an app's code and a recovery code.
 *
 * @param {HTMLElement} button
 * @param {boolean} isRecovery
 */
function setRecovery(button, isRecovery) {
  const form = /** @type {HTMLFormElement} */ (button.closest("form"));
  const input = /** @type {HTMLInputElement} */ (form.elements.namedItem("code"));
  input.inputMode = isRecovery ? "text" : "numeric";
  input.autocomplete = isRecovery ? "off" : "one-time-code";
  for (const each of all("[data-named]", form))
    each.textContent = isRecovery ? "Recovery code" : "Code of your app";
  button.textContent = isRecovery ? "Use the app" : "Use a recovery code";
  button.dataset.swap = isRecovery ? "recovery" : "app";
}

for (const button of all("[data-swap]")) {
  const form = /** @type {HTMLFormElement} */ (button.closest("form"));
  form.addEventListener("reset", () => setRecovery(button, false));
  button.addEventListener("click", () => {
    setRecovery(button, button.dataset.swap !== "recovery");
    const input = /** @type {HTMLInputElement} */ (form.elements.namedItem("code"));
    input.value = "";
    input.focus();
  });
}
