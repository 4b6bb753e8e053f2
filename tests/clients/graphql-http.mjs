// graphql-http's client.
import { createClient } from "graphql-http";
import { LIST, SIGN_IN } from "./operations.mjs";

const variables = { first: 3 };

function run(options, operation) {
  return new Promise((resolve, reject) => {
    const sink = { next: resolve, error: reject, complete: () => {} };
    createClient(options).subscribe(operation, sink);
  });
}

export const scenarios = {
  async list({ url, token }) {
    const headers = { authorization: `Bearer ${token}` };
    const { data } = await run({ url, headers }, { query: LIST, variables });
    return data.customers.nodes.length;
  },

  async sign_in({ url, email, password }) {
    const operation = { query: SIGN_IN, variables: { email, password } };
    return (await run({ url }, operation)).data.login.status;
  },

  async refused({ url }) {
    try {
      return await run({ url }, { query: LIST, variables });
    } catch (error) {
      // The message has the status alone; the answer is beside it.
      const { errors } = await error.response.json();
      throw Object.assign(error, { errors });
    }
  },
};
