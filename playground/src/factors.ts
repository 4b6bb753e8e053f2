/** Second factors: signing in by passkeys, codes and recovery codes, and setting them up. */
import { isObject, type Json } from "./answer";
import type { Keeper } from "./keeper";
import * as operations from "./operations";
import type { Outcome, Passkeys } from "./passkeys";
import { isDone } from "./payload";

/** A second factor in force. */
export interface Factor {
  id: string;
  method: "CODE" | "PASSKEY";
  name: string | null;
  createdAt: string;
  lastUsedAt: string | null;
}

/** The second factors of an account. */
export interface Owned {
  secondFactors: Factor[];
  recoveryCodesLeft: number;
}

/** The secret that an authenticator app is set up with. */
export interface Begun {
  secret: string;
  uri: string;
  /** An SVG; null if the URI is too long for a QR code. */
  qrCode: string | null;
}

export class Factors {
  readonly #keeper: Keeper;
  readonly #passkeys: Passkeys;

  constructor(keeper: Keeper, passkeys: Passkeys) {
    this.#keeper = keeper;
    this.#passkeys = passkeys;
  }

  /** A sentence that says why this page can't use passkeys; null if it can. */
  get hindrance(): string | null {
    return this.#passkeys.hindrance;
  }

  /** Sign in with a passkey alone; returns whether it worked. */
  async signIn(): Promise<boolean> {
    const passkey = await this.#anyPasskey();
    return passkey !== null && this.#keeper.signInWithPasskey(passkey);
  }

  /** Complete the pending sign-in by a passkey; returns whether it worked. */
  async verify(): Promise<boolean> {
    const options = this.#keeper.state().challenge?.passkeyOptions;
    if (!options) return false;
    const passkey = await this.#passkey(() => this.#passkeys.find(options));
    return passkey !== null && this.#keeper.verify({ passkey });
  }

  /** Reauthenticate by a passkey; returns whether it worked. */
  async prove(): Promise<boolean> {
    const passkey = await this.#anyPasskey();
    return passkey !== null && this.#keeper.prove({ passkey });
  }

  /** Return the second factors of the account; null if the server doesn't. */
  async owned(): Promise<Owned | null> {
    const me = await this.#keeper.act(operations.FACTORS, "me");
    return Array.isArray(me.secondFactors) ? (me as unknown as Owned) : null;
  }

  /** Begin to set up an authenticator app; null if that is refused. */
  async beginCodes(): Promise<Begun | null> {
    const begun = await this.#keeper.act(operations.BEGIN_CODES, "beginCodes");
    return isDone(begun) ? (begun as unknown as Begun) : null;
  }

  /** Confirm the app by a code; returns new recovery codes, if any, or null if it is refused. */
  async confirmCodes(code: string): Promise<string[] | null> {
    return recoveryCodes(
      await this.#keeper.act(operations.CONFIRM_CODES, "confirmCodes", { code }),
    );
  }

  /** Set up a passkey; returns new recovery codes, if any, or null if it is refused. */
  async addPasskey(name: string): Promise<string[] | null> {
    const { options } = await this.#keeper.act(operations.BEGIN_PASSKEY, "beginPasskey");
    if (!isObject(options)) return null;
    const credential = await this.#passkey(() => this.#passkeys.make(options));
    if (!credential) return null;
    const variables = { credential, name: name.trim() || null };
    return recoveryCodes(
      await this.#keeper.act(operations.CONFIRM_PASSKEY, "confirmPasskey", variables),
    );
  }

  /** Rename a factor; returns whether it worked. */
  async rename(id: string, name: string): Promise<boolean> {
    const variables = { id, name };
    return isDone(
      await this.#keeper.act(operations.RENAME_SECOND_FACTOR, "renameSecondFactor", variables),
    );
  }

  /** Remove a factor; returns whether it worked. */
  async remove(id: string): Promise<boolean> {
    return isDone(
      await this.#keeper.act(operations.REMOVE_SECOND_FACTOR, "removeSecondFactor", { id }),
    );
  }

  /** Replace the recovery codes; returns the new ones, null if that is refused. */
  async renew(): Promise<string[] | null> {
    return recoveryCodes(
      await this.#keeper.act(operations.RENEW_RECOVERY_CODES, "renewRecoveryCodes"),
    );
  }

  /** Return any passkey for this site; null, with the reason in the notice, if there is none. */
  #anyPasskey(): Promise<Json | null> {
    return this.#passkey(async () => {
      const begun = await this.#keeper.act(operations.BEGIN_PASSKEY_SIGN_IN, "beginPasskeySignIn");
      return isObject(begun.options) ? this.#passkeys.find(begun.options) : null;
    });
  }

  /** Return the passkey that `ask` gets; null, with the reason in the notice, if there is none. */
  async #passkey(ask: () => Promise<Outcome | null>): Promise<Json | null> {
    const result = this.hindrance ? { words: this.hindrance } : await ask();
    if (!result) return null;
    if ("passkey" in result) return result.passkey;
    this.#keeper.say({ words: result.words, action: null });
    return null;
  }
}

function recoveryCodes(payload: Json): string[] | null {
  if (!isDone(payload)) return null;
  return Array.isArray(payload.codes) ? payload.codes.map(String) : [];
}
