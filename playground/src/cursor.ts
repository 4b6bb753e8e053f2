/** Paging in the editor: the endCursor of one page becomes the `after` variable of the next. */
import { isObject, type Answer } from "./answer";

/** Return the variables with `after` set to an answer's endCursor; null without either of them. */
export function nextVariables(variables: string, answer: Answer): string | null {
  const customers = answer.data?.customers;
  const page = isObject(customers) ? customers.pageInfo : null;
  if (!isObject(page) || typeof page.endCursor !== "string") return null;
  try {
    const before: unknown = JSON.parse(variables);
    if (!isObject(before) || !("after" in before)) return null;
    return JSON.stringify({ ...before, after: page.endCursor }, null, 2);
  } catch {
    return null; // incomplete JSON, which is still being typed
  }
}
