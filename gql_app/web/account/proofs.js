// @ts-check
/** What proves who somebody is beside a password: codes, and passkeys as the browser has them. */
import { all, isForPasskey, send, show, Told, typed } from "./page.js";

/** @typedef {import("./page.js").Challenge} Challenge */

/** What browsers call why they gave no passkey (WebAuthn section 5.1). @type {Record<string, string>} */
const WHYS = {
  InvalidStateError: "This device has a passkey for your account already.",
  SecurityError: "Passkeys are good on the domain alone that they are of: open this page there.",
};
const NONE = "The browser gave no passkey. Try again, or take another way.";
/** Why there are no passkeys in this page; null where there are. */
export const HINDRANCE = hindrance();

/** The sign-in that waits for a second factor. @type {Challenge | null} */
let waiting = null;

/** Say why a page can use no passkeys, which know no IP addresses. */
function hindrance() {
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

/** Have the browser find a passkey. Throws Told. @param {any} options */
export function found(options) {
  return given(() =>
    navigator.credentials.get({
      publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options),
    }),
  );
}

/** Have the browser make a passkey. Throws Told. @param {any} options */
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

/** Have the browser find a passkey, whosever it is. Throws Told. */
export async function foundAny() {
  if (HINDRANCE) throw new Told(HINDRANCE);
  const { options, message } = await send("beginPasskeySignIn");
  if (!options) throw new Told(message);
  return found(options);
}

/** Show what a sign-in waits for. @param {Challenge} challenge */
export function secondStep(challenge) {
  waiting = challenge;
  offer("second", challenge.methods);
  show("second");
  return true;
}

/**
 * Send a proof that a sign-in waits for.
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
 * Show those fields and buttons of a view that are of some methods.
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
 * Say in a view why there are no passkeys, in the place of the buttons that are for one.
 *
 * @param {HTMLElement} view
 * @param {boolean} areWanted
 */
export function tellHindrance(view, areWanted = true) {
  for (const each of all("[data-passkey]", view)) each.hidden = !areWanted || Boolean(HINDRANCE);
  for (const each of all("[data-hindrance]", view)) each.textContent = areWanted ? HINDRANCE : "";
}

/**
 * Ask for a recovery code in the place of an app's code, or the other way about.
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

for (const button of all("[data-swap]"))
  button.addEventListener("click", () => {
    setRecovery(button, button.dataset.swap !== "recovery");
    const form = /** @type {HTMLFormElement} */ (button.closest("form"));
    const input = /** @type {HTMLInputElement} */ (form.elements.namedItem("code"));
    input.value = "";
    input.focus();
  });
