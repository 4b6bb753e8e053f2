/** The session: stores tokens, refreshes them once for all callers, drops them at its end. */
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
  /** Milliseconds since 1970; null if this machine's clock is evidently wrong. */
  expiresAt: number | null;
}

/** Storage for the tokens, and a callback for their end. */
export interface Keep {
  load(): Tokens | null;
  save(tokens: Tokens | null): void;
  onSignedOut(): void;
}

/** The extensions of a GraphQL error. */
export interface Refusal {
  extensions?: { [name: string]: unknown };
}

/** The challenge of a sign-in, after the first factor. */
export type Challenge = NonNullable<TokensFragment["secondFactor"]>;

/** The means of re-authentication. */
export type Proof = { password: string } | { code: string } | { passkey: unknown };

/** The server refused the input: `errors` has a code for each error. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly errors: FaultsFragment["errors"];
  /** Seconds to wait before the next attempt. */
  readonly retryAfter: number | null;
  /** The challenge for Session.verify, if the sign-in waits for a second factor. */
  readonly secondFactor: Challenge | null;

  constructor(payload: FaultsFragment & { secondFactor?: Challenge | null }) {
    super(payload.message);
    this.errors = payload.errors;
    this.retryAfter = payload.retryAfter;
    this.secondFactor = payload.secondFactor ?? null;
  }
}

/** The operation requires a recent proof by one of `methods`: call Session.prove. */
export class ProofRequired extends Error {
  override readonly name = "ProofRequired";
  readonly methods: readonly string[];

  constructor(methods: readonly string[]) {
    super("Prove again that it is you.");
    this.methods = methods;
  }
}

/** The session has ended: only a new sign-in helps. */
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

/** Reasons after which the token is permanently invalid. */
const OVER = ["TOKEN_REVOKED", "TOKEN_INVALID", "TOKEN_MALFORMED"];

/** Return why the token was refused; null if no error is about the token. */
export function reasonOf(errors: readonly Refusal[]): string | null {
  const refusal = errors.find(({ extensions }) => extensions?.code === "UNAUTHENTICATED");
  return typeof refusal?.extensions?.reason === "string" ? refusal.extensions.reason : null;
}

/** Return the methods of re-authentication; null if no error asks for it. */
export function proofMethodsOf(errors: readonly Refusal[]): readonly string[] | null {
  const reason = "REAUTHENTICATION_REQUIRED";
  const refusal = errors.find(({ extensions }) => extensions?.reason === reason);
  return (refusal?.extensions?.methods as readonly string[] | undefined) ?? null;
}

/** Return a successful payload. Throws Refused for any other. */
export function granted<Payload extends FaultsFragment>(payload: Payload | null): Payload {
  if (payload === null) throw new Error("The server answered nothing.");
  if (payload.status === "ERROR") throw new Refused(payload);
  return payload;
}

/** Return the session of an access token, by its claim `sid`: a refresh keeps it. */
function sessionOf(token: string): unknown {
  const claims = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
  return (JSON.parse(atob(claims)) as { sid?: unknown }).sid;
}

export class Session {
  readonly #url: string;
  readonly #keep: Keep;
  /** The refreshes under way, by the tokens that they replace. */
  readonly #trades = new Map<string, Promise<string>>();

  constructor(url: string, keep: Keep) {
    this.#url = url;
    this.#keep = keep;
  }

  /** The token to send, expired or not; null while signed out. */
  get token(): string | null {
    return this.#keep.load()?.token ?? null;
  }

  /** Return whether the token has expired by this clock; if it is wrong, a refusal will tell. */
  get hasExpired(): boolean {
    const expiresAt = this.#keep.load()?.expiresAt ?? null;
    return expiresAt !== null && Date.now() >= expiresAt;
  }

  /** Return whether a token is of the session that is held, refreshed or not. */
  holds(token: string | null): boolean {
    const held = this.token;
    if (held === null || token === null) return false;
    return held === token || sessionOf(held) === sessionOf(token);
  }

  /** Throws Refused, with a `secondFactor` to continue if one is required. */
  async signIn(email: string, password: string): Promise<void> {
    const { login } = await this.#post(SignInDocument, { email, password });
    this.#take(login);
  }

  /** Complete a pending sign-in. A wrong code throws Refused; another may follow. */
  async verify(challenge: string, factor: { code: string } | { passkey: unknown }): Promise<void> {
    const { verifySecondFactor } = await this.#post(VerifyDocument, { challenge, ...factor });
    this.#take(verifySecondFactor);
  }

  /** Sign in with a passkey alone, which `find` gets from the browser. Throws Refused. */
  async signInByPasskey(find: (options: unknown) => Promise<unknown>): Promise<void> {
    const { beginPasskeySignIn } = await this.#post(BeginPasskeySignInDocument, {});
    const credential = await find(granted(beginPasskeySignIn).options);
    const { signInWithPasskey } = await this.#post(SignInByPasskeyDocument, { credential });
    this.#take(signInWithPasskey);
  }

  /** Re-authenticate; the proof counts for ten minutes. Throws Refused. */
  async prove(proof: Proof): Promise<void> {
    granted((await this.run(ReauthenticateDocument, proof)).reauthenticate);
  }

  /**
   * Run an operation; retry once if the token has expired. Throws ProofRequired if it requires
   * a recent proof, SignedOut if its session ended before the retry, Refused as renew does.
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

  /** End the session; its tokens are dropped first, whatever the server says. */
  async signOut(): Promise<void> {
    const held = this.#keep.load();
    if (held === null) return;
    this.#end();
    const { logout } = await this.#post(SignOutDocument, {}, held.token);
    if (logout !== null) return;
    const { refresh } = await this.#post(RefreshDocument, { refreshToken: held.refreshToken });
    if (refresh.retryAfter !== null) throw new Refused(refresh);
    if (refresh.token !== null) await this.#post(SignOutDocument, {}, refresh.token);
  }

  /**
   * Return another token of the refused one's session; concurrent callers share one refresh.
   * Throws SignedOut, and Refused with `retryAfter` if there were too many refreshes.
   */
  async renew(refused: string | null): Promise<string> {
    const held = this.#keep.load();
    if (held === null || !this.holds(refused)) throw new SignedOut();
    if (held.token !== refused) return held.token; // its answer came after the trade
    const trade =
      this.#trades.get(refused) ?? this.#trade(held).finally(() => this.#trades.delete(refused));
    this.#trades.set(refused, trade);
    return trade;
  }

  /** Record why a token was refused: the session may have ended. */
  heed(reason: string | null, refused: string | null): void {
    if (reason !== null && OVER.includes(reason) && refused === this.token) this.#end();
  }

  async #trade({ token, refreshToken }: Tokens): Promise<string> {
    const { refresh } = await this.#post(RefreshDocument, { refreshToken });
    if (this.token !== token) return this.renew(token); // signed out, or another tab was first
    if (refresh.retryAfter !== null) throw new Refused(refresh); // the session has not ended
    if (refresh.status === "ERROR") {
      this.#end();
      throw new SignedOut();
    }
    return this.#take(refresh);
  }

  #take(payload: TokensFragment): string {
    const { token, refreshToken, expiresAt } = payload;
    if (token === null || refreshToken === null) throw new Refused(payload);
    if (this.token !== null && !this.holds(token)) this.#end(); // another sign-in, without sign-out
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
