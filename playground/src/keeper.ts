/** Who is signed in: kept for this tab, told to whoever shows it, refreshed in time. */
import { deeds, isObject, operationNames, type Answer, type Deed, type Json } from "./answer";
import { fromPayload, isDue, person, read, type Held } from "./held";
import { explain, isOver, UNREACHABLE, type Notice } from "./notice";
import * as operations from "./operations";
import type { Own } from "./operations";
import type { Post, Request } from "./post";

export const STORED = "gql_app:session";
/** Milliseconds to leave a server alone that could not be reached. */
export const PATIENCE = 10_000;

const SIGNING_IN = [
  ...["login", "refresh", "register", "changePassword"],
  ...["acceptInvitation", "signInByLink"],
];
const SIGNING_OUT = ["logout", "deleteMe"];
const LEFT_OPEN =
  `${UNREACHABLE} Nobody is signed in here any more, but the session itself may still be open: ` +
  "endOtherSessions ends it once you have signed in again.";
const ELSEWHERE = "The session was ended in another tab.";

/** All that the bar shows. */
export interface Seen {
  held: Held | null;
  notice: Notice | null;
  busy: boolean;
}

/** A request of the bar's own, by a text that every server trusts. */
interface OwnRequest extends Request {
  query: Own;
}

/** What one tab tells those that hold the same tokens: what is held instead, null when it is over. */
export interface Word {
  token: string;
  held: Held | null;
}

/** What a request was sent with. */
export interface SentWith {
  /** Whether it had an Authorization header out of the Headers tab. */
  own: boolean;
  /** The bar's token, if that was sent. */
  token: string | null;
}

/** What is typed to create an account. */
export interface Applicant {
  name: string;
  email: string;
  password: string;
}

/** What the keeper needs of the world. */
export interface World {
  post: Post;
  storage: Pick<Storage, "getItem" | "setItem" | "removeItem">;
  now: () => number;
  tell: (word: Word) => void;
  /** Do something while no other tab does, where the browser can see to that. */
  alone: <T>(work: () => Promise<T>) => Promise<T>;
}

export class Keeper {
  #seen: Seen;
  #listeners = new Set<() => void>();
  #refreshing: Promise<Held | null> | null = null;
  #quietUntil = 0;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.#seen = { held: read(world.storage.getItem(STORED)), notice: null, busy: false };
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
    const refusals = answer.errors ?? [];
    if (token && this.#seen.held?.token === token && isOver(refusals)) this.#end();
    const canRefresh = Boolean(this.#seen.held?.refreshToken);
    this.#show({ notice: explain(refusals, { own, canRefresh }) });
  }

  /** Hear what became of the tokens that this tab holds too. */
  hear(word: Word): void {
    if (this.#seen.held?.token !== word.token) return;
    this.#hold(word.held);
    if (!word.held) this.say({ words: ELSEWHERE, wayOut: null });
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
    if (codes(payload).some((code) => code.startsWith("TOKEN_"))) {
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
      const held = fromPayload(payload, this.#world.now());
      if (held) this.#hold(held);
      else this.#show({ notice: outcome(payload) });
      return payload.status === "SUCCESS";
    }, false);
  }

  /** Send what answers a sentence, and show it; tells whether it worked. */
  #do(query: Own, field: string, variables: unknown): Promise<boolean> {
    return this.#busily(async () => {
      const payload = await this.#ask({ query, variables }, field, null);
      this.#show({ notice: outcome(payload) });
      return payload.status === "SUCCESS";
    }, false);
  }

  /** Take tokens that an operation of the editor was answered. */
  #take(payload: Json): void {
    const held = fromPayload(payload, this.#world.now());
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
    this.#show({ held, notice: null });
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

/** Put a payload without tokens into words, and name the fields that it is about. */
function outcome(payload: Json): Notice {
  const fields = errors(payload).map((each) =>
    each.code === "INVALID_CREDENTIALS" ? "password" : String(each.field ?? ""),
  );
  return { words: words(payload), wayOut: null, good: payload.status === "SUCCESS", fields };
}

function words(payload: Json): string {
  return typeof payload.message === "string" ? payload.message : "The server gave no answer.";
}

function codes(payload: Json): string[] {
  return errors(payload).map((each) => String(each.code));
}

function errors(payload: Json): Json[] {
  return Array.isArray(payload.errors) ? payload.errors.filter(isObject) : [];
}
