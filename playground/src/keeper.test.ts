import { expect, test } from "vitest";
import { RETRY_DELAY, STORED } from "./keeper";
import { ADA, jwt, payload, refusal, refused, world } from "./testing";

type World = ReturnType<typeof world>;

const WRONG = refusal("INVALID_CREDENTIALS", "Wrong password.");
/** The credentials of a request without a token. */
const NONE = { own: false, token: null };

/** Return a world with a session whose tokens live for some seconds. */
async function signedIn(life = 3600, sid = "s1"): Promise<World> {
  const made = world();
  made.state.answer = async () => ({ data: { login: payload(1, life, ADA, sid) } });
  expect(await made.keeper.signIn("ada@example.com", "secret")).toBe(true);
  made.sent.length = 0;
  return made;
}

/** Make the server answer refreshes with the tokens numbered 2, 3 and so on. */
function refreshes({ state }: World, life = 3600): void {
  let turn = 1;
  state.answer = async () => ({ data: { refresh: payload(++turn, life) } });
}

test("signing in holds and stores the tokens and the account", async () => {
  expect(world().keeper.state()).toMatchObject({ held: null, notice: null, busy: false });
  const made = await signedIn();
  expect(made.keeper.state().held).toMatchObject({ ...ADA, token: jwt(3600, 1_000_001) });
  expect([...made.storage.keys()]).toEqual([STORED]);
  expect(made.make().state().held).toEqual(made.keeper.state().held);
});

test("signing in sends the address and the password as variables, and no token", async () => {
  const { keeper, sent } = world();
  await keeper.signIn("ada@example.com", "secret");
  expect(sent[0]?.variables).toEqual({ email: "ada@example.com", password: "secret" });
  expect([sent[0]?.query.includes("secret"), sent[0]?.bearer]).toEqual([false, null]);
});

test("a wrong password is reported with the server's message", async () => {
  const { keeper, state } = world();
  state.answer = async () => ({ data: { login: WRONG } });
  expect(await keeper.signIn("ada@example.com", "wrong")).toBe(false);
  expect(keeper.state()).toMatchObject({
    held: null,
    busy: false,
    notice: { words: "Wrong password.", action: null },
  });
});

test("an answer without a payload is reported with its error's message", async () => {
  const { keeper, state } = world();
  state.answer = async () => ({ errors: [{ message: "HTTP 502." }] });
  expect(await keeper.signIn("ada@example.com", "secret")).toBe(false);
  expect(keeper.state().notice?.words).toBe("HTTP 502.");
  state.answer = async () => ({});
  await keeper.signIn("ada@example.com", "secret");
  expect(keeper.state().notice?.words).toBe("The server gave no answer.");
});

test("an unreachable server is reported, and nothing is thrown", async () => {
  const { keeper, state } = world();
  state.answer = () => Promise.reject(new TypeError("Failed to fetch"));
  expect(await keeper.signIn("ada@example.com", "secret")).toBe(false);
  expect(keeper.state()).toMatchObject({
    busy: false,
    notice: { words: expect.stringContaining("reached") },
  });
});

test("a listener is called at each change until it is unsubscribed", async () => {
  const made = await signedIn();
  let calls = 0;
  const stop = made.keeper.subscribe(() => calls++);
  made.keeper.forget();
  expect(calls).toBe(1);
  stop();
  made.keeper.dismiss();
  expect(calls).toBe(1);
});

test("signing out sends the token to the server, and forgets it", async () => {
  const { keeper, sent, storage, state } = await signedIn();
  state.answer = async () => ({ data: { logout: { status: "SUCCESS" } } });
  await keeper.signOut();
  expect(sent).toMatchObject([
    { operationName: "SignOut", bearer: `Bearer ${jwt(3600, 1_000_001)}` },
  ]);
  expect([keeper.state(), storage.size]).toMatchObject([
    { held: null, notice: null, busy: false },
    0,
  ]);
});

test.each([
  ["can't be reached", () => Promise.reject(new TypeError("Failed to fetch")), "still be open"],
  ["refuses", async () => refused("TOKEN_REVOKED"), "has ended"],
])("signing out forgets the token when the server %s, and says so", async (_, answer, words) => {
  const { keeper, state } = await signedIn();
  state.answer = answer;
  await keeper.signOut();
  expect(keeper.state()).toMatchObject({
    held: null,
    notice: { words: expect.stringContaining(words), action: null },
  });
});

test("signing out without a session sends nothing", async () => {
  const { keeper, sent } = world();
  await keeper.signOut();
  expect(sent).toEqual([]);
});

test("a token with time left is not refreshed", async () => {
  const { keeper, sent, state } = await signedIn();
  state.now = 3_584_000;
  expect(await keeper.bearer()).toBe(jwt(3600, 1_000_001));
  await keeper.tick();
  expect(sent).toEqual([]);
});

test("a token about to expire is refreshed once for all callers", async () => {
  const made = await signedIn();
  refreshes(made);
  made.state.now = 3_585_000;
  const { keeper } = made;
  const given = await Promise.all([
    keeper.bearer(),
    keeper.tick(),
    keeper.bearer(),
    keeper.refresh(),
  ]);
  expect(made.sent).toMatchObject([{ variables: { refreshToken: "gar_1" }, bearer: null }]);
  expect([given[0], given[2]]).toEqual([jwt(3600, 1_000_002), jwt(3600, 1_000_002)]);
  expect(keeper.state()).toMatchObject({ held: { refreshToken: "gar_2" }, notice: null });
});

test("each refresh uses the refresh token of the last one", async () => {
  const made = await signedIn();
  refreshes(made);
  await made.keeper.refresh();
  await made.keeper.refresh();
  expect(made.sent.map(({ variables }) => variables)).toEqual([
    { refreshToken: "gar_1" },
    { refreshToken: "gar_2" },
  ]);
});

test.each(["TOKEN_INVALID", "TOKEN_EXPIRED", "TOKEN_REVOKED", "TOKEN_REUSED"])(
  "a refresh that is refused for %s ends the session, and says why",
  async (code) => {
    const made = await signedIn();
    made.state.answer = async () => ({ data: { refresh: refusal(code, "Used before.") } });
    expect(await made.keeper.refresh()).toBeNull();
    expect(made.keeper.state()).toMatchObject({
      held: null,
      notice: { words: "Used before.", action: "sign in" },
    });
    expect([made.storage.size, made.told]).toEqual([
      0,
      [{ token: jwt(3600, 1_000_001), held: null }],
    ]);
  },
);

test.each([
  [{ data: { refresh: { ...refusal("TOO_MANY_ATTEMPTS", "Later."), retryAfter: 60 } } }, 60_000],
  [{ errors: [{ message: "HTTP 502." }] }, RETRY_DELAY],
])("a refresh to be retried later keeps the session, and waits: %o", async (answer, wait) => {
  const made = await signedIn();
  const { keeper, state, sent } = made;
  state.answer = async () => answer;
  state.now = 3_590_000;
  await keeper.tick();
  expect(keeper.state()).toMatchObject({ held: { refreshToken: "gar_1" }, notice: {} });
  state.now += wait - 1;
  await keeper.tick();
  expect(sent.length).toBe(1);
  state.now += 1;
  refreshes(made);
  await keeper.tick();
  expect(keeper.state()).toMatchObject({ held: { refreshToken: "gar_2" }, notice: null });
});

test("after an unreachable server the session is kept, and the refresh waits", async () => {
  const { keeper, state, sent } = await signedIn();
  state.answer = () => Promise.reject(new TypeError("Failed to fetch"));
  state.now = 3_590_000;
  expect(await keeper.bearer()).toBe(jwt(3600, 1_000_001));
  await keeper.tick();
  expect(sent.length).toBe(1);
  expect(keeper.state()).toMatchObject({
    held: { refreshToken: "gar_1" },
    notice: { action: null },
  });
  state.now += RETRY_DELAY;
  await keeper.tick();
  expect(sent.length).toBe(2);
});

test("a refresh that ends after signing out does not sign in again", async () => {
  const made = await signedIn();
  let answer = (_: object) => {};
  made.state.answer = () => new Promise((resolve) => (answer = resolve));
  const refreshing = made.keeper.refresh();
  await expect.poll(() => made.sent.length).toBe(1);
  made.keeper.forget();
  answer({ data: { refresh: payload(2) } });
  expect(await refreshing).toBeNull();
  expect([made.keeper.state().held, made.told]).toEqual([null, []]);
});

test("a refresh reaches other tabs of the same session, and no tab of another", async () => {
  const made = await signedIn();
  const twin = made.make();
  const stranger = await signedIn(3600, "s2");
  refreshes(made);
  await made.keeper.refresh();
  for (const message of made.told) {
    twin.receive(message);
    stranger.keeper.receive(message);
  }
  expect(made.told).toMatchObject([{ token: jwt(3600, 1_000_001) }]);
  expect(twin.state().held).toEqual(made.keeper.state().held);
  expect(stranger.keeper.state().held?.refreshToken).toBe("gar_1");
});

test("tabs of a session that have refreshed side by side still hear of each other", async () => {
  const made = await signedIn();
  const twin = made.make();
  refreshes(made);
  await made.keeper.refresh();
  await twin.refresh();
  twin.receive(made.told[0]!);
  made.keeper.receive(made.told[1]!);
  await made.keeper.refresh();
  twin.receive(made.told[2]!);
  expect(twin.state().held).toEqual(made.keeper.state().held);
  made.state.answer = async () => ({ data: { logout: { status: "SUCCESS" } } });
  await twin.signOut();
  made.keeper.receive(made.told.at(-1)!);
  expect(made.keeper.state().held).toBeNull();
});

test("a refresh that is under way when another signs in gives no token of theirs", async () => {
  const made = await signedIn();
  let answer = (_: object) => {};
  made.state.answer = () => new Promise((resolve) => (answer = resolve));
  made.state.now = 3_599_000;
  const given = [made.keeper.bearer(), made.keeper.replacement(jwt(3600, 1_000_001))];
  await expect.poll(() => made.sent.length).toBe(1);
  const signOut = made.keeper.signOut();
  made.state.answer = async () => ({});
  const query = "mutation { login { token refreshToken customer { name email isAdmin } } }";
  const next = payload(7, 3600, ADA, "s2");
  made.keeper.heed({ query }, { data: { login: next } }, NONE);
  answer({ data: { refresh: payload(2) } });
  await signOut;
  expect(await Promise.all(given)).toEqual([null, null]);
  expect(made.keeper.state().held?.token).toBe(next.token);
  expect(made.sent.length).toBe(1);
});

test.each(["logout", "deleteMe", "changePassword"])(
  "a %s by hand whose session was left meanwhile changes nothing in the next",
  async (field) => {
    const { keeper } = await signedIn(3600, "s2");
    const { held } = keeper.state();
    const query = `mutation { ${field} { status token refreshToken } }`;
    keeper.heed({ query }, { data: { [field]: payload(3) } }, { own: false, token: jwt(3600) });
    expect(keeper.state().held).toBe(held);
  },
);

test("a refresh by hand reaches other tabs of the session, and a login by hand does not", async () => {
  const made = await signedIn();
  const twin = made.make();
  const query = "mutation { a: refresh { token refreshToken customer { name isAdmin email } } }";
  made.keeper.heed({ query }, { data: { a: payload(2) } }, NONE);
  expect(made.told.length).toBe(1);
  twin.receive(made.told[0]!);
  expect(twin.state().held).toEqual(made.keeper.state().held);
  const next = query.replace("refresh ", "login ");
  made.keeper.heed({ query: next }, { data: { a: payload(3, 3600, ADA, "s2") } }, NONE);
  expect(made.told.length).toBe(1);
});

test("a tab without a session ignores messages", async () => {
  const made = await signedIn();
  refreshes(made);
  await made.keeper.refresh();
  const { keeper } = world();
  keeper.receive(made.told[0]!);
  expect(keeper.state().held).toBeNull();
});

test.each(["login", "refresh", "register", "changePassword", "acceptInvitation", "signInByLink"])(
  "a %s that was run by hand signs in, under any alias",
  (field) => {
    const { keeper } = world();
    const query = `mutation { mine: ${field} { t: token refreshToken customer { name isAdmin email } } }`;
    const { token: t, ...rest } = payload(1);
    keeper.heed({ query }, { data: { mine: { t, ...rest } } }, NONE);
    expect(keeper.state().held).toMatchObject({ ...ADA, token: t, refreshToken: "gar_1" });
  },
);

test("of two mutations in one operation, the last counts", () => {
  const { keeper } = world();
  const query = "mutation { a: login { token refreshToken } b: login { token refreshToken } }";
  keeper.heed({ query }, { data: { b: payload(2), a: payload(1) } }, NONE);
  expect(keeper.state().held?.refreshToken).toBe("gar_2");
});

test("a login by hand that selects only the token is followed by a query for Me", async () => {
  const { keeper, sent, state } = world();
  state.answer = async () => ({ data: { me: ADA } });
  keeper.heed({ query: "mutation { login { token } }" }, { data: { login: { token: "t" } } }, NONE);
  await expect
    .poll(() => keeper.state().held)
    .toMatchObject({ ...ADA, token: "t", refreshToken: null });
  expect(sent).toMatchObject([{ operationName: "Me", bearer: "Bearer t" }]);
});

test("a late answer does not put its account to the next session's tokens", async () => {
  const { keeper, state, sent } = world();
  let answer = (_: object) => {};
  state.answer = () => new Promise((resolve) => (answer = resolve));
  const query = "mutation { login { token } }";
  keeper.heed({ query }, { data: { login: { token: "t" } } }, NONE);
  expect(sent.length).toBe(1);
  const { customer: _, ...rest } = payload(1);
  const next = { ...rest, customer: { ...ADA, name: "Bob" } };
  const again = "mutation { login { token refreshToken customer { name isAdmin } } }";
  keeper.heed({ query: again }, { data: { login: next } }, NONE);
  answer({ data: { me: ADA } });
  await expect.poll(() => keeper.state().busy).toBe(false);
  expect(keeper.state().held?.name).toBe("Bob");
});

test("a refresh by hand that selects no refresh token drops the used one", async () => {
  const { keeper } = await signedIn();
  const query = "mutation { refresh { token customer { name isAdmin } } }";
  const data = { refresh: { token: "t", customer: ADA } };
  keeper.heed({ query }, { data }, NONE);
  expect(keeper.state().held).toMatchObject({ token: "t", refreshToken: null });
});

test("a login by hand that failed changes nothing", async () => {
  const { keeper } = await signedIn();
  const { held } = keeper.state();
  keeper.heed({ query: "mutation { login { status token } }" }, { data: { login: WRONG } }, NONE);
  expect(keeper.state().held).toBe(held);
});

test.each([
  ["logout", "SUCCESS", false, true],
  ["logout", undefined, false, true],
  ["logout", "SUCCESS", true, false],
  ["deleteMe", "SUCCESS", false, true],
  ["deleteMe", "ERROR", false, false],
  ["endOtherSessions", "SUCCESS", false, false],
])(
  "after %s by hand with %s, own header %o, the session is over: %o",
  async (field, status, own, out) => {
    const { keeper } = await signedIn();
    keeper.heed(
      { query: `mutation { ${field} { status } }` },
      { data: { [field]: { status } } },
      { own, token: null },
    );
    expect(keeper.state().held === null).toBe(out);
  },
);

test("a refusal is explained until an answer without one, or until it is dismissed", async () => {
  const { keeper } = await signedIn();
  const request = { query: "{ me { name } }" };
  for (const answer of [{ data: { me: ADA } }, { errors: [{ message: "Another." }] }]) {
    keeper.heed(request, refused("TOKEN_EXPIRED"), NONE);
    expect(keeper.state().notice?.action).toBe("refresh");
    keeper.heed(request, answer, NONE);
    expect(keeper.state().notice).toBeNull();
  }
  keeper.heed(request, refused("TOKEN_MISSING"), NONE);
  keeper.dismiss();
  expect(keeper.state().notice).toBeNull();
});

test.each([
  ["TOKEN_REVOKED", { own: false, token: jwt(3600, 1_000_001) }, true],
  ["TOKEN_INVALID", { own: false, token: jwt(3600, 1_000_001) }, true],
  ["TOKEN_EXPIRED", { own: false, token: jwt(3600, 1_000_001) }, false],
  ["TOKEN_REVOKED", { own: true, token: null }, false],
  ["TOKEN_REVOKED", { own: false, token: "one before" }, false],
])("after %s for a request with %o the session is over: %o", async (...given) => {
  const [reason, sentWith, out] = given;
  const { keeper, told } = await signedIn();
  keeper.heed({ query: "{ me { name } }" }, refused(reason), sentWith);
  expect([keeper.state().held === null, told.length]).toEqual([out, out ? 1 : 0]);
  expect(keeper.state().notice).not.toBeNull();
});

test("a tab that ends the session makes its duplicates forget it too, and say so", async () => {
  const made = await signedIn();
  const twin = made.make();
  made.state.answer = async () => ({ data: { logout: { status: "SUCCESS" } } });
  await made.keeper.signOut();
  for (const message of made.told) twin.receive(message);
  expect(twin.state()).toMatchObject({
    held: null,
    notice: { words: expect.stringContaining("another tab") },
  });
});

test("creating an account signs in to it, or shows which fields to correct", async () => {
  const { keeper, sent, state } = world();
  const input = { name: "Ada", email: "ada@example.com", password: "secret" };
  state.answer = async () => ({ data: { register: refusal("TAKEN", "Taken.", "email") } });
  expect(await keeper.register(input)).toBe(false);
  expect(keeper.state().notice).toEqual({
    words: "Taken.",
    action: null,
    good: false,
    fields: ["email"],
  });
  state.answer = async () => ({ data: { register: payload(1) } });
  expect(await keeper.register(input)).toBe(true);
  expect(keeper.state()).toMatchObject({ held: ADA, notice: null });
  expect(sent[1]?.variables).toEqual({ input });
});

test("a link that resets a password is requested, with the server's message shown", async () => {
  const { keeper, sent, state } = world();
  const done = { status: "SUCCESS", message: "Done.", errors: [] };
  state.answer = async () => ({ data: { requestPasswordReset: done } });
  expect(await keeper.requestPasswordReset("ada@example.com")).toBe(true);
  expect(keeper.state().notice).toMatchObject({ words: "Done.", good: true });
  expect(sent.map((each) => each.variables)).toEqual([{ email: "ada@example.com" }]);
  const refused = refusal("MAIL_NOT_SET_UP", "No letters.");
  state.answer = async () => ({ data: { requestPasswordReset: refused } });
  expect(await keeper.requestPasswordReset("ada@example.com")).toBe(false);
});

test("an operation that doesn't parse changes nothing", () => {
  const { keeper } = world();
  keeper.heed({ query: "mutation {" }, { data: { login: payload(1) } }, NONE);
  expect(keeper.state().held).toBeNull();
});

test("a tab that receives new tokens while it waits for the lock sends no refresh", async () => {
  const made = await signedIn();
  refreshes(made);
  let go = () => {};
  made.state.turn = new Promise((resolve) => (go = resolve));
  const waiting = made.keeper.refresh();
  const held = { ...made.keeper.state().held!, token: "next", refreshToken: "gar_9" };
  made.keeper.receive({ token: jwt(3600, 1_000_001), held });
  go();
  expect(await waiting).toEqual(held);
  expect(made.sent).toEqual([]);
});

test("an account to be confirmed by a letter's link is reported, and not signed in", async () => {
  const { keeper, state } = world();
  const words = "We have sent you a link.";
  state.answer = async () => ({ data: { register: { status: "SUCCESS", message: words } } });
  expect(await keeper.register({ name: "Ada", email: "ada@example.com", password: "x" })).toBe(
    true,
  );
  expect(keeper.state()).toMatchObject({ held: null, notice: { words, good: true } });
});
