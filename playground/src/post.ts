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
  const { status } = response;
  try {
    const answer: unknown = await response.json();
    if (isObject(answer)) return { status, answer };
  } catch {
    // Not JSON: something that stands before the API has answered.
  }
  return { status, answer: { errors: [{ message: `No answer of the API's: HTTP ${status}.` }] } };
}
