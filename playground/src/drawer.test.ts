import { expect, test } from "vitest";
import { drawer } from "./drawer";

function storage() {
  const kept = new Map<string, string>();
  return {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, text: string) => void kept.set(name, text),
    removeItem: (name: string) => void kept.delete(name),
    clear: () => kept.clear(),
    get length() {
      return kept.size;
    },
  };
}

test("a history is kept without its headers, however deep they are", () => {
  const kept = drawer(storage());
  const query = { query: "{ me { name } }", variables: "{}" };
  kept.setItem("queries", JSON.stringify({ queries: [{ ...query, headers: '{"a": "secret"}' }] }));
  expect(JSON.parse(kept.getItem("queries")!)).toEqual({ queries: [{ ...query, headers: null }] });
});

test.each(["{ me { name } }", "0.5", "", "[]"])("%j is kept as it is", (text) => {
  const kept = drawer(storage());
  kept.setItem("any", text);
  expect(kept.getItem("any")).toBe(text);
});

test("it is otherwise the storage that it is in", () => {
  const kept = drawer(storage());
  kept.setItem("one", "1");
  kept.setItem("two", "2");
  kept.removeItem("one");
  expect([kept.length, kept.getItem("one")]).toEqual([1, null]);
  kept.clear();
  expect(kept.length).toBe(0);
});
