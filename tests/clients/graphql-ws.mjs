// graphql-ws, which asks for a WebSocket.
import { createClient } from "graphql-ws";
import { WebSocket } from "ws";
import { LIST } from "./operations.mjs";

export const scenarios = {
  async list({ url }) {
    const client = createClient({
      url: url.replace("http", "ws"),
      webSocketImpl: WebSocket,
      retryAttempts: 0,
    });
    for await (const result of client.iterate({ query: LIST, variables: { first: 3 } }))
      return result;
  },

  // What the server says where graphql-ws shows its status alone.
  body: ({ url }) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url.replace("http", "ws"), "graphql-transport-ws");
      socket.on("error", reject);
      socket.on("unexpected-response", async (_, response) => {
        let body = "";
        for await (const chunk of response) body += chunk;
        resolve(JSON.parse(body).errors[0].message);
      });
    }),
};
