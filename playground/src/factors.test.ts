import { expect, test } from "vitest";
import type { Answer, Json } from "./answer";
import { payload, refusal, world, type Sent } from "./testing";

const OPTIONS = { challenge: "abc" };
const DONE = { status: "SUCCESS", message: "It is done.", errors: [] };
const LOST = { words: "The browser gave none." };

/** Return a login payload that needs a second factor. */
function waiting(
  methods = ["CODE", "RECOVERY_CODE", "PASSKEY"],
  passkeyOptions: unknown = OPTIONS,
) {
  const secondFactor = { challenge: "gac_1", methods, passkeyOptions };
  return { ...refusal("SECOND_FACTOR_REQUIRED", "Almost there."), secondFactor };
}

/** Return an answer that requires reauthentication. */
function stale(methods: string[]): Answer {
  const extensions = { code: "FORBIDDEN", reason: "REAUTHENTICATION_REQUIRED", methods };
  return { data: null, errors: [{ message: "Prove it.", extensions }] };
}

type World = ReturnType<typeof world>;

/** Set the server's answers by the names of operations. */
function plays({ state }: World, answers: Record<string, Json | Answer>): void {
  state.answer = async ({ operationName }: Sent) => answers[operationName ?? ""] as Answer;
}

/** Return a world with a pending sign-in. */
async function challenged(login = waiting()): Promise<World> {
  const made = world();
  plays(made, { SignIn: { data: { login } } });
  expect(await made.keeper.signIn("ada@example.com", "secret")).toBe(false);
  made.sent.length = 0;
  return made;
}

/** Return a world with a session. */
async function signedIn(): Promise<World> {
  const made = world();
  plays(made, { SignIn: { data: { login: payload(1) } } });
  await made.keeper.signIn("ada@example.com", "secret");
  made.sent.length = 0;
  return made;
}

test("a pending sign-in is completed by a code", async () => {
  const made = await challenged();
  expect(made.keeper.state()).toMatchObject({ held: null, notice: null });
  expect(made.keeper.state().challenge).toMatchObject({ token: "gac_1", passkeyOptions: OPTIONS });
  const wrong = refusal("INVALID_CODE", "Wrong code.", "code");
  plays(made, { VerifySecondFactor: { data: { verifySecondFactor: wrong } } });
  expect(await made.keeper.verify({ code: "000000" })).toBe(false);
  expect(made.keeper.state().notice).toMatchObject({ words: "Wrong code.", fields: ["code"] });
  plays(made, { VerifySecondFactor: { data: { verifySecondFactor: payload(2) } } });
  expect(await made.keeper.verify({ code: "123456" })).toBe(true);
  expect(made.sent.at(-1)?.variables).toEqual({ challenge: "gac_1", code: "123456" });
  expect(made.keeper.state()).toMatchObject({ challenge: null, notice: null });
  expect(made.keeper.state().held?.name).toBe("Ada");
  expect(await made.keeper.verify({ code: "123456" })).toBe(false);
});

test("an expired challenge leads back to the sign-in", async () => {
  const made = await challenged();
  const old = refusal("TOKEN_EXPIRED", "Too late.", "challenge");
  plays(made, { VerifySecondFactor: { data: { verifySecondFactor: old } } });
  await made.keeper.verify({ code: "123456" });
  expect(made.keeper.state()).toMatchObject({ challenge: null, notice: { words: "Too late." } });
});

test("cancelling leads back to the sign-in", async () => {
  const { keeper } = await challenged();
  keeper.cancel();
  expect(keeper.state()).toMatchObject({ challenge: null, notice: null });
});

test("a pending sign-in is completed by a passkey, with the challenge's options", async () => {
  const made = await challenged();
  plays(made, { VerifySecondFactor: { data: { verifySecondFactor: payload(2) } } });
  expect(await made.factors.verify()).toBe(true);
  const passkey = { id: "k", of: OPTIONS };
  expect(made.sent[0]?.variables).toEqual({ challenge: "gac_1", passkey });
  const other = await challenged(waiting(["CODE"], null));
  expect(await other.factors.verify()).toBe(false);
  expect(other.sent).toEqual([]);
});

test("a login in the editor needs a second factor like one in the bar", async () => {
  const made = world();
  const query = `mutation { mine: login(email: "a", password: "b") { secondFactor { challenge } } }`;
  const answer = { data: { mine: { secondFactor: { challenge: "gac_2" } } } };
  made.keeper.heed({ query }, answer, { own: false, token: null });
  expect(made.keeper.state().challenge).toEqual({
    token: "gac_2",
    methods: ["CODE", "RECOVERY_CODE"],
    passkeyOptions: null,
  });
});

test("a passkey alone signs in", async () => {
  const made = world();
  plays(made, {
    BeginPasskeySignIn: { data: { beginPasskeySignIn: { ...DONE, options: OPTIONS } } },
    SignInWithPasskey: { data: { signInWithPasskey: payload(1) } },
  });
  expect(await made.factors.signIn()).toBe(true);
  expect(made.sent.at(-1)?.variables).toEqual({ credential: { id: "k", of: OPTIONS } });
  expect(made.keeper.state().held?.name).toBe("Ada");
});

test("a page that can't use passkeys says why, and sends nothing", async () => {
  const made = world();
  const none = refusal("NOT_ENABLED", "This server takes no passkeys.");
  plays(made, { BeginPasskeySignIn: { data: { beginPasskeySignIn: none } } });
  expect(await made.factors.signIn()).toBe(false);
  expect(made.keeper.state().notice?.words).toBe("This server takes no passkeys.");
  made.state.hindrance = "Passkeys need a host name.";
  made.sent.length = 0;
  expect(await made.factors.signIn()).toBe(false);
  expect(made.keeper.state().notice?.words).toBe("Passkeys need a host name.");
  expect(made.sent).toEqual([]);
});

test("the notice says why the browser gave no passkey", async () => {
  const made = await challenged();
  made.state.passkey = async () => LOST;
  expect(await made.factors.verify()).toBe(false);
  expect(made.keeper.state()).toMatchObject({ notice: LOST, challenge: { token: "gac_1" } });
});

test("an operation that requires reauthentication is resumed after it", async () => {
  const made = await signedIn();
  plays(made, { RemoveSecondFactor: stale(["CODE", "RECOVERY_CODE"]) });
  const removing = made.factors.remove("f");
  await expect.poll(() => made.keeper.state().proofs).toEqual(["CODE", "RECOVERY_CODE"]);
  expect(made.keeper.state().notice?.words).toContain("fresh proof");
  const wrong = refusal("INVALID_CODE", "Wrong code.", "code");
  plays(made, { Reauthenticate: { data: { reauthenticate: wrong } } });
  expect(await made.keeper.prove({ code: "000000" })).toBe(false);
  expect(made.keeper.state()).toMatchObject({ notice: { words: "Wrong code." }, busy: false });
  plays(made, {
    Reauthenticate: { data: { reauthenticate: DONE } },
    RemoveSecondFactor: { data: { removeSecondFactor: { ...DONE, message: "Removed." } } },
  });
  expect(await made.keeper.prove({ code: "123456" })).toBe(true);
  expect(await removing).toBe(true);
  expect(made.keeper.state()).toMatchObject({ proofs: null, notice: { words: "Removed." } });
});

test("a passkey reauthenticates", async () => {
  const made = await signedIn();
  plays(made, { RenewRecoveryCodes: stale(["PASSKEY"]) });
  const renewing = made.factors.renew();
  await expect.poll(() => made.keeper.state().proofs).toEqual(["PASSKEY"]);
  plays(made, {
    BeginPasskeySignIn: { data: { beginPasskeySignIn: { ...DONE, options: OPTIONS } } },
    Reauthenticate: { data: { reauthenticate: DONE } },
    RenewRecoveryCodes: { data: { renewRecoveryCodes: { ...DONE, codes: ["a-b"] } } },
  });
  expect(await made.factors.prove()).toBe(true);
  expect(await renewing).toEqual(["a-b"]);
});

test("an operation that waits for a proof fails if that is cancelled", async () => {
  const made = await signedIn();
  plays(made, { BeginCodes: stale(["PASSWORD"]) });
  const beginning = made.factors.beginCodes();
  await expect.poll(() => made.keeper.state().proofs).toEqual(["PASSWORD"]);
  made.keeper.cancel();
  expect(await beginning).toBeNull();
  expect(made.keeper.state()).toMatchObject({ proofs: null, notice: null });
  const again = made.factors.beginCodes();
  await expect.poll(() => made.keeper.state().proofs).toEqual(["PASSWORD"]);
  made.keeper.forget();
  expect(await again).toBeNull();
});

test("an operation of the editor that requires a proof is run again by hand", async () => {
  const made = await signedIn();
  const token = made.keeper.state().held!.token;
  const request = { query: "mutation { deleteMe { status } }" };
  made.keeper.heed(request, stale(["PASSWORD"]), { own: false, token });
  expect(made.keeper.state().proofs).toEqual(["PASSWORD"]);
  plays(made, { Reauthenticate: { data: { reauthenticate: DONE } } });
  expect(await made.keeper.prove({ password: "secret" })).toBe(true);
  expect(made.sent.at(-1)).toMatchObject({ variables: { password: "secret" } });
  expect(made.keeper.state()).toMatchObject({ proofs: null, notice: { good: true } });
  expect(made.keeper.state().notice?.words).toContain("Run the operation again");
});

test("no form for a token of the Headers tab, or where only a new sign-in counts", async () => {
  const made = await signedIn();
  const token = made.keeper.state().held!.token;
  const request = { query: "mutation { deleteMe { status } }" };
  made.keeper.heed(request, stale(["PASSWORD"]), { own: true, token: null });
  expect(made.keeper.state().proofs).toBeNull();
  made.keeper.heed(request, stale(["SIGN_IN"]), { own: false, token });
  expect(made.keeper.state()).toMatchObject({ proofs: null, notice: { action: "sign in" } });
});

test("an account that must have a second factor is led to the forms for one", async () => {
  const made = await signedIn();
  const token = made.keeper.state().held!.token;
  const extensions = { code: "FORBIDDEN", reason: "SECOND_FACTOR_ENROLMENT_REQUIRED" };
  const answer = { data: null, errors: [{ message: "First set one up.", extensions }] };
  const request = { query: "{ customers { totalCount } }" };
  made.keeper.heed(request, answer, { own: false, token });
  expect(made.keeper.state().notice).toMatchObject({ action: "set up" });
  made.keeper.heed(request, answer, { own: true, token: null });
  expect(made.keeper.state().notice).toMatchObject({ action: null });
});

test("an app is set up by its secret and its first code, and gives recovery codes", async () => {
  const made = await signedIn();
  const begun = { ...DONE, secret: "ABCD", uri: "otpauth://totp/x", qrCode: "<svg/>" };
  plays(made, { BeginCodes: { data: { beginCodes: begun } } });
  expect(await made.factors.beginCodes()).toMatchObject({ secret: "ABCD", qrCode: "<svg/>" });
  plays(made, { ConfirmCodes: { data: { confirmCodes: { ...DONE, codes: null } } } });
  expect(await made.factors.confirmCodes("123456")).toEqual([]);
  plays(made, { ConfirmCodes: { data: { confirmCodes: refusal("INVALID_CODE", "No.") } } });
  expect(await made.factors.confirmCodes("123456")).toBeNull();
});

test("a passkey is made by the server's options, with a name if one is typed", async () => {
  const made = await signedIn();
  const answers: Record<string, Json> = {
    BeginPasskey: { data: { beginPasskey: { ...DONE, options: OPTIONS } } },
    ConfirmPasskey: { data: { confirmPasskey: { ...DONE, codes: ["a-b"] } } },
  };
  plays(made, answers);
  expect(await made.factors.addPasskey(" Laptop ")).toEqual(["a-b"]);
  const credential = { id: "k", of: OPTIONS };
  expect(made.sent.at(-1)?.variables).toEqual({ credential, name: "Laptop" });
  await made.factors.addPasskey(" ");
  expect(made.sent.at(-1)?.variables).toEqual({ credential, name: null });
  made.state.passkey = async () => LOST;
  expect(await made.factors.addPasskey("")).toBeNull();
  plays(made, { BeginPasskey: { data: { beginPasskey: refusal("NOT_ENABLED", "None.") } } });
  expect(await made.factors.addPasskey("")).toBeNull();
});

test("second factors are loaded and renamed", async () => {
  const made = await signedIn();
  const owned = { secondFactors: [], recoveryCodesLeft: 0 };
  plays(made, { Factors: { data: { me: owned } } });
  expect(await made.factors.owned()).toEqual(owned);
  plays(made, { Factors: { data: { me: null }, errors: [{ message: "No." }] } });
  expect(await made.factors.owned()).toBeNull();
  plays(made, { RenameSecondFactor: { data: { renameSecondFactor: DONE } } });
  expect(await made.factors.rename("f", "Phone")).toBe(true);
  expect(made.sent.at(-1)?.variables).toEqual({ id: "f", name: "Phone" });
});

test("an unreachable server changes nothing, and is reported", async () => {
  const made = await signedIn();
  made.state.answer = () => Promise.reject(new Error("offline"));
  expect(await made.factors.remove("f")).toBe(false);
  expect(made.keeper.state().notice?.words).toContain("can't be reached");
});
