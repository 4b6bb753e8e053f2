// Renders a component of the React example before, while and after somebody is signed in, and a
// second customer without a sign-out between; prints what it shows each time as a line of JSON.
import { createRequire } from "node:module";

const from = createRequire(new URL("../../examples/typescript/package.json", import.meta.url));
const { createElement: element } = from("react");
const { act, create } = from("react-test-renderer");
const { useQuery } = from("@apollo/client/react");
const { CustomersDocument } = from("./dist/generated.js");
const { ApiProvider, useSession } = from("./dist/react.js");

const { URL: url, EMAIL: email, PASSWORD: password, ADMIN: admin } = process.env;
globalThis.IS_REACT_ACT_ENVIRONMENT = true;
let shown;

function Customers() {
  const { session, isSignedIn } = useSession();
  const variables = { first: 3 };
  const { data } = useQuery(CustomersDocument, { variables, skip: !isSignedIn });
  const customers = data?.customers?.nodes;
  const emails = customers?.filter((customer) => customer.email !== null).length;
  shown = { session, isSignedIn, customers: customers?.length ?? null, emails: emails ?? null };
  return null;
}

async function show(work) {
  await act(work);
  while (shown.isSignedIn && shown.customers === null) {
    await act(() => new Promise((resolve) => setTimeout(resolve, 10)));
  }
  const { isSignedIn, customers, emails } = shown;
  console.log(JSON.stringify({ isSignedIn, customers, emails }));
}

await show(() => void create(element(ApiProvider, { url }, element(Customers))));
await show(() => shown.session.signIn(email, password));
await show(() => shown.session.signOut());
await show(() => shown.session.signIn(email, password));
await show(() => shown.session.signIn(admin, process.env.ADMIN_PASSWORD));
