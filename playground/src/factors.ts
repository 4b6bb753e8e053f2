/** Passkeys, codes and recovery codes: signing in by them, and setting them up. */
import { isObject, type Json } from "./answer";
import type { Keeper } from "./keeper";
import * as operations from "./operations";
import type { Given, Passkeys } from "./passkeys";
import { isDone } from "./payload";

/** A second factor in force. */
export interface Factor {
  id: string;
  method: "CODE" | "PASSKEY";
  name: string | null;
  createdAt: string;
  lastUsedAt: string | null;
}

/** What an account has. */
export interface Owned {
  secondFactors: Factor[];
  recoveryCodesLeft: number;
}

/** What an app is set up with. */
export interface Begun {
  secret: string;
  uri: string;
  /** An SVG; null if there is too much to put into one. */
  qrCode: string | null;
}

export class Factors {
  readonly #keeper: Keeper;
  readonly #passkeys: Passkeys;

  constructor(keeper: Keeper, passkeys: Passkeys) {
    this.#keeper = keeper;
    this.#passkeys = passkeys;
  }

  /** Why there are no passkeys in this page, in a sentence; null where there are. */
  get hindrance(): string | null {
    return this.#passkeys.hindrance;
  }

  /** Sign in with a passkey alone; tells whether it worked. */
  async signIn(): Promise<boolean> {
    const passkey = await this.#anyPasskey();
    return passkey !== null && this.#keeper.signInWithPasskey(passkey);
  }

  /** Go on with the sign-in that waits, by a passkey; tells whether it worked. */
  async verify(): Promise<boolean> {
    const options = this.#keeper.seen().challenge?.passkeyOptions;
    if (!options) return false;
    const passkey = await this.#passkey(() => this.#passkeys.find(options));
    return passkey !== null && this.#keeper.verify({ passkey });
  }

  /** Prove again by a passkey who is signed in; tells whether it worked. */
  async prove(): Promise<boolean> {
    const passkey = await this.#anyPasskey();
    return passkey !== null && this.#keeper.prove({ passkey });
  }

  /** Read what the account has; null if that isn't answered. */
  async owned(): Promise<Owned | null> {
    const me = await this.#keeper.act(operations.FACTORS, "me");
    return Array.isArray(me.secondFactors) ? (me as unknown as Owned) : null;
  }

  /** Begin to set up an app; null if that is refused. */
  async beginCodes(): Promise<Begun | null> {
    const begun = await this.#keeper.act(operations.BEGIN_CODES, "beginCodes");
    return isDone(begun) ? (begun as unknown as Begun) : null;
  }

  /** Put the app in force; gives recovery codes if some came with it, null if it is refused. */
  async confirmCodes(code: string): Promise<string[] | null> {
    return recoveryCodes(
      await this.#keeper.act(operations.CONFIRM_CODES, "confirmCodes", { code }),
    );
  }

  /** Set up a passkey; gives recovery codes if some came with it, null if it is refused. */
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

  /** Give a factor another name; tells whether it worked. */
  async rename(id: string, name: string): Promise<boolean> {
    const variables = { id, name };
    return isDone(
      await this.#keeper.act(operations.RENAME_SECOND_FACTOR, "renameSecondFactor", variables),
    );
  }

  /** Remove a factor; tells whether it worked. */
  async remove(id: string): Promise<boolean> {
    return isDone(
      await this.#keeper.act(operations.REMOVE_SECOND_FACTOR, "removeSecondFactor", { id }),
    );
  }

  /** Make new recovery codes; null if that is refused. */
  async renew(): Promise<string[] | null> {
    return recoveryCodes(
      await this.#keeper.act(operations.RENEW_RECOVERY_CODES, "renewRecoveryCodes"),
    );
  }

  /** Have the browser find a passkey, whosever it is; null, and the notice why, if there is none. */
  #anyPasskey(): Promise<Json | null> {
    return this.#passkey(async () => {
      const begun = await this.#keeper.act(operations.BEGIN_PASSKEY_SIGN_IN, "beginPasskeySignIn");
      return isObject(begun.options) ? this.#passkeys.find(begun.options) : null;
    });
  }

  /** Wait for a passkey, and say why there is none. */
  async #passkey(ask: () => Promise<Given | null>): Promise<Json | null> {
    const given = this.hindrance ? { words: this.hindrance } : await ask();
    if (!given) return null;
    if ("passkey" in given) return given.passkey;
    this.#keeper.say({ words: given.words, wayOut: null });
    return null;
  }
}

function recoveryCodes(payload: Json): string[] | null {
  if (!isDone(payload)) return null;
  return Array.isArray(payload.codes) ? payload.codes.map(String) : [];
}
