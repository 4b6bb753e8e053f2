/** GraphQL requests over HTTP. */
import { isObject, type Answer } from "./answer";

export interface Request {
  query: string;
  operationName?: string | null | undefined;
  variables?: unknown;
}

export interface Reply {
  status: number;
  answer: Answer;
  /** Bytes of the uncompressed body. */
  size: number;
  /** The request's id in the server's log; null if the answer has none. */
  requestId: string | null;
}

export type Post = (request: Request, headers: Headers) => Promise<Reply>;

/** Milliseconds after which a request is aborted. */
const TIMEOUT = 60_000;

/** Post a request to the page's own address. Throws if no response comes back. */
export async function post(request: Request, headers: Headers): Promise<Reply> {
  if (!headers.has("accept"))
    headers.set("accept", "application/graphql-response+json, application/json;q=0.9");
  headers.set("content-type", "application/json");
  headers.set("graphql-client-name", "playground");
  const response = await fetch(location.pathname, {
    method: "POST",
    headers,
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(TIMEOUT),
  });
  const body = await response.arrayBuffer();
  return {
    status: response.status,
    answer: read(body, response.status),
    size: body.byteLength,
    requestId: response.headers.get("x-request-id"),
  };
}

function read(body: ArrayBuffer, status: number): Answer {
  try {
    const answer: unknown = JSON.parse(new TextDecoder().decode(body));
    if (isObject(answer)) return answer;
  } catch {
    // Not JSON: a proxy in front of the API has answered.
  }
  return { errors: [{ message: `HTTP ${status}, and no answer from the API.` }] };
}
