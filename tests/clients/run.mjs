// Runs the scenarios of each client on the server that a line of JSON names, one after the other;
// prints what came of each as a line of JSON, with the requests that it took.
import { text } from "node:stream/consumers";

const given = JSON.parse(await text(process.stdin));
const send = globalThis.fetch;
let requests = [];

globalThis.fetch = async (address, options = {}) => {
  const response = await send(address, options);
  requests.push({
    method: options.method ?? "GET",
    status: response.status,
    headers: [...new Headers(options.headers).keys()],
  });
  return response;
};

for (const client of process.argv.slice(2)) {
  const { scenarios } = await import(`./${client}.mjs`);
  for (const [scenario, run] of Object.entries(scenarios)) {
    requests = [];
    const came = await outcome(() => run(given));
    console.log(JSON.stringify({ client, scenario, ...came, requests }));
  }
}
process.exit(); // connections that are kept alive would hold it for seconds

async function outcome(work) {
  try {
    return { data: await work() };
  } catch (error) {
    const errors = error.errors ?? error.graphQLErrors ?? error.response?.errors ?? [];
    const extensions = errors[0]?.extensions ?? null;
    return { failure: { name: error.name, message: error.message, extensions } };
  }
}
