/** Where GraphiQL keeps what was typed: in this tab only, and neither headers nor passwords. */
import { isObject, type Json } from "./answer";
import { withoutSecrets, withoutSecretValues } from "./secrets";

type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem" | "clear" | "key" | "length">;

const OURS = "graphiql:";
const TABS = `${OURS}tabState`;
const HISTORY = [`${OURS}queries`, `${OURS}favorites`];
/** Kept for all tabs of the browser: it is no secret, and nobody wants to choose it anew. */
const THEME = `${OURS}theme`;
/** What the active tab holds, by the names that GraphiQL keeps it under a second time. */
const OF_ACTIVE_TAB: Record<string, string> = {
  [`${OURS}query`]: "query",
  [`${OURS}variables`]: "variables",
};

/**
 * Keep all but headers and what passwords and tokens are set to; `known` are no secrets.
 *
 * The active tab is kept once, with the others: GraphiQL keeps it a second time, and adds a tab
 * on the next load where the two differ. The history shows what it has kept alone, so it has to
 * fail for an operation with a password in it.
 */
export function drawer(tab: Kept, browser: Kept, known: readonly string[] = []) {
  const storage = (name: string) => (name === THEME ? browser : tab);
  return {
    getItem: (name: string) => {
      const held = OF_ACTIVE_TAB[name];
      return held ? active(tab.getItem(TABS), held) : storage(name).getItem(name);
    },
    setItem: (name: string, text: string) => {
      if (name in OF_ACTIVE_TAB) return;
      const { bare, isSecret } = stripped(text, known);
      if (isSecret && HISTORY.includes(name)) throw new Error("No password goes into the history.");
      storage(name).setItem(name, bare);
    },
    removeItem: (name: string) => storage(name).removeItem(name),
    clear: () => {
      for (const name of names(tab)) if (name.startsWith(OURS)) tab.removeItem(name);
      browser.removeItem(THEME);
    },
    get length() {
      return tab.length;
    },
  };
}

function names(storage: Kept): string[] {
  return Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "");
}

/** Read what the active tab holds; null if that is nothing. */
function active(tabs: string | null, name: string): string | null {
  const state = parsed(tabs ?? "");
  if (!isObject(state) || !Array.isArray(state.tabs)) return null;
  const tab: unknown = state.tabs[Number(state.activeTabIndex)];
  return isObject(tab) && typeof tab[name] === "string" ? tab[name] : null;
}

/** Take headers and secrets out of operations, however deep they are; tells if there were any. */
function stripped(text: string, known: readonly string[]): { bare: string; isSecret: boolean } {
  const kept = parsed(text);
  if (!isObject(kept)) return { bare: text, isSecret: false };
  let isSecret = false;
  const bare = JSON.stringify(kept, function (this: Json, name: string, value: unknown) {
    if (name === "headers") return null;
    const rest = withoutSecret(name, value, this.query, known);
    isSecret ||= rest !== value;
    return rest;
  });
  return { bare, isSecret };
}

function withoutSecret(name: string, value: unknown, query: unknown, known: readonly string[]) {
  if (typeof value !== "string") return value;
  if (name === "query") return withoutSecrets(value, known);
  return name === "variables" ? withoutSecretValues(value, String(query), known) : value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // a size or a name, as it is
  }
}
