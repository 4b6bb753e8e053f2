/** What monaco-editor has no types for: the beginning of a thread of its own. */
declare module "monaco-editor/esm/vs/editor/editor.worker.js" {
  import type { worker } from "monaco-editor";
  import type { ICreateData } from "monaco-graphql/esm/typings";

  export function initialize(
    make: (context: worker.IWorkerContext, data: ICreateData) => object,
  ): void;
}
