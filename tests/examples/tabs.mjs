// Runs an operation in two sessions at once, which share expired tokens as two tabs may; prints what
// came of it as a line of JSON.
const built = "../../examples/typescript/dist";
const { Session } = await import(`${built}/session.js`);
const { CustomersDocument } = await import(`${built}/generated.js`);

const { URL: url, HELD: stored } = process.env;
let held = JSON.parse(stored);
let ends = 0;
const keep = {
  load: () => held,
  save: (tokens) => (held = tokens),
  onSignedOut: () => (ends += 1),
};
// Neither refresh is answered before both are under way.
const send = globalThis.fetch;
let refreshes = 0;
let go;
const bothSent = new Promise((resolve) => (go = resolve));
globalThis.fetch = async (address, options) => {
  const answer = await send(address, options);
  if (options.body.includes("mutation Refresh")) {
    refreshes += 1;
    if (refreshes === 2) go();
    await bothSent;
  }
  return answer;
};
const tabs = [new Session(url, keep), new Session(url, keep)];
const list = (tab) =>
  tab.run(CustomersDocument, { first: 1 }).then(
    ({ customers }) => customers.nodes.length,
    (error) => error.name,
  );
const listed = await Promise.all(tabs.map(list));
console.log(JSON.stringify({ listed, refreshes, ends, again: await Promise.all(tabs.map(list)) }));
