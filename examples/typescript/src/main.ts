/** Signs in, lists ten customers and signs out: `npm start apollo`, or `urql`. */
import * as apollo from "./apollo";
import { CustomersDocument, type CustomersQuery } from "./generated";
import type { Keep, Session, Tokens } from "./session";
import * as urql from "./urql";

const { URL: url = "", EMAIL: email = "", PASSWORD: password = "" } = process.env;
const variables = { first: 10 };

/** Keep the tokens in memory: whoever reloads the page signs in again. */
function inMemory(): Keep {
  let held: Tokens | null = null;
  return {
    load: () => held,
    save: (tokens) => (held = tokens),
    onSignedOut: () => console.log("Signed out."),
  };
}

async function run(
  session: Session,
  list: () => Promise<CustomersQuery | undefined>,
): Promise<void> {
  await session.signIn(email, password);
  const found = await list();
  for (const { name } of found?.customers?.nodes ?? []) console.log(name);
  await session.signOut();
}

async function main(): Promise<void> {
  if (process.argv[2] === "urql") {
    const { client, session } = urql.createApi(url, inMemory());
    await run(session, async () => (await client.query(CustomersDocument, variables)).data);
  } else {
    const { client, session } = apollo.createApi(url, inMemory());
    const query = CustomersDocument;
    await run(session, async () => (await client.query({ query, variables })).data);
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
