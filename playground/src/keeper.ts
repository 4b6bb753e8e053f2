/** Who is signed in: kept for this tab, told to whoever shows it, refreshed in time. */
import { deeds, type Answer, type Deed, type Json } from "./answer";
import { fromPayload, isDue, person, read, type Held } from "./held";
import { explain, type Notice } from "./notice";
import { ME, REFRESH, SIGN_IN, SIGN_OUT, type Own } from "./operations";
import type { Post, Request } from "./post";

export const STORED = "gql_app:session";
/** Milliseconds to leave a server alone that could not be reached. */
export const PATIENCE = 10_000;

const SIGNING_IN = ["login", "refresh", "register", "changePassword"];
const SIGNING_OUT = ["logout", "deleteMe"];
const UNREACHABLE = "The server can't be reached.";

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

/** What one tab tells those that hold the same session: the refresh token that is spent. */
export interface Word {
  spent: string;
  held: Held;
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

  seen = (): Seen => this.#seen;

  /** Sign in with an address and a password; tells whether it worked. */
  async signIn(email: string, password: string): Promise<boolean> {
    const request = { query: SIGN_IN, operationName: "SignIn", variables: { email, password } };
    return this.#busily(async () => {
      const payload = await this.#ask(request, "login", null);
      const held = fromPayload(payload, this.#world.now());
      if (held) this.#hold(held);
      else this.#show({ notice: { words: words(payload), wayOut: null } });
      return held !== null;
    }, false);
  }

  /** End the session, and forget it whatever the server says. */
  async signOut(): Promise<void> {
    await this.#busily(async () => {
      const token = await this.bearer();
      this.forget();
      if (!token) return;
      const { answer } = await this.#send({ query: SIGN_OUT, operationName: "SignOut" }, token);
      const refused = explain(answer.errors ?? [], { own: false, canRefresh: false });
      if (refused) this.#show({ notice: { ...refused, wayOut: null } });
    }, undefined);
  }

  /** Forget who is signed in, without a word to the server. */
  forget(): void {
    this.#hold(null);
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

  /** Take from an answer what it says about who is signed in. `own` is as in Circumstances. */
  heed(request: Request, answer: Answer, { own }: { own: boolean }): void {
    for (const deed of done(request, answer)) {
      if (SIGNING_IN.includes(deed.field)) this.#take(deed.payload);
      else if (SIGNING_OUT.includes(deed.field) && !own && deed.payload.status !== "ERROR")
        this.forget();
    }
    const canRefresh = Boolean(this.#seen.held?.refreshToken);
    const notice = explain(answer.errors ?? [], { own, canRefresh });
    if (notice || !answer.errors?.length) this.#show({ notice });
  }

  /** Hear that another tab has spent the refresh token that this one holds too. */
  hear(word: Word): void {
    if (this.#seen.held?.refreshToken === word.spent) this.#hold(word.held);
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
    const request = { query: REFRESH, operationName: "Refresh", variables };
    return this.#busily(async () => {
      const payload = await this.#ask(request, "refresh", null);
      // Meanwhile somebody may have signed out, or in as another.
      if (this.#seen.held?.refreshToken !== spent) return this.#seen.held;
      const next = fromPayload(payload, this.#world.now());
      this.#hold(next ?? { ...before, refreshToken: null });
      if (next) this.#world.tell({ spent, held: next });
      else this.#show({ notice: { words: words(payload), wayOut: "sign in" } });
      return this.#seen.held;
    }, before);
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
    const request = { query: ME, operationName: "Me" };
    const me = await this.#busily(() => this.#ask(request, "me", token), {});
    const { held } = this.#seen;
    if (held?.token === token) this.#hold({ ...held, ...person(me) });
  }

  async #ask(request: OwnRequest, field: string, token: string | null): Promise<Json> {
    const { answer } = await this.#send(request, token);
    const told = answer.errors?.[0]?.message;
    return (answer.data?.[field] ?? { message: told }) as Json;
  }

  #send(request: OwnRequest, token: string | null): ReturnType<Post> {
    return this.#world.post(
      request,
      new Headers(token ? { authorization: `Bearer ${token}` } : {}),
    );
  }

  /** Do something and say so meanwhile; where the server can't be reached, the outcome is `lost`. */
  async #busily<T>(work: () => Promise<T>, lost: T): Promise<T> {
    this.#show({ busy: true });
    try {
      return await work();
    } catch {
      this.#quietUntil = this.#world.now() + PATIENCE;
      this.#show({ notice: { words: UNREACHABLE, wayOut: null } });
      return lost;
    } finally {
      this.#show({ busy: false });
    }
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

function words(payload: Json): string {
  return typeof payload.message === "string" ? payload.message : "The server gave no answer.";
}
