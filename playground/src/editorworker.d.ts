/** A type that monaco-editor lacks: the entry point of a web worker. */
declare module "monaco-editor/esm/vs/editor/editor.worker.js" {
  import type { worker } from "monaco-editor";
  import type { ICreateData } from "monaco-graphql/esm/typings";

  export function initialize(
    make: (context: worker.IWorkerContext, data: ICreateData) => object,
  ): void;
}
