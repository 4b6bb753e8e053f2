/** How GraphiQL sends what is run in it: with the token of whoever is signed in. */
import type { Fetcher } from "@graphiql/toolkit";
import type { Keeper } from "./keeper";
import { operations } from "./answer";
import type { Post, Reply, Request } from "./post";

const INTROSPECTION = "IntrospectionQuery";
const UNAUTHORIZED = 401;

/** Make the fetcher. An Authorization header of the Headers tab goes before the keeper's token. */
export function makeFetcher(keeper: Keeper, post: Post): Fetcher {
  return async (asked, options) => {
    const request = meant(asked);
    const typed = new Headers(options?.headers ?? {});
    const own = typed.has("authorization");
    const { answer } = own ? await post(request, typed) : await send(keeper, post, request, typed);
    if (request.operationName !== INTROSPECTION) keeper.heed(request, answer, { own });
    return answer as Awaited<ReturnType<Fetcher>>;
  };
}

/** Send with the keeper's token; once more with a new one if nothing ran for that one's age. */
async function send(keeper: Keeper, post: Post, request: Request, typed: Headers): Promise<Reply> {
  const token = await keeper.bearer();
  const reply = await post(request, bearing(token, typed));
  if (!token || !isExpired(reply)) return reply;
  const another = await keeper.another(token);
  return another ? post(request, bearing(another, typed)) : reply;
}

/**
 * Leave out the name of an operation that the document hasn't got, where it has one alone.
 *
 * GraphiQL takes a moment to see that something else was typed, and still names what was there.
 */
function meant(request: Request): Request {
  const names = operations(request.query);
  const isGone = request.operationName && !names.includes(request.operationName);
  return isGone && names.length === 1 ? { ...request, operationName: undefined } : request;
}

function bearing(token: string | null, typed: Headers): Headers {
  const headers = new Headers(typed);
  if (token) headers.set("authorization", `Bearer ${token}`);
  return headers;
}

/** Tell whether every field was refused, as 401 says, because the token has expired. */
function isExpired({ status, answer }: Reply): boolean {
  const reasons = answer.errors?.map((each) => each.extensions?.reason);
  return status === UNAUTHORIZED && reasons?.[0] === "TOKEN_EXPIRED";
}
