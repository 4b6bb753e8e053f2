import { expect, test } from "vitest";
import { safeStorage } from "./drawer";

function storage() {
  const kept = new Map<string, string>();
  return {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, text: string) => void kept.set(name, text),
    removeItem: (name: string) => void kept.delete(name),
    clear: () => kept.clear(),
    key: (index: number) => [...kept.keys()][index] ?? null,
    get length() {
      return kept.size;
    },
  };
}

const ME = { query: "{ me { name } }", variables: "{}" };
const LOGIN = { query: 'mutation { login(password: "secret") { token } }', variables: "{}" };

test("a history is stored without headers, at any depth", () => {
  const kept = safeStorage(storage(), storage());
  kept.setItem("queries", JSON.stringify({ queries: [{ ...ME, headers: '{"a": "secret"}' }] }));
  expect(JSON.parse(kept.getItem("queries")!)).toEqual({ queries: [{ ...ME, headers: null }] });
});

test("tabs are stored without passwords, except known ones", () => {
  const kept = safeStorage(storage(), storage(), ["secret"]);
  const tabs = [LOGIN, { ...LOGIN, query: LOGIN.query.replace("secret", "another") }];
  kept.setItem("graphiql:tabState", JSON.stringify({ activeTabIndex: 0, tabs }));
  expect(JSON.parse(kept.getItem("graphiql:tabState")!).tabs).toEqual([
    LOGIN,
    { ...LOGIN, query: LOGIN.query.replace("secret", "") },
  ]);
});

test("the history refuses an operation with a password in it", () => {
  const kept = safeStorage(storage(), storage());
  expect(() => kept.setItem("graphiql:queries", JSON.stringify({ queries: [LOGIN] }))).toThrow();
  expect(kept.getItem("graphiql:queries")).toBeNull();
});

test("the active tab's properties are read from the tabs, and stored only there", () => {
  const kept = safeStorage(storage(), storage());
  kept.setItem("graphiql:query", "{ other }");
  expect([kept.getItem("graphiql:query"), kept.length]).toEqual([null, 0]);
  const state = { activeTabIndex: 1, tabs: [ME, { query: "{ b }", variables: null }] };
  kept.setItem("graphiql:tabState", JSON.stringify(state));
  expect(kept.getItem("graphiql:query")).toBe("{ b }");
  expect(kept.getItem("graphiql:variables")).toBeNull();
});

test("the theme is shared by all tabs of the browser", () => {
  const browser = storage();
  safeStorage(storage(), browser).setItem("graphiql:theme", "dark");
  expect(safeStorage(storage(), browser).getItem("graphiql:theme")).toBe("dark");
});

test.each(["{ me { name } }", "0.5", "", "[]"])("%j is kept as it is", (text) => {
  const kept = safeStorage(storage(), storage());
  kept.setItem("any", text);
  expect(kept.getItem("any")).toBe(text);
});

test("clearing removes GraphiQL's entries, and leaves the session", () => {
  const [tab, browser] = [storage(), storage()];
  const kept = safeStorage(tab, browser);
  tab.setItem("gql_app:session", "{}");
  for (const name of ["graphiql:tabState", "graphiql:queries", "graphiql:theme"])
    kept.setItem(name, "1");
  kept.removeItem("graphiql:queries");
  kept.clear();
  expect([tab.getItem("gql_app:session"), kept.length, browser.length]).toEqual(["{}", 1, 0]);
});
