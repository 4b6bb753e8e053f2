/**
 * `npm start apollo`, or `urql`, signs in, lists ten customers, signs out. `npm start codes` sets
 * up an app for codes, or makes new recovery codes if there is one.
 */
import { createInterface } from "node:readline/promises";
import * as apollo from "./apollo";
import { proven, setUpCodes, signIn } from "./factors";
import {
  CustomersDocument,
  RenewRecoveryCodesDocument,
  SecondFactorsDocument,
  type CustomersQuery,
} from "./generated";
import { granted, Session, type Keep, type Tokens } from "./session";
import * as urql from "./urql";

const { URL: url = "", EMAIL: email = "", PASSWORD: password = "" } = process.env;
const variables = { first: 10 };

/** Keep the tokens in memory: after a restart, a new sign-in is needed. */
function inMemory(): Keep {
  let held: Tokens | null = null;
  return {
    load: () => held,
    save: (tokens) => (held = tokens),
    onSignedOut: () => console.log("Signed out."),
  };
}

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await terminal.question(`${question}: `);
  } finally {
    terminal.close();
  }
}

async function codes(session: Session): Promise<void> {
  await signIn(session, email, password, ask);
  const { me } = await session.run(SecondFactorsDocument, {});
  let made: readonly string[] | null;
  if (me?.secondFactors?.length) {
    await ask("Enter makes new recovery codes");
    const renew = () => session.run(RenewRecoveryCodesDocument, {});
    made = granted((await proven(session, renew, ask)).renewRecoveryCodes).codes;
  } else {
    made = await proven(session, () => setUpCodes(session, ask), ask);
  }
  console.log(["Recovery codes:", ...(made ?? [])].join("\n"));
  await session.signOut();
}

async function run(
  session: Session,
  list: () => Promise<CustomersQuery | undefined>,
): Promise<void> {
  await signIn(session, email, password, ask);
  const found = await list();
  for (const { name } of found?.customers?.nodes ?? []) console.log(name);
  await session.signOut();
}

async function main(): Promise<void> {
  if (!url || !email || !password) throw new Error("Set URL, EMAIL and PASSWORD.");
  if (process.argv[2] === "codes") {
    await codes(new Session(url, inMemory()));
  } else if (process.argv[2] === "urql") {
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
