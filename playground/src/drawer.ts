/** Where GraphiQL keeps what was typed: in this tab only, and never a header of a request. */
import { isObject } from "./answer";

type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem" | "clear" | "length">;

/** Keep all but headers: GraphiQL's history stores them though they are not to be persisted. */
export function drawer(storage: Kept): Kept {
  return {
    getItem: (name) => storage.getItem(name),
    setItem: (name, text) => storage.setItem(name, withoutHeaders(text)),
    removeItem: (name) => storage.removeItem(name),
    clear: () => storage.clear(),
    get length() {
      return storage.length;
    },
  };
}

function withoutHeaders(text: string): string {
  try {
    const kept: unknown = JSON.parse(text);
    const bare = (name: string, value: unknown) => (name === "headers" ? null : value);
    return isObject(kept) ? JSON.stringify(kept, bare) : text;
  } catch {
    return text; // a query or a size, as it is
  }
}
