/** Passkeys in a browser: setting one up, signing in by it, and reauthentication. */
import {
  BeginPasskeyDocument,
  BeginPasskeySignInDocument,
  ConfirmPasskeyDocument,
} from "./generated";
import { granted, type Session } from "./session";

/** Return whether this page can use passkeys; one at an IP address can't. */
export function arePossible(): boolean {
  const isNamed = !/^[\d.]+$|^\[/.test(location.hostname);
  return isNamed && "PublicKeyCredential" in window;
}

/** Set a passkey up; return recovery codes with the first second factor. Throws Refused. */
export async function register(session: Session, name: string): Promise<readonly string[] | null> {
  const { beginPasskey } = await session.run(BeginPasskeyDocument, {});
  const credential = await create(granted(beginPasskey).options);
  const { confirmPasskey } = await session.run(ConfirmPasskeyDocument, { credential, name });
  return granted(confirmPasskey).codes;
}

/** Sign in by a passkey alone, without an address. Throws Refused. */
export async function signIn(session: Session): Promise<void> {
  await session.signInByPasskey(find);
}

/** Complete a pending sign-in by a passkey. Throws Refused. */
export async function verify(
  session: Session,
  { challenge, passkeyOptions }: { challenge: string; passkeyOptions?: unknown },
): Promise<void> {
  await session.verify(challenge, { passkey: await find(passkeyOptions) });
}

/** Reauthenticate by a passkey. Throws Refused. */
export async function prove(session: Session): Promise<void> {
  const { beginPasskeySignIn } = await session.run(BeginPasskeySignInDocument, {});
  await session.prove({ passkey: await find(granted(beginPasskeySignIn).options) });
}

/** Ask the browser to create a passkey. Throws its DOMException, such as if the user declines. */
async function create(options: unknown): Promise<unknown> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(
    options as PublicKeyCredentialCreationOptionsJSON,
  );
  return json(await navigator.credentials.create({ publicKey }));
}

/** Ask the browser for a passkey. Throws its DOMException, such as if there is none. */
async function find(options: unknown): Promise<unknown> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(
    options as PublicKeyCredentialRequestOptionsJSON,
  );
  return json(await navigator.credentials.get({ publicKey }));
}

function json(credential: Credential | null): unknown {
  if (credential === null) throw new Error("The browser has no passkey.");
  return (credential as PublicKeyCredential).toJSON();
}
