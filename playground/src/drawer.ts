/** GraphiQL's storage: session storage of this tab, without headers, passwords and tokens. */
import { isObject, type Json } from "./answer";
import { withoutSecrets, withoutSecretValues } from "./secrets";

type Kept = Pick<Storage, "getItem" | "setItem" | "removeItem" | "clear" | "key" | "length">;

const OURS = "graphiql:";
const TABS = `${OURS}tabState`;
const HISTORY = [`${OURS}queries`, `${OURS}favorites`];
/** Stored for all tabs of the browser: the user's preference, and no secret. */
const THEME = `${OURS}theme`;
/** The active tab's properties, by the names under which GraphiQL stores them a second time. */
const OF_ACTIVE_TAB: Record<string, string> = {
  [`${OURS}query`]: "query",
  [`${OURS}variables`]: "variables",
};

/**
 * Return a storage that strips headers, passwords and tokens; values in `known` are no secrets.
 *
 * The active tab is stored once, with the others: GraphiQL stores it a second time, and adds a tab
 * on the next load where the two differ. The history shows only what was stored, so storing an
 * operation with a password there has to fail.
 */
export function safeStorage(tab: Kept, browser: Kept, known: readonly string[] = []) {
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

/** Read a property of the active tab; null if it has none. */
function active(tabs: string | null, name: string): string | null {
  const state = parsed(tabs ?? "");
  if (!isObject(state) || !Array.isArray(state.tabs)) return null;
  const tab: unknown = state.tabs[Number(state.activeTabIndex)];
  return isObject(tab) && typeof tab[name] === "string" ? tab[name] : null;
}

/** Strip headers and secrets from JSON, at any depth; `isSecret` says whether it had secrets. */
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
    return null; // no JSON: a size or a name, stored unchanged
  }
}
