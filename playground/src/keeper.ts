/** Who is signed in: kept for this tab, told to whoever shows it, refreshed in time. */
import {
  deeds,
  isObject,
  operationNames,
  type Answer,
  type Deed,
  type Json,
  type Refusal,
} from "./answer";
import { fromPayload, isDue, person, read, type Held } from "./held";
import { explain, isOver, proofs, UNREACHABLE, type Notice } from "./notice";
import * as operations from "./operations";
import type { Own } from "./operations";
import { challengeOf, isDone, isSpent, outcome, words } from "./payload";
import type { Post, Request } from "./post";
import type { Applicant, Proof, Seen, SentWith, Word, World } from "./world";

export const STORED = "gql_app:session";
/** Milliseconds to leave a server alone that could not be reached. */
export const PATIENCE = 10_000;

const SIGNING_IN = [
  ...["login", "refresh", "register", "changePassword"],
  ...["acceptInvitation", "signInByLink", "verifySecondFactor", "signInWithPasskey"],
];
const SIGNING_OUT = ["logout", "deleteMe"];
const LEFT_OPEN =
  `${UNREACHABLE} Nobody is signed in here any more, but the session itself may still be open: ` +
  "endOtherSessions ends it once you have signed in again.";
const PROVEN = "It is you. Run the operation again.";
const ELSEWHERE = "The session was ended in another tab.";

/** A request of the bar's own, by a text that every server trusts. */
interface OwnRequest extends Request {
  query: Own;
}

export class Keeper {
  #seen: Seen;
  #listeners = new Set<() => void>();
  #refreshing: Promise<Held | null> | null = null;
  #quietUntil = 0;
  /** Goes on with what waits for a proof; told whether there was one. */
  #waiting: ((isProven: boolean) => void) | null = null;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    const held = read(world.storage.getItem(STORED));
    this.#seen = { held, notice: null, busy: false, challenge: null, proofs: null };
  }

  /** Call somebody back at each change; gives what stops it. */
  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Call somebody back whenever nobody is signed in any more; gives what stops it. */
  onEnd(listener: () => void): () => void {
    let before = this.#seen.held;
    return this.subscribe(() => {
      const { held } = this.#seen;
      if (before && !held) listener();
      before = held;
    });
  }

  seen = (): Seen => this.#seen;

  /** Sign in with an address and a password; tells whether it worked. */
  signIn(email: string, password: string): Promise<boolean> {
    return this.#enter(operations.SIGN_IN, "login", { email, password });
  }

  /** Create an account, and sign in to it unless it waits for a link; tells whether it worked. */
  register(input: Applicant): Promise<boolean> {
    return this.#enter(operations.REGISTER, "register", { input });
  }

  /** Have a link to reset the password sent; tells whether it was asked for. */
  requestPasswordReset(email: string): Promise<boolean> {
    return this.#do(operations.REQUEST_PASSWORD_RESET, "requestPasswordReset", { email });
  }

  /** Sign in with a passkey that the browser gave; tells whether it worked. */
  signInWithPasskey(credential: Json): Promise<boolean> {
    return this.#enter(operations.SIGN_IN_WITH_PASSKEY, "signInWithPasskey", { credential });
  }

  /** Go on with the sign-in that waits; tells whether it worked. */
  async verify(proof: Proof): Promise<boolean> {
    const { challenge } = this.#seen;
    if (!challenge) return false;
    const variables = { challenge: challenge.token, ...proof };
    return this.#enter(operations.VERIFY_SECOND_FACTOR, "verifySecondFactor", variables);
  }

  /** Prove again who is signed in, for what waits for it; tells whether it worked. */
  async prove(proof: Proof): Promise<boolean> {
    const payload = await this.#tried(operations.REAUTHENTICATE, "reauthenticate", proof);
    if (!payload || !isDone(payload)) return false;
    if (!this.#waiting) this.say({ words: PROVEN, wayOut: null, good: true });
    this.#settle(true);
    return true;
  }

  /** Leave the sign-in that waits, or what waits for a proof. */
  giveUp(): void {
    this.#show({ challenge: null, notice: null });
    this.#settle(false);
  }

  /**
   * Do something of whoever is signed in, once they have proven again who they are if it wants that.
   *
   * Gives its payload, an empty one if nothing came of it; the notice says why.
   */
  async act(query: Own, field: string, variables: unknown = {}): Promise<Json> {
    for (;;) {
      const payload = await this.#tried(query, field, variables);
      if (payload || !this.#seen.proofs || !(await this.#proven())) return payload ?? {};
    }
  }

  /** End the session, and forget it whatever the server says. */
  async signOut(): Promise<void> {
    await this.#busily(
      async () => {
        const token = await this.bearer();
        this.#end();
        if (!token) return;
        const { answer } = await this.#send({ query: operations.SIGN_OUT }, token);
        const refused = explain(answer.errors ?? [], { own: false, canRefresh: false });
        if (refused) this.#show({ notice: { ...refused, wayOut: null } });
      },
      undefined,
      LEFT_OPEN,
    );
  }

  /** Forget who is signed in, without a word to the server. */
  forget(): void {
    this.#hold(null);
  }

  /** Say something that needs no answer of the server's. */
  say(notice: Notice): void {
    this.#show({ notice });
  }

  dismiss(): void {
    this.#show({ notice: null });
  }

  /** Trade the refresh token, once for all who ask meanwhile; gives what is held then. */
  refresh(): Promise<Held | null> {
    const { held } = this.#seen;
    this.#refreshing ??= this.#world
      .alone(() => this.#refresh(held))
      .finally(() => (this.#refreshing = null));
    return this.#refreshing;
  }

  /** Give the token to send, a new one if the old is about to expire; null if there is none. */
  async bearer(): Promise<string | null> {
    return ((await this.#freshened()) ?? this.#seen.held)?.token ?? null;
  }

  /** Give another token than one that was refused as expired; null if there is none. */
  async another(refused: string): Promise<string | null> {
    const { held } = this.#seen;
    const next = held?.token === refused ? await this.refresh() : held;
    return next && next.token !== refused ? next.token : null;
  }

  /** Look after the time; to be called every second. */
  async tick(): Promise<void> {
    if (this.#world.now() >= this.#quietUntil) await this.#freshened();
  }

  /** Take from an answer what it says about who is signed in. */
  heed(request: Request, answer: Answer, { own, token }: SentWith): void {
    for (const deed of done(request, answer)) {
      if (SIGNING_IN.includes(deed.field)) this.#take(deed.payload);
      else if (SIGNING_OUT.includes(deed.field) && !own && deed.payload.status !== "ERROR")
        this.#end();
    }
    this.#settle(false);
    this.#refuse(answer.errors ?? [], { own, token });
  }

  /** Hear what became of the tokens that this tab holds too. */
  hear(word: Word): void {
    if (this.#seen.held?.token !== word.token) return;
    this.#hold(word.held);
    if (!word.held) this.say({ words: ELSEWHERE, wayOut: null });
  }

  /** Say what refusals mean, and do what follows from them. */
  #refuse(refusals: Refusal[], { own, token }: SentWith): void {
    if (token && this.#seen.held?.token === token && isOver(refusals)) this.#end();
    const { held } = this.#seen;
    const notice = explain(refusals, { own, canRefresh: Boolean(held?.refreshToken) });
    this.#show({ notice, proofs: held && !own ? proofs(refusals) : null });
  }

  /** Wait until whoever is signed in has proven it again; false if they don't. */
  #proven(): Promise<boolean> {
    return new Promise((resolve) => (this.#waiting = resolve));
  }

  /** Ask for no proof any more, and go on with what waits for one. */
  #settle(isProven: boolean): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    if (this.#seen.proofs) this.#show({ proofs: null });
    waiting?.(isProven);
  }

  /** Send something with the token, and show what came of it; null if there is no payload. */
  #tried(query: Own, field: string, variables: unknown): Promise<Json | null> {
    return this.#busily<Json | null>(async () => {
      const token = await this.bearer();
      const { answer } = await this.#send({ query, variables }, token);
      const payload = answer.data?.[field];
      if (!isObject(payload)) this.#refuse(answer.errors ?? [], { own: false, token });
      else if ("message" in payload) this.#show({ notice: outcome(payload) });
      return isObject(payload) ? payload : null;
    }, {});
  }

  async #freshened(): Promise<Held | null> {
    const { held } = this.#seen;
    return held?.refreshToken && isDue(held, this.#world.now()) ? this.refresh() : null;
  }

  async #refresh(before: Held | null): Promise<Held | null> {
    const spent = before?.refreshToken;
    // While this tab waited for its turn, it may have heard of the next token from another.
    if (!spent || this.#seen.held?.refreshToken !== spent) return this.#seen.held;
    const variables = { refreshToken: spent };
    return this.#busily(async () => {
      const payload = await this.#ask({ query: operations.REFRESH, variables }, "refresh", null);
      // Meanwhile somebody may have signed out, or in as another.
      if (this.#seen.held?.refreshToken !== spent) return this.#seen.held;
      const next = fromPayload(payload, this.#world.now());
      if (next) {
        this.#hold(next);
        this.#world.tell({ token: before.token, held: next });
      } else this.#refused(payload);
      return this.#seen.held;
    }, before);
  }

  /** Forget a session that can't go on; one whose refresh has to wait is left alone for so long. */
  #refused(payload: Json): void {
    if (isSpent(payload)) {
      this.#end();
      this.#show({ notice: { words: words(payload), wayOut: "sign in" } });
    } else {
      this.#rest(typeof payload.retryAfter === "number" ? payload.retryAfter * 1000 : PATIENCE);
      this.#show({ notice: { words: words(payload), wayOut: null } });
    }
  }

  /** Send what answers tokens, and hold them, or else show why there are none; tells whether it worked. */
  #enter(query: Own, field: string, variables: unknown): Promise<boolean> {
    return this.#busily(async () => {
      const payload = await this.#ask({ query, variables }, field, null);
      this.#took(payload);
      return isDone(payload);
    }, false);
  }

  /** Send what answers a sentence, and show it; tells whether it worked. */
  #do(query: Own, field: string, variables: unknown): Promise<boolean> {
    return this.#busily(async () => {
      const payload = await this.#ask({ query, variables }, field, null);
      this.#show({ notice: outcome(payload) });
      return isDone(payload);
    }, false);
  }

  /** Hold the tokens that a sign-in of the bar was answered, or show what it waits for, or why not. */
  #took(payload: Json): void {
    const held = fromPayload(payload, this.#world.now());
    const challenge = challengeOf(payload);
    if (held) this.#hold(held);
    else if (challenge) this.#show({ challenge, notice: null });
    else if (isSpent(payload)) this.#show({ challenge: null, notice: outcome(payload) });
    else this.#show({ notice: outcome(payload) });
  }

  /** Take tokens that an operation of the editor was answered. */
  #take(payload: Json): void {
    const held = fromPayload(payload, this.#world.now());
    const challenge = challengeOf(payload);
    if (challenge && !this.#seen.held) this.#show({ challenge });
    if (!held) return;
    this.#hold(held);
    if (held.name === null || held.isAdmin === null) void this.#introduce(held.token);
  }

  /** Ask whose a token is that came without a name. */
  async #introduce(token: string): Promise<void> {
    const me = await this.#busily(() => this.#ask({ query: operations.ME }, "me", token), {});
    const { held } = this.#seen;
    if (held?.token === token) this.#hold({ ...held, ...person(me) });
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

  /** Do something and say so meanwhile; where the server can't be reached, the outcome is `lost`. */
  async #busily<T>(work: () => Promise<T>, lost: T, words = UNREACHABLE): Promise<T> {
    this.#show({ busy: true });
    try {
      return await work();
    } catch {
      this.#rest(PATIENCE);
      this.#show({ notice: { words, wayOut: null } });
      return lost;
    } finally {
      this.#show({ busy: false });
    }
  }

  /** Ask for no new token by itself for some milliseconds. */
  #rest(milliseconds: number): void {
    this.#quietUntil = this.#world.now() + milliseconds;
  }

  /** Forget a session that is over, here and in the tabs that hold it too. */
  #end(): void {
    const { held } = this.#seen;
    if (held) this.#world.tell({ token: held.token, held: null });
    this.forget();
  }

  #hold(held: Held | null): void {
    if (held) this.#world.storage.setItem(STORED, JSON.stringify(held));
    else this.#world.storage.removeItem(STORED);
    this.#show({ held, notice: null, challenge: null });
    if (!held) this.#settle(false);
  }

  #show(change: Partial<Seen>): void {
    this.#seen = { ...this.#seen, ...change };
    for (const listener of this.#listeners) listener();
  }
}

function done(request: Request, answer: Answer): Deed[] {
  try {
    return deeds(request.query, request.operationName ?? undefined, answer);
  } catch {
    return []; // what doesn't parse did nothing
  }
}
