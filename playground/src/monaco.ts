/** The editors' web workers, from files of this build, and the preloading of their code. */
import type { Environment } from "monaco-editor";
import EditorWorker from "monaco-editor/esm/vs/editor/editor.worker.js?worker";
import JsonWorker from "monaco-editor/esm/vs/language/json/json.worker.js?worker";
import GraphQLWorker from "./graphql.worker?worker";

const makers: Record<string, new () => Worker> = { json: JsonWorker, graphql: GraphQLWorker };

Object.assign(globalThis, {
  MonacoEnvironment: {
    getWorker: (_id: string, label: string) => new (makers[label] ?? EditorWorker)(),
  } satisfies Environment,
});

// Loaded with the page: GraphiQL imports it only once it has started.
void import("monaco-graphql/esm/monaco-editor.js");
