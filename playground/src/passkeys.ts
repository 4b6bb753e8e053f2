/** Passkeys: the browser is asked by the server's options, and its answer is JSON. */
import type { Json } from "./answer";

/** What the browser gave: a passkey, or in words why there is none. */
export type Given = { passkey: Json } | { words: string };

export interface Passkeys {
  /** Why there can be none in this page, in a sentence; null where there can. */
  hindrance: string | null;
  /** Have the browser find a passkey. */
  find: (options: Json) => Promise<Given>;
  /** Have the browser make a passkey. */
  make: (options: Json) => Promise<Given>;
}

type Place = Pick<Location, "protocol" | "hostname" | "port" | "pathname">;

/** What browsers call why they gave none (WebAuthn section 5.1). */
const WHYS: Record<string, string> = {
  InvalidStateError: "This device has a passkey for your account already.",
  SecurityError: "Passkeys are good on the domain alone that they are of: open this page there.",
};
const NONE = "The browser gave no passkey. Try again, or take another way.";

/** Say why a page can use no passkeys, which know no IP addresses; null if it can. */
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
      given(() =>
        navigator.credentials.get({
          publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(as(options)),
        }),
      ),
    make: (options) =>
      given(() =>
        navigator.credentials.create({
          publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(as(options)),
        }),
      ),
  };
}

/** Wait for a passkey; whatever the browser throws becomes words. */
export async function given(ask: () => Promise<Credential | null>): Promise<Given> {
  try {
    const credential = (await ask()) as PublicKeyCredential | null;
    return credential ? { passkey: credential.toJSON() as Json } : { words: NONE };
  } catch (error) {
    return { words: WHYS[error instanceof Error ? error.name : ""] ?? NONE };
  }
}

/** Take the server's JSON for what the browser wants. */
function as<T>(options: Json): T {
  return options as T;
}
