/** One file with a type and a document for each operation of src/operations.graphql. */
import type { CodegenConfig } from "@graphql-codegen/cli";

const config: CodegenConfig = {
  schema: "../../schema.graphql",
  documents: "src/operations.graphql",
  generates: {
    "src/generated.ts": {
      plugins: ["typescript-operations", "typed-document-node"],
      config: { scalars: { DateTime: "string" }, strictScalars: true, useTypeImports: true },
    },
  },
};
export default config;
