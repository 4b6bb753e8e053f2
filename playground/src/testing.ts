/** Test helpers: tokens, payloads and a fake server. */
import type { Answer, Json } from "./answer";
import { Factors } from "./factors";
import { Keeper } from "./keeper";
import type { Outcome } from "./passkeys";
import type { Reply, Request } from "./post";
import type { TabMessage } from "./world";

/** Return a JWT of a session that lives for some seconds; its signature is a dummy. */
export function jwt(life: number, iat = 1_000_000, sid = "s1"): string {
  const part = (what: unknown) => btoa(JSON.stringify(what)).replace(/=+$/, "");
  return `${part({ alg: "HS256" })}.${part({ sid, iat, exp: iat + life })}.c2lnbmF0dXJl`;
}

export const ADA = { name: "Ada", email: "ada@example.com", isAdmin: false };

/** Return a payload that signs in to a session, with the tokens numbered `turn`. */
export function payload(turn: number, life = 3600, customer: unknown = ADA, sid = "s1"): Json {
  const token = jwt(life, 1_000_000 + turn, sid);
  return { status: "SUCCESS", message: "Welcome.", token, refreshToken: `gar_${turn}`, customer };
}

export function refused(reason: string, code = "UNAUTHENTICATED"): Answer {
  return { data: { me: null }, errors: [{ message: "No.", extensions: { code, reason } }] };
}

/** Return a payload that was rejected with an error code, perhaps for an input field. */
export function refusal(code: string, message: string, field: string | null = null): Json {
  return { status: "ERROR", message, errors: [{ code, message, field }], token: null };
}

export interface Sent extends Request {
  bearer: string | null;
}

/** Return a fake server and browser tab, with a keeper in it. */
export function world(stored: string | null = null) {
  const storage = new Map<string, string>(stored ? [["gql_app:session", stored]] : []);
  const sent: Sent[] = [];
  const told: TabMessage[] = [];
  const state = {
    now: 0,
    /** The server's answer; a test may replace it. */
    answer: async (_: Sent): Promise<Answer> => ({ data: {} }),
    status: 200,
    /** Resolves when this tab gets the lock. */
    turn: Promise.resolve(),
    hindrance: null as string | null,
    /** The browser's answer to WebAuthn options. */
    passkey: async (options: Json): Promise<Outcome> => ({ passkey: { id: "k", of: options } }),
  };
  const post = async (request: Request, headers: Headers): Promise<Reply> => {
    const bearer = headers.get("authorization");
    sent.push({ ...request, bearer });
    const answer = await state.answer({ ...request, bearer });
    return { status: state.status, answer, size: JSON.stringify(answer).length, requestId: "r" };
  };
  const make = () =>
    new Keeper({
      post,
      storage: {
        getItem: (name) => storage.get(name) ?? null,
        setItem: (name, value) => void storage.set(name, value),
        removeItem: (name) => void storage.delete(name),
      },
      now: () => state.now,
      broadcast: (message) => void told.push(message),
      withLock: async (work) => {
        await state.turn;
        return work();
      },
    });
  const keeper = make();
  const factors = new Factors(keeper, {
    get hindrance() {
      return state.hindrance;
    },
    find: (options) => state.passkey(options),
    make: (options) => state.passkey(options),
  });
  return { state, post, sent, told, storage, keeper, factors, make };
}
