/** Passkeys: the browser gets the server's options, and its credential becomes JSON. */
import type { Json } from "./answer";

/** A passkey from the browser, or a sentence that says why there is none. */
export type Outcome = { passkey: Json } | { words: string };

export interface Passkeys {
  /** A sentence that says why this page can't use passkeys; null if it can. */
  hindrance: string | null;
  /** Ask the browser for an existing passkey. */
  find: (options: Json) => Promise<Outcome>;
  /** Ask the browser to create a passkey. */
  make: (options: Json) => Promise<Outcome>;
}

type Place = Pick<Location, "protocol" | "hostname" | "port" | "pathname">;

/** Sentences for the DOMException names of WebAuthn (section 5.1). */
const REASONS: Record<string, string> = {
  InvalidStateError: "This device has a passkey for your account already.",
  SecurityError: "A passkey works only on its own domain: open this page there.",
};
const NO_PASSKEY = "The browser gave no passkey. Try again, or take another way.";

/** Return why a page can't use passkeys, such as at an IP address; null if it can. */
export function hindrance(place: Place, isSupported: boolean): string | null {
  const { protocol, hostname, port, pathname } = place;
  if (/^127[\d.]+$|^\[::1\]$/.test(hostname)) {
    const address = `${protocol}//localhost${port && `:${port}`}${pathname}`;
    return `Passkeys need a host name: open this page as ${address}.`;
  }
  if (/^[\d.]+$|^\[/.test(hostname))
    return "Passkeys need a host name: open this page by its name, not by an IP address.";
  return isSupported ? null : "Passkeys need a newer browser, and HTTPS.";
}

/** Return the passkeys of the browser that this runs in. */
export function browsers(): Passkeys {
  const isSupported = "parseRequestOptionsFromJSON" in (globalThis.PublicKeyCredential ?? {});
  return {
    hindrance: hindrance(location, isSupported),
    find: (options) =>
      result(() =>
        navigator.credentials.get({
          publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(as(options)),
        }),
      ),
    make: (options) =>
      result(() =>
        navigator.credentials.create({
          publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(as(options)),
        }),
      ),
  };
}

/** Return the passkey as JSON, or a sentence for what the browser throws. */
export async function result(ask: () => Promise<Credential | null>): Promise<Outcome> {
  try {
    const credential = (await ask()) as PublicKeyCredential | null;
    return credential ? { passkey: credential.toJSON() as Json } : { words: NO_PASSKEY };
  } catch (error) {
    return { words: REASONS[error instanceof Error ? error.name : ""] ?? NO_PASSKEY };
  }
}

/** Cast the server's JSON to the type that the browser's API expects. */
function as<T>(options: Json): T {
  return options as T;
}
