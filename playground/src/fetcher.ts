/** The fetcher of GraphiQL, which sends operations with the token of the signed-in account. */
import type { Fetcher } from "@graphiql/toolkit";
import { operationNames, type Answer } from "./answer";
import type { Exchange } from "./exchange";
import type { Keeper } from "./keeper";
import { UNREACHABLE } from "./notice";
import type { Post, Reply, Request } from "./post";

const INTROSPECTION = "IntrospectionQuery";
const UNAUTHORIZED = 401;
const LOST = `${UNREACHABLE} Once it is back, run this again.`;

/** Called with the outcome of each request. */
export type Note = (exchange: Exchange) => void;

interface Sent {
  reply: Reply;
  /** The bar's token, if that was sent. */
  token: string | null;
}

/** Make the fetcher. An Authorization header in the Headers tab takes precedence over the token. */
export function makeFetcher(keeper: Keeper, post: Post, note: Note = () => {}): Fetcher {
  return async (asked, options) => {
    const request = withoutStaleName(asked);
    const typed = new Headers(options?.headers ?? {});
    const began = performance.now();
    const sent = await send(keeper, post, request, typed).catch(() => null);
    const duration = performance.now() - began;
    const answer = heeded(keeper, request, sent, typed.has("authorization"));
    if (request.operationName !== INTROSPECTION) note({ reply: sent?.reply ?? null, duration });
    return answer as Awaited<ReturnType<Fetcher>>;
  };
}

/** Return the answer once the keeper has handled it; an error where there is none. */
function heeded(keeper: Keeper, request: Request, sent: Sent | null, own: boolean): Answer {
  if (!sent) {
    keeper.say({ words: UNREACHABLE, action: null });
    return { errors: [{ message: LOST }] };
  }
  const { answer } = sent.reply;
  if (request.operationName !== INTROSPECTION)
    keeper.heed(request, answer, { own, token: sent.token });
  else if (keeper.state().notice?.words === UNREACHABLE) keeper.dismiss();
  return answer;
}

/** Send with the keeper's token; once more with a new one if it had expired and nothing ran. */
async function send(keeper: Keeper, post: Post, request: Request, typed: Headers): Promise<Sent> {
  if (typed.has("authorization")) return { reply: await post(request, typed), token: null };
  const token = await keeper.bearer();
  const reply = await post(request, withToken(token, typed));
  const another = token && isExpired(reply) ? await keeper.replacement(token) : null;
  if (!another) return { reply, token };
  return { reply: await post(request, withToken(another, typed)), token: another };
}

/**
 * Drop an operation name that the document doesn't have, if it has only one operation.
 *
 * GraphiQL notices edits with a delay, and until then sends the name from before.
 */
export function withoutStaleName(request: Request): Request {
  const names = operationNames(request.query);
  const isGone = request.operationName && !names.includes(request.operationName);
  return isGone && names.length === 1 ? { ...request, operationName: undefined } : request;
}

/** Return the typed headers with the token added. */
export function withToken(token: string | null, typed: Headers): Headers {
  const headers = new Headers(typed);
  if (token) headers.set("authorization", `Bearer ${token}`);
  return headers;
}

/** Return whether every field was refused, hence the 401, because the token has expired. */
function isExpired({ status, answer }: Reply): boolean {
  const reasons = answer.errors?.map((each) => each.extensions?.reason);
  return status === UNAUTHORIZED && reasons?.[0] === "TOKEN_EXPIRED";
}
