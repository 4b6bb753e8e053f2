import { expect, test } from "vitest";
import type { Exchange } from "./exchange";
import { makeFetcher } from "./fetcher";
import { ADA, jwt, payload, refusal, refused, world, type Sent } from "./testing";

const ME = { query: "{ me { name } }" };
const DONE = { data: { me: ADA } };
const FIRST = `Bearer ${jwt(3600, 1_000_001)}`;
const SECOND = `Bearer ${jwt(3600, 1_000_002)}`;

async function signedIn() {
  const made = world();
  made.state.answer = async () => ({ data: { login: payload(1) } });
  await made.keeper.signIn("ada@example.com", "secret");
  made.sent.length = 0;
  made.state.answer = async () => DONE;
  return { ...made, run: makeFetcher(made.keeper, made.post) };
}

/** Answer refreshes with new tokens, and the rest by `answer`. */
function refreshing(answer: (sent: Sent) => object) {
  return async (sent: Sent) =>
    sent.operationName === "Refresh" ? { data: { refresh: payload(2) } } : answer(sent);
}

test("every request is sent with the session's token", async () => {
  const { run, sent } = await signedIn();
  expect(await run(ME)).toEqual(DONE);
  expect(sent).toEqual([{ ...ME, bearer: FIRST }]);
});

test("no token is sent while nobody is signed in", async () => {
  const { keeper, post, sent } = world();
  await makeFetcher(keeper, post)(ME);
  expect(sent).toEqual([{ ...ME, bearer: null }]);
});

test.each(["Authorization", "authorization"])(
  "a typed %s header takes precedence",
  async (name) => {
    const { run, sent, state, keeper } = await signedIn();
    state.answer = async () => refused("TOKEN_EXPIRED");
    state.status = 401;
    await run(ME, { headers: { [name]: "Bearer mine" } });
    expect(sent).toEqual([{ ...ME, bearer: "Bearer mine" }]);
    expect(keeper.state().notice?.words).toContain("Headers tab");
  },
);

test("other typed headers are sent too", async () => {
  const { keeper } = await signedIn();
  const seen: Headers[] = [];
  const run = makeFetcher(keeper, async (_, headers) => {
    seen.push(headers);
    return { status: 200, answer: DONE, size: 1, requestId: null };
  });
  await run(ME, { headers: { "X-Mine": "yes" } });
  expect([seen[0]?.get("x-mine"), seen[0]?.get("authorization")]).toEqual(["yes", FIRST]);
});

test("requests that find the token about to expire wait for one refresh", async () => {
  const { run, sent, state } = await signedIn();
  state.now = 3_599_000;
  state.answer = refreshing(() => DONE);
  await Promise.all([run(ME), run(ME), run(ME)]);
  const bearers = sent.map(({ operationName, bearer }) => operationName ?? bearer);
  expect(bearers).toEqual(["Refresh", SECOND, SECOND, SECOND]);
});

test("a request refused only for its expired token is retried once with a new one", async () => {
  const { run, sent, state } = await signedIn();
  state.status = 401;
  state.answer = refreshing(({ bearer }) => (bearer === FIRST ? refused("TOKEN_EXPIRED") : DONE));
  expect(await Promise.all([run(ME), run(ME)])).toEqual([DONE, DONE]);
  const bearers = sent.map(({ operationName, bearer }) => operationName ?? bearer);
  expect(bearers).toEqual([FIRST, FIRST, "Refresh", SECOND, SECOND]);
});

test("a request is not retried with the token of whoever signs in meanwhile", async () => {
  const { run, sent, state, keeper } = await signedIn();
  const next = payload(2, 3600, ADA, "s2");
  let answer = (_: object) => {};
  state.status = 401;
  state.answer = () => new Promise((resolve) => (answer = resolve));
  const asked = run(ME);
  await expect.poll(() => sent.length).toBe(1);
  keeper.forget();
  state.answer = async () => ({ data: { login: next } });
  await keeper.signIn("bob@example.com", "secret");
  answer(refused("TOKEN_EXPIRED"));
  expect(await asked).toEqual(refused("TOKEN_EXPIRED"));
  expect(sent.map(({ bearer }) => bearer)).toEqual([FIRST, null]);
  expect(keeper.state().held?.token).toBe(next.token);
});

test("there is no second retry", async () => {
  const { run, sent, state, keeper } = await signedIn();
  state.status = 401;
  state.answer = refreshing(() => refused("TOKEN_EXPIRED"));
  expect(await run(ME)).toEqual(refused("TOKEN_EXPIRED"));
  expect(sent.length).toBe(3);
  expect(keeper.state().notice?.action).toBe("refresh");
});

test.each([
  [200, "TOKEN_EXPIRED"],
  [401, "TOKEN_REVOKED"],
])("an answer of %d for %s is not retried: some of it may have run", async (status, reason) => {
  const { run, sent, state } = await signedIn();
  state.status = status;
  state.answer = refreshing(() => refused(reason));
  await run(ME);
  expect(sent.length).toBe(1);
});

test("a refresh that is refused leaves the first refusal as it is", async () => {
  const { run, sent, state, keeper } = await signedIn();
  state.status = 401;
  state.answer = async ({ operationName }) =>
    operationName === "Refresh"
      ? { data: { refresh: refusal("TOKEN_REUSED", "Used before.") } }
      : refused("TOKEN_EXPIRED");
  await run(ME);
  expect(sent.length).toBe(2);
  expect(keeper.state().notice?.action).toBe("sign in");
});

test("a login in the editor signs in, and an introspection shows no notice", async () => {
  const { run, state, keeper } = await signedIn();
  keeper.forget();
  state.answer = async () => refused("TOKEN_MISSING");
  await run({
    query: "query IntrospectionQuery { me { name } }",
    operationName: "IntrospectionQuery",
  });
  expect(keeper.state().notice).toBeNull();
  state.answer = async () => ({ data: { login: payload(3) } });
  await run({ query: "mutation { login { token refreshToken customer { name isAdmin } } }" });
  expect(keeper.state().held?.refreshToken).toBe("gar_3");
});

test.each([
  ["{ me { name } }", "Old", undefined],
  ["query New { me { name } }", "Old", undefined],
  ["query New { me { name } }", "New", "New"],
  ["query New { me { name } } query Other { me { name } }", "Old", "Old"],
  ["query New {", "Old", "Old"],
])("of %s, asked for by the name %s, the operation %s is run", async (query, asked, run) => {
  const { keeper, post, sent } = world();
  await makeFetcher(keeper, post)({ query, operationName: asked });
  expect(sent[0]?.operationName).toBe(run);
});

test("each request's outcome is reported, except an introspection's", async () => {
  const { keeper, post, state } = world();
  const noted: Exchange[] = [];
  const run = makeFetcher(keeper, post, (exchange) => void noted.push(exchange));
  await run({ query: "query IntrospectionQuery { me }", operationName: "IntrospectionQuery" });
  state.status = 401;
  state.answer = async () => refused("TOKEN_MISSING");
  await run(ME);
  state.answer = () => Promise.reject(new TypeError("Failed to fetch"));
  await run(ME);
  expect(noted).toMatchObject([{ reply: { status: 401, requestId: "r" } }, { reply: null }]);
});

test("an unreachable server is reported in a sentence, until it is back", async () => {
  const { run, state, keeper } = await signedIn();
  state.answer = () => Promise.reject(new TypeError("Failed to fetch"));
  expect(await run(ME)).toEqual({
    errors: [{ message: "The server can't be reached. Once it is back, run this again." }],
  });
  expect(keeper.state().notice?.words).toContain("reached");
  state.answer = async () => DONE;
  await run(ME);
  expect(keeper.state().notice).toBeNull();
});

test("an introspection shows that the server is back, and nothing else", async () => {
  const { run, state, keeper } = await signedIn();
  const operationName = "IntrospectionQuery";
  const INTROSPECTION = { query: `query ${operationName} { a }`, operationName };
  state.answer = () => Promise.reject(new TypeError("Failed to fetch"));
  await run(INTROSPECTION);
  expect(keeper.state().notice?.words).toContain("reached");
  state.answer = async () => DONE;
  await run(INTROSPECTION);
  expect(keeper.state().notice).toBeNull();
  keeper.say({ words: "Something else.", action: null });
  await run(INTROSPECTION);
  expect(keeper.state().notice?.words).toBe("Something else.");
});
