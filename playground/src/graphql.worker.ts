/** The thread that completes and checks operations, and says of each field who may ask for it. */
import { initialize } from "monaco-editor/esm/vs/editor/editor.worker.js";
import { GraphQLWorker } from "monaco-graphql/esm/GraphQLWorker.js";
import { access } from "./access";

type Item = Awaited<ReturnType<GraphQLWorker["doComplete"]>>[number];

class Worker extends GraphQLWorker {
  override async doComplete(...where: Parameters<GraphQLWorker["doComplete"]>): Promise<Item[]> {
    return (await super.doComplete(...where)).map(marked);
  }
}

/** Put who may ask before the type of a field that is not for everybody: a long type is cut off. */
function marked(item: Item): Item {
  const { documentation, label, detail } = item;
  const who = access(typeof documentation === "string" ? documentation : documentation?.value);
  if (!who) return item;
  // Monaco takes a label in parts as well, which monaco-graphql's types don't know.
  const parts = { label, description: `${who} · ${detail ?? ""}` } as unknown as string;
  return { ...item, label: parts, insertText: item.insertText ?? label };
}

globalThis.onmessage = () => initialize((context, data) => new Worker(context, data));
