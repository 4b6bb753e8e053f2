/** fetch with a time-out, which retries while the server is temporarily unavailable. */

const ATTEMPTS = 3;
/** The most seconds to wait, whatever the server says. */
const LONGEST = 30;
/** Milliseconds for each attempt: the server gives up after 10 seconds, by default. */
const TIMEOUT = 30_000;

/**
 * Fetch; on 503, retry after Retry-After and a random delay up to a second. Throws a DOMException
 * named TimeoutError if no answer comes, as after a change of networks.
 */
export async function fetchWithRetry(
  input: RequestInfo | URL,
  options?: RequestInit,
): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    const signals = [AbortSignal.timeout(TIMEOUT), options?.signal].filter((each) => each != null);
    const response = await fetch(input, { ...options, signal: AbortSignal.any(signals) });
    if (response.status !== 503 || attempt === ATTEMPTS) return response;
    if (await isDone(response.clone())) return response;
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    await sleep(1000 * (Math.min(seconds, LONGEST) + Math.random()));
  }
}

/** Return whether any of it was done, or may be, so that it is not retried. */
async function isDone(response: Response): Promise<boolean> {
  try {
    const { data, errors } = (await response.json()) as Answer;
    const mayBe = errors?.some(({ extensions }) => extensions?.mayBeDone === true) ?? false;
    return mayBe || Object.values(data ?? {}).some((value) => value !== null);
  } catch {
    return false; // a proxy's page
  }
}

interface Answer {
  data?: { [field: string]: unknown } | null;
  errors?: { extensions?: { mayBeDone?: boolean } }[];
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
