/** The worker that completes and validates operations, and shows each field's access rule. */
import { initialize } from "monaco-editor/esm/vs/editor/editor.worker.js";
import { GraphQLWorker } from "monaco-graphql/esm/GraphQLWorker.js";
import { access } from "./access";

type Item = Awaited<ReturnType<GraphQLWorker["doComplete"]>>[number];

class Worker extends GraphQLWorker {
  override async doComplete(...where: Parameters<GraphQLWorker["doComplete"]>): Promise<Item[]> {
    return (await super.doComplete(...where)).map(marked);
  }
}

/** Show the access rule of a field before its type, since a long type is cut off. */
function marked(item: Item): Item {
  const { documentation, label, detail } = item;
  const who = access(typeof documentation === "string" ? documentation : documentation?.value);
  if (!who) return item;
  // Monaco accepts a label in parts too, which monaco-graphql's types lack.
  const parts = { label, description: `${who} · ${detail ?? ""}` } as unknown as string;
  return { ...item, label: parts, insertText: item.insertText ?? label };
}

globalThis.onmessage = () => initialize((context, data) => new Worker(context, data));
