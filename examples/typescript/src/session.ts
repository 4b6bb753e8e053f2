/** Who is signed in: takes tokens, trades them once for all who wait, and drops them at the end. */
import type { TypedDocumentNode } from "@graphql-typed-document-node/core";
import { print } from "graphql";
import { RefreshDocument, SignInDocument, SignOutDocument, type TokensFragment } from "./generated";
import { fetchWithRetry } from "./retry";

/** What somebody who is signed in holds. */
export interface Tokens {
  token: string;
  refreshToken: string;
  /** Milliseconds since 1970; null where this machine's clock can't be right. */
  expiresAt: number | null;
}

/** Where the tokens are kept, and who wants to know that they are gone. */
export interface Keep {
  load(): Tokens | null;
  save(tokens: Tokens | null): void;
  onSignedOut(): void;
}

/** What an error of GraphQL tells beside its message. */
export interface Refusal {
  extensions?: { [name: string]: unknown };
}

/** The server did not take what was sent: `errors` has a code for each thing to mend. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly errors: TokensFragment["errors"];
  /** Seconds to wait before the next attempt. */
  readonly retryAfter: number | null;

  constructor(payload: TokensFragment) {
    super(payload.message);
    this.errors = payload.errors;
    this.retryAfter = payload.retryAfter;
  }
}

/** The session is over: nothing but signing in helps. */
export class SignedOut extends Error {
  override readonly name = "SignedOut";

  constructor() {
    super("You are signed out. Sign in again.");
  }
}

/** With any of these the token will never be good again. */
const OVER = ["TOKEN_REVOKED", "TOKEN_INVALID", "TOKEN_MALFORMED"];

/** Tell why the token was refused; null if no error is about the token. */
export function reasonOf(errors: readonly Refusal[]): string | null {
  const refusal = errors.find(({ extensions }) => extensions?.code === "UNAUTHENTICATED");
  return typeof refusal?.extensions?.reason === "string" ? refusal.extensions.reason : null;
}

export class Session {
  readonly #url: string;
  readonly #keep: Keep;
  #trading: Promise<string> | null = null;

  constructor(url: string, keep: Keep) {
    this.#url = url;
    this.#keep = keep;
  }

  /** The token to send, fresh or not; null while nobody is signed in. */
  get token(): string | null {
    return this.#keep.load()?.token ?? null;
  }

  /** Tell whether the token has expired by this clock; if the clock is wrong, a refusal will. */
  get hasExpired(): boolean {
    const expiresAt = this.#keep.load()?.expiresAt ?? null;
    return expiresAt !== null && Date.now() >= expiresAt;
  }

  /** Throws Refused. */
  async signIn(email: string, password: string): Promise<void> {
    const { login } = await this.#post(SignInDocument, { email, password });
    this.#take(login);
  }

  /** End the session; what it held is gone, whatever the server says. */
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
    if (held.token !== refused) return held.token; // its answer came after the trade
    this.#trading ??= this.#trade(held).finally(() => (this.#trading = null));
    return this.#trading;
  }

  /** Take note why a token was refused: the session may be over. */
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
    const end = Date.parse(expiresAt ?? "");
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
    const headers = {
      "Content-Type": "application/json",
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    };
    const body = JSON.stringify({ query: print(document), variables });
    const response = await fetchWithRetry(this.#url, { method: "POST", headers, body });
    const answer = (await response.json()) as { data?: Data; errors?: { message: string }[] };
    if (!answer.data) throw new Error(answer.errors?.[0]?.message ?? response.statusText);
    return answer.data;
  }
}
