/** Writes src/generated.ts: a type and a document for each operation of src/operations.graphql. */
import { readFile, writeFile } from "node:fs/promises";
import { codegen } from "@graphql-codegen/core";
import * as typedDocuments from "@graphql-codegen/typed-document-node";
import * as types from "@graphql-codegen/typescript-operations";
import { parse } from "graphql";

const filename = new URL("src/generated.ts", import.meta.url);
const read = async (path) => parse(await readFile(new URL(path, import.meta.url), "utf8"));

const generated = await codegen({
  schema: await read("../../schema.graphql"),
  documents: [{ document: await read("src/operations.graphql") }],
  config: {
    scalars: { DateTime: "string", JSON: "unknown" },
    strictScalars: true,
    useTypeImports: true,
  },
  pluginMap: { types, typedDocuments },
  plugins: [{ types: {} }, { typedDocuments: {} }],
  filename: filename.pathname,
});
await writeFile(filename, generated);
