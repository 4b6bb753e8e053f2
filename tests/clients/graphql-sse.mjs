// graphql-sse, which asks for answers as server-sent events.
import { createClient } from "graphql-sse";
import { LIST } from "./operations.mjs";

export const scenarios = {
  async list({ url, token }) {
    const client = createClient({ url, headers: { authorization: `Bearer ${token}` } });
    for await (const result of client.iterate({ query: LIST, variables: { first: 3 } }))
      return result;
  },
};
