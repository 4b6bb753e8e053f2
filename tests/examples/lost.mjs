// Loses the first answer to an operation of the Apollo example, and lets the time for it pass once all
// that can happen has happened; prints what came of it as JSON.
const built = "../../examples/typescript/dist";
const { createApi } = await import(`${built}/apollo.js`);
const { CustomersDocument: query } = await import(`${built}/generated.js`);

const { URL: url, HELD: before, LOST: lost } = process.env;
const send = globalThis.fetch;
const timeouts = [];
let isFirst = true;
let lose;
const loss = new Promise((resolve) => (lose = resolve));
AbortSignal.timeout = (milliseconds) => {
  const controller = new AbortController();
  timeouts.push({ milliseconds, controller });
  return controller.signal;
};
globalThis.fetch = async (address, options) => {
  const answer = await send(address, options);
  if (!isFirst || !options.body.includes(lost)) return answer;
  isFirst = false;
  lose();
  return new Promise((_, reject) => {
    options.signal.addEventListener("abort", () => reject(options.signal.reason));
  });
};

let held = JSON.parse(before);
let ends = 0;
const { client, session } = createApi(url, {
  load: () => held,
  save: (tokens) => (held = tokens),
  onSignedOut: () => (ends += 1),
});
const list = () =>
  client.query({ query, variables: { first: 3 }, fetchPolicy: "no-cache" }).then(
    ({ data }) => data.customers.nodes.length,
    (error) => error.name,
  );
const asked =
  lost === "logout"
    ? session.signOut().then(
        () => "answered",
        (error) => error.name,
      )
    : list();
await loss;
const meanwhile = { isHeld: held !== null, ends };
for (const { controller } of timeouts)
  controller.abort(new DOMException("The time has passed.", "TimeoutError"));
const first = await asked;
const next = held && (await list());
const [{ milliseconds }] = timeouts;
console.log(JSON.stringify({ first, next, meanwhile, milliseconds }));
