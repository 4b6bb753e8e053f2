// Runs what Relay's compiler made of src/ by Relay's own runtime, on the server at an address;
// prints what came of it as one line of JSON.
import { createRequire } from "node:module";
import relay from "relay-runtime";

const { commitMutation, createOperationDescriptor, Environment, fetchQuery, getSelector } = relay;
const { Network, RecordSource, Store } = relay;
const [url, artifacts, email, password] = process.argv.slice(2);
const load = createRequire(`${artifacts}/`);
const made = (name) => load(`./operations${name}.graphql.js`);
const store = new Store(new RecordSource());
let token = null;

const environment = new Environment({
  store,
  network: Network.create(async ({ text }, variables) => {
    const headers = { "Content-Type": "application/json" };
    if (token !== null) headers.Authorization = `Bearer ${token}`;
    const body = JSON.stringify({ query: text, variables });
    return (await fetch(url, { method: "POST", headers, body })).json();
  }),
});

const ask = (name, variables) => fetchQuery(environment, made(name), variables).toPromise();

/** What a component is given of its fragment. */
const read = (fragment, parent) => environment.lookup(getSelector(made(fragment), parent)).data;

const mutate = (name, variables, updater) =>
  new Promise((onCompleted, onError) => {
    const mutation = made(name);
    commitMutation(environment, { mutation, variables, updater, onCompleted, onError });
  });

/** What a fragment has when it is refetched by the id of its object. */
async function refetched(name, fragment, id) {
  const { node } = await ask(`${name}RefetchQuery`, { id });
  return read(fragment, node);
}

const isKnown = (id) => Boolean(store.getSource().get(id));

/** The ids of a connection by its first page, and once Relay has merged the next one into it. */
async function paged(name, fragment, field, cursor) {
  const parent = await ask(`${name}Query`, { count: 2 });
  const page = () => read(fragment, parent)[field];
  const ids = () => page().edges.map((edge) => edge.node.id);
  const first = ids();
  await ask(`${name}PageQuery`, { count: 2, cursor: page().pageInfo[cursor] });
  return { first, merged: ids() };
}

const report = {};
const refused = createOperationDescriptor(made("MeQuery"), {});
report.refused = await ask("MeQuery", {});
report.refusedFields = environment.lookup(refused.fragment).fieldErrors?.length;
report.thrown = await ask("MeOrThrowQuery", {}).then(JSON.stringify, (error) => error.message);

token = (await mutate("SignInMutation", { email, password })).login.token;
report.customers = await paged("Customers", "_customers", "customers", "endCursor");
report.events = await paged("Events", "_events", "auditEvents", "endCursor");
report.lastEvents = await paged("LastEvents", "_lastEvents", "auditEvents", "startCursor");

const input = { name: "Rita Relay", email: "rita@example.com", password: "a passage of hers" };
const created = (await mutate("CreateMutation", { input })).createCustomer.customer;
report.created = created.id;
report.refetched = await refetched("Customer", "_customer", created.id);
report.known = [isKnown(created.id)];
report.deleted = (await mutate("DeleteMutation", { id: created.id })).deleteCustomer;
report.known.push(isKnown(created.id));

await mutate("SignInMutation", { email, password });
const [{ id }] = (await ask("SessionsQuery", {})).me.sessions;
report.session = { asked: id, ...(await refetched("Session", "_session", id)) };
const [event] = report.events.first;
report.event = { asked: event, ...(await refetched("Event", "_event", event)) };
report.ended = [isKnown(id)];
await mutate("EndSessionMutation", { id }, (records) => records.delete(id));
report.ended.push(isKnown(id), (await ask("SessionRefetchQuery", { id })).node);

console.log(JSON.stringify(report));
process.exit(0); // keep-alive connections hold the process otherwise
