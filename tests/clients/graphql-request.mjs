// graphql-request 7.
import { GraphQLClient, request } from "graphql-request";
import { LIST, SIGN_IN } from "./operations.mjs";

const variables = { first: 3 };

function authorised({ token }, options = {}) {
  return { headers: { authorization: `Bearer ${token}` }, ...options };
}

export const scenarios = {
  async list(given) {
    const { customers } = await request(given.url, LIST, variables, authorised(given).headers);
    return customers.nodes.length;
  },

  async sign_in({ url, email, password }) {
    return (await request(url, SIGN_IN, { email, password })).login.status;
  },

  refused: ({ url }) => request(url, LIST, variables),

  async get(given) {
    const client = new GraphQLClient(given.url, authorised(given, { method: "GET" }));
    return (await client.request(LIST, variables)).customers.nodes.length;
  },

  async batch(given) {
    const client = new GraphQLClient(given.url, authorised(given));
    return client.batchRequests([{ document: LIST, variables }, { document: "{ __typename }" }]);
  },
};
