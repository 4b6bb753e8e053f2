/** The session of this tab: stored, published to subscribers, and refreshed before it expires. */
import {
  results,
  isObject,
  operationNames,
  type Answer,
  type Result,
  type Json,
  type Refusal,
} from "./answer";
import { areOfOneSession, fromPayload, isDue, person, read, type Session } from "./held";
import { explain, isOver, proofs, UNREACHABLE, type Notice } from "./notice";
import * as operations from "./operations";
import type { Own } from "./operations";
import { challengeOf, isDone, isSpent, outcome, words } from "./payload";
import type { Post, Request } from "./post";
import type { Applicant, Proof, State, SentWith, TabMessage, World } from "./world";

export const STORED = "gql_app:session";
/** Milliseconds to wait before the next request to a server that could not be reached. */
export const RETRY_DELAY = 10_000;

const SIGNING_IN = [
  ...["login", "refresh", "register", "changePassword"],
  ...["acceptInvitation", "signInByLink", "verifySecondFactor", "signInWithPasskey"],
];
const SIGNING_OUT = ["logout", "deleteMe"];
const LEFT_OPEN =
  `${UNREACHABLE} You are signed out here, but the session itself may still be open: ` +
  "endOtherSessions ends it once you have signed in again.";
const PROVEN = "It is you. Run the operation again.";
const ELSEWHERE = "The session was ended in another tab.";

/** A request that the bar sends, by one of its trusted documents. */
interface OwnRequest extends Request {
  query: Own;
}

export class Keeper {
  #state: State;
  #listeners = new Set<() => void>();
  #refreshing: Promise<Session | null> | null = null;
  #quietUntil = 0;
  /** Resumes what waits for a proof; its argument says whether there was one. */
  #waiting: ((isProven: boolean) => void) | null = null;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    const held = read(world.storage.getItem(STORED));
    this.#state = { held, notice: null, busy: false, challenge: null, proofs: null };
  }

  /** Call a listener at each change; returns a function that unsubscribes it. */
  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Call a listener whenever the session ends; returns a function that unsubscribes it. */
  onEnd(listener: () => void): () => void {
    let before = this.#state.held;
    return this.subscribe(() => {
      const { held } = this.#state;
      if (before && !held) listener();
      before = held;
    });
  }

  state = (): State => this.#state;

  /** Sign in with an address and a password; returns whether it worked. */
  signIn(email: string, password: string): Promise<boolean> {
    return this.#sendSignIn(operations.SIGN_IN, "login", { email, password });
  }

  /** Create an account, and sign in unless it has to be confirmed; returns whether it worked. */
  register(input: Applicant): Promise<boolean> {
    return this.#sendSignIn(operations.REGISTER, "register", { input });
  }

  /** Request a link that resets the password; returns whether the request was accepted. */
  requestPasswordReset(email: string): Promise<boolean> {
    return this.#submit(operations.REQUEST_PASSWORD_RESET, "requestPasswordReset", { email });
  }

  /** Sign in with a passkey from the browser; returns whether it worked. */
  signInWithPasskey(credential: Json): Promise<boolean> {
    return this.#sendSignIn(operations.SIGN_IN_WITH_PASSKEY, "signInWithPasskey", { credential });
  }

  /** Complete the pending sign-in by a second factor; returns whether it worked. */
  async verify(proof: Proof): Promise<boolean> {
    const { challenge } = this.#state;
    if (!challenge) return false;
    const variables = { challenge: challenge.token, ...proof };
    return this.#sendSignIn(operations.VERIFY_SECOND_FACTOR, "verifySecondFactor", variables);
  }

  /** Reauthenticate, and resume what waits for that; returns whether it worked. */
  async prove(proof: Proof): Promise<boolean> {
    const payload = await this.#run(operations.REAUTHENTICATE, "reauthenticate", proof);
    if (!payload || !isDone(payload)) return false;
    if (!this.#waiting) this.say({ words: PROVEN, action: null, good: true });
    this.#settle(true);
    return true;
  }

  /** Cancel the pending sign-in, or the operation that waits for a proof. */
  cancel(): void {
    this.#show({ challenge: null, notice: null });
    this.#settle(false);
  }

  /**
   * Run an operation of the signed-in account, after reauthentication if it requires that.
   *
   * Returns its payload, an empty one if it failed; the notice says why.
   */
  async act(query: Own, field: string, variables: unknown = {}): Promise<Json> {
    for (;;) {
      const payload = await this.#run(query, field, variables);
      if (payload || !this.#state.proofs || !(await this.#waitForProof())) return payload ?? {};
    }
  }

  /** End the session, and forget it even if the server refuses or can't be reached. */
  async signOut(): Promise<void> {
    await this.#whileBusy(
      async () => {
        const token = await this.bearer();
        if (!token) return; // it has ended meanwhile
        this.#end();
        const { answer } = await this.#send({ query: operations.SIGN_OUT }, token);
        const refused = explain(answer.errors ?? [], { own: false, canRefresh: false });
        if (refused) this.#show({ notice: { ...refused, action: null } });
      },
      undefined,
      LEFT_OPEN,
    );
  }

  /** Forget the session, without a request to the server. */
  forget(): void {
    this.#hold(null);
  }

  /** Show a notice. */
  say(notice: Notice): void {
    this.#show({ notice });
  }

  dismiss(): void {
    this.#show({ notice: null });
  }

  /** Refresh the session, once for all concurrent callers; returns the session held afterwards. */
  refresh(): Promise<Session | null> {
    const { held } = this.#state;
    this.#refreshing ??= this.#world
      .withLock(() => this.#refresh(held))
      .finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  /** Return the token to send, refreshed if it is about to expire; null if there is none. */
  async bearer(): Promise<string | null> {
    const { held } = this.#state;
    await this.#refreshIfDue();
    return held && this.#current(held.token);
  }

  /** Return a token to replace one that was refused as expired; null if there is none. */
  async replacement(refused: string): Promise<string | null> {
    if (this.#state.held?.token === refused) await this.refresh();
    const next = this.#current(refused);
    return next === refused ? null : next;
  }

  /** Refresh the session if it is due; to be called every second. */
  async tick(): Promise<void> {
    if (this.#world.now() >= this.#quietUntil) await this.#refreshIfDue();
  }

  /** Update the session, the notice and the wanted proofs from an answer to the editor. */
  heed(request: Request, answer: Answer, { own, token }: SentWith): void {
    // An answer that comes after the end of its session neither ends nor begins another.
    const isLate = token !== null && !this.#current(token);
    for (const result of isLate ? [] : resultsOf(request, answer)) {
      if (SIGNING_IN.includes(result.field)) this.#handleEditorSignIn(result.payload);
      else if (SIGNING_OUT.includes(result.field) && !own && result.payload.status !== "ERROR")
        this.#end();
    }
    this.#settle(false);
    this.#handleErrors(answer.errors ?? [], { own, token });
  }

  /** Apply a change that another tab made to the session which this tab holds too. */
  receive(message: TabMessage): void {
    if (!this.#current(message.token)) return;
    this.#hold(message.held);
    if (!message.held) this.say({ words: ELSEWHERE, action: null });
  }

  /** Show what refusals mean, end a session that is over, and ask for a proof if required. */
  #handleErrors(refusals: Refusal[], { own, token }: SentWith): void {
    if (token && this.#state.held?.token === token && isOver(refusals)) this.#end();
    const { held } = this.#state;
    const notice = explain(refusals, { own, canRefresh: Boolean(held?.refreshToken) });
    this.#show({ notice, proofs: held && !own ? proofs(refusals) : null });
  }

  /** Wait for the reauthentication; false if it is cancelled. */
  #waitForProof(): Promise<boolean> {
    return new Promise((resolve) => (this.#waiting = resolve));
  }

  /** Stop asking for a proof, and resume what waits for one. */
  #settle(isProven: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (this.#state.proofs) this.#show({ proofs: null });
    waiting?.(isProven);
  }

  /** Send an operation with the token, and show its outcome; null if there is no payload. */
  #run(query: Own, field: string, variables: unknown): Promise<Json | null> {
    return this.#whileBusy<Json | null>(async () => {
      const token = await this.bearer();
      const { answer } = await this.#send({ query, variables }, token);
      const payload = answer.data?.[field];
      if (!isObject(payload)) this.#handleErrors(answer.errors ?? [], { own: false, token });
      else if ("message" in payload) this.#show({ notice: outcome(payload) });
      return isObject(payload) ? payload : null;
    }, {});
  }

  /** Return the token that is held of another's session; null if that session is not held. */
  #current(token: string): string | null {
    const { held } = this.#state;
    return held && areOfOneSession(held.token, token) ? held.token : null;
  }

  async #refreshIfDue(): Promise<void> {
    const { held } = this.#state;
    if (held?.refreshToken && isDue(held, this.#world.now())) await this.refresh();
  }

  async #refresh(before: Session | null): Promise<Session | null> {
    const spent = before?.refreshToken;
    // While this tab waited for the lock, another may have refreshed the session.
    if (!spent || this.#state.held?.refreshToken !== spent) return this.#state.held;
    const variables = { refreshToken: spent };
    return this.#whileBusy(async () => {
      const payload = await this.#ask({ query: operations.REFRESH, variables }, "refresh", null);
      // The user may have signed out meanwhile, or in to another account.
      if (this.#state.held?.refreshToken !== spent) return this.#state.held;
      const next = fromPayload(payload, this.#world.now());
      if (next) {
        this.#hold(next);
        this.#world.broadcast({ token: before.token, held: next });
      } else this.#handleRefusedRefresh(payload);
      return this.#state.held;
    }, before);
  }

  /** End a session whose refresh token is no longer valid; else delay the next refresh. */
  #handleRefusedRefresh(payload: Json): void {
    if (isSpent(payload)) {
      this.#end();
      this.#show({ notice: { words: words(payload), action: "sign in" } });
    } else {
      this.#pause(typeof payload.retryAfter === "number" ? payload.retryAfter * 1000 : RETRY_DELAY);
      this.#show({ notice: { words: words(payload), action: null } });
    }
  }

  /** Send a sign-in; hold its tokens, or show why there are none; returns whether it worked. */
  #sendSignIn(query: Own, field: string, variables: unknown): Promise<boolean> {
    return this.#whileBusy(async () => {
      const payload = await this.#ask({ query, variables }, field, null);
      this.#handleSignIn(payload);
      return isDone(payload);
    }, false);
  }

  /** Send a mutation and show its message; returns whether it worked. */
  #submit(query: Own, field: string, variables: unknown): Promise<boolean> {
    return this.#whileBusy(async () => {
      const payload = await this.#ask({ query, variables }, field, null);
      this.#show({ notice: outcome(payload) });
      return isDone(payload);
    }, false);
  }

  /** Hold the tokens that a sign-in of the bar returned, or show its challenge or its errors. */
  #handleSignIn(payload: Json): void {
    const held = fromPayload(payload, this.#world.now());
    const challenge = challengeOf(payload);
    if (held) this.#hold(held);
    else if (challenge) this.#show({ challenge, notice: null });
    else if (isSpent(payload)) this.#show({ challenge: null, notice: outcome(payload) });
    else this.#show({ notice: outcome(payload) });
  }

  /** Hold the tokens that an operation of the editor returned. */
  #handleEditorSignIn(payload: Json): void {
    const held = fromPayload(payload, this.#world.now());
    const challenge = challengeOf(payload);
    if (challenge && !this.#state.held) this.#show({ challenge });
    if (!held) return;
    const before = this.#current(held.token);
    if (before) this.#world.broadcast({ token: before, held });
    this.#hold(held);
    if (held.name === null || held.isAdmin === null) void this.#loadAccount(held.token);
  }

  /** Query the account of a token that came without a name or a role. */
  async #loadAccount(token: string): Promise<void> {
    const me = await this.#whileBusy(() => this.#ask({ query: operations.ME }, "me", token), {});
    const { held } = this.#state;
    if (held && this.#current(token)) this.#hold({ ...held, ...person(me) });
  }

  async #ask(request: OwnRequest, field: string, token: string | null): Promise<Json> {
    const { answer } = await this.#send(request, token);
    const told = answer.errors?.[0]?.message;
    return (answer.data?.[field] ?? { message: told }) as Json;
  }

  #send(request: OwnRequest, token: string | null): ReturnType<Post> {
    const [operationName] = operationNames(request.query);
    const headers = new Headers(token ? { authorization: `Bearer ${token}` } : {});
    return this.#world.post({ ...request, operationName }, headers);
  }

  /** Run some work while the bar shows busy; returns `fallback` if the server can't be reached. */
  async #whileBusy<T>(work: () => Promise<T>, fallback: T, words = UNREACHABLE): Promise<T> {
    this.#show({ busy: true });
    try {
      return await work();
    } catch {
      this.#pause(RETRY_DELAY);
      this.#show({ notice: { words, action: null } });
      return fallback;
    } finally {
      this.#show({ busy: false });
    }
  }

  /** Suspend the automatic refresh for some milliseconds. */
  #pause(milliseconds: number): void {
    this.#quietUntil = this.#world.now() + milliseconds;
  }

  /** Forget a session that has ended, here and in the tabs that hold it too. */
  #end(): void {
    const { held } = this.#state;
    if (held) this.#world.broadcast({ token: held.token, held: null });
    this.forget();
  }

  #hold(held: Session | null): void {
    if (held) this.#world.storage.setItem(STORED, JSON.stringify(held));
    else this.#world.storage.removeItem(STORED);
    this.#show({ held, notice: null, challenge: null });
    if (!held) this.#settle(false);
  }

  #show(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function resultsOf(request: Request, answer: Answer): Result[] {
  try {
    return results(request.query, request.operationName ?? undefined, answer);
  } catch {
    return []; // a document that doesn't parse did not run
  }
}
