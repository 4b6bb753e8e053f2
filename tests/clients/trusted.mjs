// Clients of a server that runs listed documents only, which they name by the ids of their build.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { Client, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { request } from "graphql-request";

export const scenarios = {
  async apollo({ url, id, text }) {
    const link = ApolloLink.from([
      new PersistedQueryLink({ generateHash: () => id }),
      new HttpLink({ uri: url }),
    ]);
    const client = new ApolloClient({ cache: new InMemoryCache(), link });
    return (await client.query({ query: gql(text) })).data.token.valid;
  },

  async urql({ url, id, text }) {
    const listed = { enforcePersistedQueries: true, generateHash: async () => id };
    const client = new Client({ url, exchanges: [persistedExchange(listed), fetchExchange] });
    const { data, error } = await client.query(text, {});
    if (error) throw error;
    return data.token.valid;
  },

  "graphql-request": async ({ url, text }) => (await request(url, text)).token.valid,

  unlisted: ({ url }) => request(url, "{ __typename }"),
};
