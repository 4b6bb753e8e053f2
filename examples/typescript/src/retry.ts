/** fetch with retries while the server is unavailable (503). */

const ATTEMPTS = 3;
/** The most seconds to wait, even if Retry-After says more. */
const LONGEST = 30;

/** Fetch; retry after Retry-After plus up to a second of jitter while the status is 503. */
export async function fetchWithRetry(
  input: RequestInfo | URL,
  options?: RequestInit,
): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(input, options);
    if (response.status !== 503 || attempt === ATTEMPTS) return response;
    if (await isDone(response.clone())) return response;
    const seconds = Number(response.headers.get("Retry-After")) || 1;
    await sleep(1000 * (Math.min(seconds, LONGEST) + Math.random()));
  }
}

/** Return whether any of the request was done, or may have been, so that a retry is unsafe. */
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
