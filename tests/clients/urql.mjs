// urql 6, framework-free; its bindings for React, Vue and Svelte send by the same exchanges.
import { Client, cacheExchange, fetchExchange } from "@urql/core";
import { persistedExchange } from "@urql/exchange-persisted";
import { DEFERRED, LIST, SIGN_IN } from "./operations.mjs";

function connect({ url, token }, exchanges = [cacheExchange, fetchExchange]) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  return new Client({ url, exchanges, fetchOptions: { headers } });
}

async function told(operation) {
  const { data, error } = await operation;
  if (error) throw error;
  return data;
}

async function list(client) {
  return (await told(client.query(LIST, { first: 3 }))).customers.nodes.length;
}

async function persisted(given, name, options) {
  const connected = () =>
    connect(given, [cacheExchange, persistedExchange(options), fetchExchange]);
  const query = `query ${name} { customers(first: 2) { nodes { id } } }`;
  await told(connected().query(query, {}));
  // Another page of the same application: the server knows the query by now.
  return (await told(connected().query(query, {}))).customers.nodes.length;
}

export const scenarios = {
  list: (given) => list(connect(given)),

  async sign_in({ url, email, password }) {
    return (await told(connect({ url }).mutation(SIGN_IN, { email, password }))).login.status;
  },

  refused: ({ url }) => list(connect({ url })),

  // Beyond 2,048 characters of an address urql sends by POST.
  async long(given) {
    const query = LIST.replace("List", `List${"AndMore".repeat(300)}`);
    return (await told(connect(given).query(query, { first: 3 }))).customers.nodes.length;
  },

  persisted: (given) => persisted(given, "UrqlByDefault"),

  persisted_post: (given) =>
    persisted(given, "UrqlByPost", { preferGetForPersistedQueries: false }),

  async persisted_mutation({ url, email, password }) {
    const exchanges = [persistedExchange({ enableForMutation: true }), fetchExchange];
    const query = SIGN_IN.replace("SignIn", "SignInByUrql");
    const { login } = await told(connect({ url }, exchanges).mutation(query, { email, password }));
    return login.status;
  },

  deferred: (given) => told(connect(given).query(DEFERRED, {})),
};
