/** One request over HTTP, and its answer. */
import { isObject, type Answer } from "./answer";

export interface Request {
  query: string;
  operationName?: string | null | undefined;
  variables?: unknown;
}

export interface Reply {
  status: number;
  answer: Answer;
  /** Bytes of the body, as it was before any compression. */
  size: number;
  /** What the server's log calls the request; null if the answer doesn't say. */
  requestId: string | null;
}

export type Post = (request: Request, headers: Headers) => Promise<Reply>;

/** Milliseconds after which no answer is waited for any more. */
const PATIENCE = 60_000;

/** Post a request to the address that the page came from. Throws where nothing came back. */
export async function post(request: Request, headers: Headers): Promise<Reply> {
  if (!headers.has("accept"))
    headers.set("accept", "application/graphql-response+json, application/json;q=0.9");
  headers.set("content-type", "application/json");
  headers.set("graphql-client-name", "playground");
  const response = await fetch(location.pathname, {
    method: "POST",
    headers,
    body: JSON.stringify(request),
    signal: AbortSignal.timeout(PATIENCE),
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
    // Not JSON: something that stands before the API has answered.
  }
  return { errors: [{ message: `HTTP ${status}, and no answer from the API.` }] };
}
