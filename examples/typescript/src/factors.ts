/** Second factors by codes: signing in, setting an app up, and giving a recent proof. */
import { BeginCodesDocument, ConfirmCodesDocument } from "./generated";
import { granted, ProofRequired, Refused, type Proof, type Session } from "./session";

/** Asks the user: by a form, or by a line of a terminal. */
export type Ask = (question: string) => Promise<string>;

/** Sign in, and ask for a code if one is needed. Throws Refused. */
export async function signIn(
  session: Session,
  email: string,
  password: string,
  ask: Ask,
): Promise<void> {
  try {
    await session.signIn(email, password);
  } catch (error) {
    if (!(error instanceof Refused) || error.secondFactor === null) throw error;
    const code = await ask("The code of your app, or a recovery code");
    await session.verify(error.secondFactor.challenge, { code });
  }
}

/** Set an app up; return recovery codes with the first second factor. Throws Refused. */
export async function setUpCodes(session: Session, ask: Ask): Promise<readonly string[] | null> {
  const { beginCodes } = await session.run(BeginCodesDocument, {});
  const { uri } = granted(beginCodes); // a page shows its qrCode, an SVG
  const code = await ask(`Add ${uri ?? ""} to your app. Its code`);
  const { confirmCodes } = await session.run(ConfirmCodesDocument, { code });
  return granted(confirmCodes).codes;
}

/** Run work, and once more after a proof if it needs a recent one. Throws Refused. */
export async function proven<Result>(
  session: Session,
  work: () => Promise<Result>,
  ask: Ask,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ProofRequired)) throw error;
    await session.prove(await proof(error.methods, ask));
  }
  return work();
}

/** Ask for a proof; a password is accepted only without a second factor. */
async function proof(methods: readonly string[], ask: Ask): Promise<Proof> {
  if (methods.includes("PASSWORD")) return { password: await ask("Your password again") };
  return { code: await ask("Another code, to prove that it is you") };
}
