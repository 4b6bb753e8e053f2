/** What the editors need before they are there: threads, of files of our own, and their code. */
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

// GraphiQL asks for it once it is there itself: so it comes along with the page, and not after it.
void import("monaco-graphql/esm/monaco-editor.js");
