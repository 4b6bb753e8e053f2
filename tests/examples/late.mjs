// Signs out by the Apollo example while an answer is on its way; prints what became of the answer,
// and what the cache holds then, as a line of JSON.
const built = "../../examples/typescript/dist";
const { createApi } = await import(`${built}/apollo.js`);
const { CustomersDocument: query } = await import(`${built}/generated.js`);

const { URL: url, EMAIL: email, PASSWORD: password } = process.env;
const send = globalThis.fetch;
let arrived, deliver;
const arrival = new Promise((resolve) => (arrived = resolve));
const delivery = new Promise((resolve) => (deliver = resolve));
globalThis.fetch = async (address, options) => {
  const answer = await send(address, options);
  if (options.body.includes("Customers")) {
    arrived();
    await delivery;
  }
  return answer;
};

let held = null;
const keep = { load: () => held, save: (tokens) => (held = tokens), onSignedOut: () => {} };
const { client, session } = createApi(url, keep);
await session.signIn(email, password);
const asked = client.query({ query, variables: { first: 3 } }).then(
  () => "answered",
  (error) => error.name,
);
await arrival;
await session.signOut();
deliver();
console.log(JSON.stringify({ came: await asked, cached: Object.keys(client.cache.extract()) }));
