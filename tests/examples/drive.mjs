// Drives a TypeScript client as each line of its input says; prints what came of it as JSON.
import { createInterface } from "node:readline";

const built = "../../examples/typescript/dist";
const { CustomersDocument: query } = await import(`${built}/generated.js`);
const { reasonOf } = await import(`${built}/session.js`);

const { now } = Date;
const send = globalThis.fetch;
const { setTimeout: later } = globalThis;
// Nobody waits for the seconds of Retry-After.
globalThis.setTimeout = (work, delay, ...given) => later(work, delay >= 1000 ? 0 : delay, ...given);

for await (const line of createInterface({ input: process.stdin })) await drive(JSON.parse(line));

async function drive({ client: name, url, sign_in, held: before, times, ahead, last, next, late, bare }) {
  const { createApi } = await import(`${built}/${name}.js`);
  Date.now = () => now() + ahead;
  const sent = new Set();
  let arrive, deliver;
  const arrival = new Promise((resolve) => (arrive = resolve));
  const delivery = new Promise((resolve) => (deliver = resolve));
  let isFirst = true;
  globalThis.fetch = async (address, options) => {
    for (const header of new Headers(options.headers).keys()) sent.add(header);
    const answer = await send(address, options);
    if (late && isFirst && `${address} ${options.body}`.includes(late)) {
      isFirst = false;
      arrive();
      await delivery;
    }
    return answer;
  };

  let held = before;
  let told = 0;
  const { client, session } = createApi(url, {
    load: () => held,
    save: (tokens) => (held = tokens),
    onSignedOut: () => (told += 1),
  });

  async function list(first) {
    if (bare) return session.run(query, { first });
    if (name === "apollo") return (await client.query({ query, variables: { first } })).data;
    const { data, error } = await client.query(query, { first });
    if (error) throw error.networkError ?? error;
    return data;
  }

  const failures = [];
  async function outcome(work) {
    try {
      return await work();
    } catch (error) {
      const errors = error.graphQLErrors ?? error.errors ?? [];
      failures.push(reasonOf(errors) ?? errors[0]?.code ?? error.name);
    }
  }

  if (sign_in) await outcome(() => session.signIn(...sign_in));
  const asked = Array.from({ length: times }, (_, index) => outcome(() => list(index + 1)));
  const listed = (await Promise.all(asked)).map((found) => found?.customers.nodes.length ?? null);
  const again =
    before && !sign_in && held && before.token !== held.token
      ? (await session.renew(before.token)) === held.token
      : null;
  if (last === "hand over") {
    const mine = outcome(() => (late === "SignOut" ? session.signOut() : list(1)));
    await arrival;
    if (late === "Customers") await session.signOut();
    else held = null;
    await session.signIn(...next);
    const theirs = outcome(() => list(2));
    deliver();
    for (const found of await Promise.all([mine, theirs]))
      listed.push(found?.customers.nodes.length ?? null);
  }
  if (last === "sign out") await outcome(() => session.signOut());
  if (last === "forget") {
    const renewing = session.renew(before.token);
    held = null;
    await outcome(() => renewing);
  }
  console.log(JSON.stringify({ listed, failures, held, told, again, sent: [...sent] }));
}
