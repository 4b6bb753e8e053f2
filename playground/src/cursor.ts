/** Paging by hand made short: the cursor of one page becomes the variable of the next. */
import { isObject, type Answer } from "./answer";

/** Write an answer's endCursor into the variable `after`, if there is one; null if nothing changes. */
export function turned(variables: string, answer: Answer): string | null {
  const customers = answer.data?.customers;
  const page = isObject(customers) ? customers.pageInfo : null;
  if (!isObject(page) || typeof page.endCursor !== "string") return null;
  try {
    const before: unknown = JSON.parse(variables);
    if (!isObject(before) || !("after" in before)) return null;
    return JSON.stringify({ ...before, after: page.endCursor }, null, 2);
  } catch {
    return null; // what is being typed there is left alone
  }
}
