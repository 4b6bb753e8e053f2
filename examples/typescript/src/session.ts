/** The session of a client: it signs in, refreshes tokens once for all callers, and signs out. */
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";
import {
  BeginPasskeySignInDocument,
  ReauthenticateDocument,
  RefreshDocument,
  SignInByPasskeyDocument,
  SignInDocument,
  SignOutDocument,
  VerifyDocument,
  type FaultsFragment,
  type TokensFragment,
} from "./generated";
import { fetchWithRetry } from "./retry";

/** The tokens of a session. */
export interface Tokens {
  token: string;
  refreshToken: string;
  /** Milliseconds since 1970; null if this machine's clock must be wrong. */
  expiresAt: number | null;
}

/** The storage of the tokens, and a callback for the session's end. */
export interface Keep {
  load(): Tokens | null;
  save(tokens: Tokens | null): void;
  onSignedOut(): void;
}

/** A GraphQL error with its extensions. */
export interface Refusal {
  extensions?: { [name: string]: unknown };
}

/** The second step of a sign-in. */
export type Challenge = NonNullable<TokensFragment["secondFactor"]>;

/** A proof of identity for a reauthentication. */
export type Proof = { password: string } | { code: string } | { passkey: unknown };

/** A mutation was refused: `errors` has a code for each thing to correct. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly errors: FaultsFragment["errors"];
  /** Seconds to wait before the next attempt. */
  readonly retryAfter: number | null;
  /** The challenge for Session.verify, if the sign-in needs a second factor. */
  readonly secondFactor: Challenge | null;

  constructor(payload: FaultsFragment & { secondFactor?: Challenge | null }) {
    super(payload.message);
    this.errors = payload.errors;
    this.retryAfter = payload.retryAfter;
    this.secondFactor = payload.secondFactor ?? null;
  }
}

/** The operation needs a recent proof of identity by one of `methods`: see Session.prove. */
export class ProofRequired extends Error {
  override readonly name = "ProofRequired";
  readonly methods: readonly string[];

  constructor(methods: readonly string[]) {
    super("Prove again that it is you.");
    this.methods = methods;
  }
}

/** The session is over: only a new sign-in helps. */
export class SignedOut extends Error {
  override readonly name = "SignedOut";

  constructor() {
    super("You are signed out. Sign in again.");
  }
}

interface Answer<Data> {
  data?: Data;
  errors?: (Refusal & { message: string })[];
}

/** Reasons that end the session: the token never becomes valid again. */
const OVER = ["TOKEN_REVOKED", "TOKEN_INVALID", "TOKEN_MALFORMED"];

/** Return the reason why the token was refused; null if no error is about the token. */
export function reasonOf(errors: readonly Refusal[]): string | null {
  const refusal = errors.find(({ extensions }) => extensions?.code === "UNAUTHENTICATED");
  return typeof refusal?.extensions?.reason === "string" ? refusal.extensions.reason : null;
}

/** Return the methods of reauthentication; null if no error requires one. */
export function proofMethodsOf(errors: readonly Refusal[]): readonly string[] | null {
  const reason = "REAUTHENTICATION_REQUIRED";
  const refusal = errors.find(({ extensions }) => extensions?.reason === reason);
  return (refusal?.extensions?.methods as readonly string[] | undefined) ?? null;
}

/** Return a payload that succeeded. Throws Refused. */
export function granted<Payload extends FaultsFragment>(payload: Payload | null): Payload {
  if (payload === null) throw new Error("The server answered nothing.");
  if (payload.status === "ERROR") throw new Refused(payload);
  return payload;
}

export class Session {
  readonly #url: string;
  readonly #keep: Keep;
  #trading: Promise<string> | null = null;

  constructor(url: string, keep: Keep) {
    this.#url = url;
    this.#keep = keep;
  }

  /** The token to send, expired or not; null while nobody is signed in. */
  get token(): string | null {
    return this.#keep.load()?.token ?? null;
  }

  /** Whether the token has expired by this clock; if the clock is wrong, the server refuses it. */
  get hasExpired(): boolean {
    const expiresAt = this.#keep.load()?.expiresAt ?? null;
    return expiresAt !== null && Date.now() >= expiresAt;
  }

  /** Sign in. Throws Refused, with the challenge as `secondFactor` if one is needed. */
  async signIn(email: string, password: string): Promise<void> {
    const { login } = await this.#post(SignInDocument, { email, password });
    this.#take(login);
  }

  /** Complete a pending sign-in. Throws Refused, such as for a wrong code; another may be tried. */
  async verify(challenge: string, factor: { code: string } | { passkey: unknown }): Promise<void> {
    const { verifySecondFactor } = await this.#post(VerifyDocument, { challenge, ...factor });
    this.#take(verifySecondFactor);
  }

  /** Sign in by a passkey alone, which `find` gets from the browser. Throws Refused. */
  async signInByPasskey(find: (options: unknown) => Promise<unknown>): Promise<void> {
    const { beginPasskeySignIn } = await this.#post(BeginPasskeySignInDocument, {});
    const credential = await find(granted(beginPasskeySignIn).options);
    const { signInWithPasskey } = await this.#post(SignInByPasskeyDocument, { credential });
    this.#take(signInWithPasskey);
  }

  /** Reauthenticate; the proof counts for ten minutes. Throws Refused. */
  async prove(proof: Proof): Promise<void> {
    granted((await this.run(ReauthenticateDocument, proof)).reauthenticate);
  }

  /**
   * Run an operation with the token; retry it with a new one if that has expired. Throws
   * ProofRequired if it needs a recent proof.
   */
  async run<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
  ): Promise<Data> {
    const { token } = this;
    if (token === null) throw new SignedOut();
    let answer = await this.#ask(document, variables, token);
    if (reasonOf(answer.errors ?? []) === "TOKEN_EXPIRED") {
      answer = await this.#ask(document, variables, await this.renew(token));
    }
    const { data, errors = [] } = answer;
    const methods = proofMethodsOf(errors);
    if (methods !== null) throw new ProofRequired(methods);
    if (!data || errors[0]) throw new Error(errors[0]?.message ?? "The server answered nothing.");
    return data;
  }

  /** End the session; the tokens are dropped even if the server refuses or can't be reached. */
  async signOut(): Promise<void> {
    try {
      const { token } = this;
      if (token === null) return;
      const { logout } = await this.#post(SignOutDocument, {}, token);
      if (logout === null) await this.#post(SignOutDocument, {}, await this.renew(token));
    } catch (error) {
      if (!(error instanceof SignedOut)) throw error;
    } finally {
      if (this.token !== null) this.#end();
    }
  }

  /** Return a token other than the refused one; concurrent callers share one refresh. */
  async renew(refused: string | null): Promise<string> {
    const held = this.#keep.load();
    if (held === null) throw new SignedOut();
    if (held.token !== refused) return held.token; // refreshed already
    this.#trading ??= this.#trade(held).finally(() => (this.#trading = null));
    return this.#trading;
  }

  /** Note why a token was refused: this may end the session. */
  heed(reason: string | null, refused: string | null): void {
    if (reason !== null && OVER.includes(reason) && refused === this.token) this.#end();
  }

  async #trade({ token, refreshToken }: Tokens): Promise<string> {
    const { refresh } = await this.#post(RefreshDocument, { refreshToken });
    if (this.token !== token) throw new SignedOut(); // signed out while it waited
    if (refresh.status === "ERROR") {
      this.#end();
      throw new SignedOut();
    }
    return this.#take(refresh);
  }

  #take(payload: TokensFragment): string {
    const { token, refreshToken, expiresAt } = payload;
    if (token === null || refreshToken === null) throw new Refused(payload);
    const end = Date.parse(String(expiresAt)); // whatever type it was given in the project
    this.#keep.save({ token, refreshToken, expiresAt: end > Date.now() ? end : null });
    return token;
  }

  #end(): void {
    this.#keep.save(null);
    this.#keep.onSignedOut();
  }

  async #post<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    token?: string,
  ): Promise<Data> {
    const { data, errors } = await this.#ask(document, variables, token);
    if (!data) throw new Error(errors?.[0]?.message ?? "The server answered nothing.");
    return data;
  }

  async #ask<Data, Variables>(
    document: TypedDocumentNode<Data, Variables>,
    variables: Variables,
    token?: string,
  ): Promise<Answer<Data>> {
    const headers = {
      "Content-Type": "application/json",
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    };
    const body = JSON.stringify({ query: print(document), variables });
    const response = await fetchWithRetry(this.#url, { method: "POST", headers, body });
    return (await response.json()) as Answer<Data>;
  }
}
