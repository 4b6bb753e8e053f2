// @ts-check
/** Pages for the links in letters: they send the link's token, and show the outcome. */
import {
  all,
  day,
  enter,
  isSpent,
  onPress,
  post,
  press,
  refusal,
  send,
  show,
  typed,
  UNREACHABLE,
} from "./page.js";
import { secondStep, verifying } from "./proofs.js";

/** @typedef {import("./page.js").Payload} Payload */

const TOKEN = takeToken();
/** The name of the mutation that waits for a second factor. */
let waiting = "";

/** Return the token, and remove it from the address, which the browser's history keeps. */
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (location.hash) history.replaceState(null, "", location.pathname);
  return token;
}

/**
 * Send a button's mutation, with the link's token or with a second factor.
 *
 * @param {HTMLFormElement} form
 * @param {HTMLButtonElement} button
 */
function go(form, button) {
  const isSecond = button.value === "verifySecondFactor";
  const name = isSecond ? waiting : button.value;
  const work = () => {
    if (isSecond) return verifying(form, button);
    return form.closest("[data-view=spent]")
      ? renewing(name, typed(form))
      : send(name, { token: TOKEN, ...typed(form) });
  };
  void press(form, button, work, (payload) => take(name, payload));
}

/**
 * Ask for a new link. The server answers alike for all addresses, so a blank one is refused here.
 *
 * @param {string} name
 * @param {{ email?: string }} given
 * @returns {Promise<Payload>}
 */
async function renewing(name, given) {
  if (given.email?.trim()) return send(name, given);
  const message = "Give your account’s e-mail address.";
  return { message, errors: [{ code: "REQUIRED", field: "email", message }] };
}

/**
 * Show the outcome of a mutation; returns false if it was refused.
 *
 * @param {string} name
 * @param {Payload} payload
 */
async function take(name, payload) {
  if (payload.secondFactor) {
    waiting = name;
    return secondStep(payload.secondFactor);
  }
  if (payload.status !== "SUCCESS") return false;
  if (payload.token) await enter(payload);
  show(name, payload.message);
  return true;
}

/** Load what a link is for, and show its question. */
async function describe() {
  show("loading");
  try {
    const response = await post("link", { token: TOKEN });
    const answer = await response.json();
    if (response.ok) return ask(answer);
    const refused = refusal(answer.errors);
    show(isSpent(refused) ? "spent" : "unreachable", refused.message);
  } catch {
    show("unreachable", UNREACHABLE);
  }
}

/** @param {{ kind: string, madeAt: string }} link */
function ask({ kind, madeAt }) {
  show("ask");
  for (const time of document.querySelectorAll("time")) {
    time.dateTime = madeAt;
    time.textContent = day(madeAt);
  }
  for (const question of all("[data-kind]")) question.hidden = question.dataset.kind !== kind;
}

/** Return the view that a link opens, by the prefix of its token. @param {string} token */
function asking(token) {
  const own = all("[data-token]").find(({ dataset }) => token.startsWith(dataset.token ?? ""));
  return own?.dataset.view ?? "ask";
}

for (const form of document.forms) onPress(form, go);
for (const button of all("[data-again]")) button.addEventListener("click", () => void describe());
addEventListener("hashchange", () => location.reload()); // another letter's link, in the same tab

if (!TOKEN) show("missing");
else if (document.querySelector("[data-kind]")) void describe();
else show(asking(TOKEN));
