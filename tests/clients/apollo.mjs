// Apollo Client 4.
import { createHash } from "node:crypto";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { Defer20220824Handler } from "@apollo/client/incremental";
import { BatchHttpLink } from "@apollo/client/link/batch-http";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { DEFERRED, LIST, SIGN_IN } from "./operations.mjs";

const sha256 = (query) => createHash("sha256").update(query).digest("hex");
const variables = { first: 3 };

function connect(link, options = {}) {
  return new ApolloClient({ cache: new InMemoryCache(), link, ...options });
}

function authorised({ url, token }, options = {}) {
  return { uri: url, headers: { authorization: `Bearer ${token}` }, ...options };
}

async function list(client) {
  const { data } = await client.query({ query: gql(LIST), variables });
  return data.customers.nodes.length;
}

async function persisted(given, options) {
  const link = () =>
    ApolloLink.from([
      new PersistedQueryLink({ sha256, ...options }),
      new HttpLink(authorised(given)),
    ]);
  const query = gql(`query ${options.name} { customers(first: 2) { nodes { id } } }`);
  const client = connect(link());
  await client.query({ query });
  // Another page of the same application: the server knows the query by now.
  const { data } = await connect(link()).query({ query });
  return data.customers.nodes.length;
}

export const scenarios = {
  list: (given) => list(connect(new HttpLink(authorised(given)))),

  async sign_in({ url, email, password }) {
    const client = connect(new HttpLink({ uri: url }));
    const { data } = await client.mutate({
      mutation: gql(SIGN_IN),
      variables: { email, password },
    });
    return data.login.status;
  },

  refused: ({ url }) => list(connect(new HttpLink({ uri: url }))),

  named: (given) =>
    list(
      connect(new HttpLink(authorised(given)), {
        clientAwareness: { name: "pages", version: "1.2" },
      }),
    ),

  get: (given) => list(connect(new HttpLink(authorised(given, { useGETForQueries: true })))),

  persisted: (given) => persisted(given, { name: "ApolloByPost" }),

  persisted_get: (given) => persisted(given, { name: "ApolloByGet", useGETForHashedQueries: true }),

  async persisted_mutation({ url, email, password }) {
    const link = ApolloLink.from([new PersistedQueryLink({ sha256 }), new HttpLink({ uri: url })]);
    const { data } = await connect(link).mutate({
      mutation: gql(SIGN_IN.replace("SignIn", "SignInByApollo")),
      variables: { email, password },
    });
    return data.login.status;
  },

  async batch(given) {
    const client = connect(new BatchHttpLink(authorised(given)));
    const queries = [gql(LIST), gql("{ token { valid } }")];
    const settled = await Promise.allSettled(
      queries.map((query) => client.query({ query, variables })),
    );
    return settled.map(({ reason }) => reason?.message ?? null);
  },

  batch_of_one: (given) => list(connect(new BatchHttpLink(authorised(given)))),

  async deferred(given) {
    const link = new HttpLink(authorised(given));
    const client = connect(link, { incrementalHandler: new Defer20220824Handler() });
    return (await client.query({ query: gql(DEFERRED) })).data;
  },
};
