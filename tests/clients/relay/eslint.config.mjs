// graphql-eslint's rules for schemas and for Relay, all of them, with a reason for each exception.
import { fileURLToPath } from "node:url";
import graphql from "@graphql-eslint/eslint-plugin";

const schema = fileURLToPath(new URL("../../../schema.graphql", import.meta.url));

export default [
  {
    files: ["**/*.graphql"],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema } } },
    plugins: { "@graphql-eslint": graphql },
    rules: {
      ...graphql.configs["flat/schema-recommended"].rules,
      ...graphql.configs["flat/schema-relay"].rules,
      // Only nodes have ids: a page, an answer and what it consists of are values.
      "@graphql-eslint/strict-id-in-types": [
        "error",
        {
          exceptions: {
            suffixes: ["Connection", "Edge", "Payload"],
            types: ["PageInfo", "SecondFactorChallenge", "TokenReport", "UserError"],
          },
        },
      ],
      // Lists that are short, such as errors and roles, have no pages; `nodes` saves the edges.
      "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false }],
    },
  },
];
