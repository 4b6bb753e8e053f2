// Signs out by the Apollo example while an answer is on its way, and in again; prints what became of
// the answer, that to the same query in the next session, and what the cache holds, as JSON.
const built = "../../examples/typescript/dist";
const { createApi } = await import(`${built}/apollo.js`);
const { CustomersDocument: query } = await import(`${built}/generated.js`);

const { URL: url, EMAIL: email, PASSWORD: password } = process.env;
const send = globalThis.fetch;
let isFirst = true;
let arrived, deliver, handled;
const arrival = new Promise((resolve) => (arrived = resolve));
const delivery = new Promise((resolve) => (deliver = resolve));
const handling = new Promise((resolve) => (handled = resolve));
globalThis.fetch = async (address, options) => {
  const answer = await send(address, options);
  if (options.body.includes("Customers") && isFirst) {
    isFirst = false;
    arrived();
    await delivery;
    const text = await answer.text();
    answer.text = async () => {
      setTimeout(handled); // once all that follows from the text is done
      return text;
    };
  }
  return answer;
};

let held = null;
const keep = { load: () => held, save: (tokens) => (held = tokens), onSignedOut: () => {} };
const { client, session } = createApi(url, keep);
await session.signIn(email, password);
const ask = (options) =>
  client.query({ query, variables: { first: 3 }, ...options }).then(
    () => "answered",
    (error) => error.name,
  );
const asked = ask();
await arrival;
await session.signOut();
await session.signIn(email, password);
const next = await ask({ fetchPolicy: "no-cache" });
deliver();
await handling;
const came = await asked;
console.log(JSON.stringify({ came, next, cached: Object.keys(client.cache.extract()) }));
