/** The page: a bar that signs in, above GraphiQL. */
import "./workers";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./style.css";
import { createRoot } from "react-dom/client";
import { Bar } from "./bar";
import { Editor } from "./editor";
import { readFacts } from "./facts";
import { makeFetcher } from "./fetcher";
import { Keeper, type Word } from "./keeper";
import { post } from "./post";
import { resetToken } from "./reset";

/** Tabs that hold the same session, one a duplicate of the other, hear each other's refreshes. */
const channel = new BroadcastChannel("gql_app");
const keeper = new Keeper({
  post,
  storage: sessionStorage,
  now: Date.now,
  tell: (word) => channel.postMessage(word),
  // Over plain HTTP there are no locks: then the server's grace for tabs that race has to do.
  alone: async (work) =>
    navigator.locks ? await navigator.locks.request("gql_app:refresh", work) : work(),
});
channel.onmessage = (message: MessageEvent<Word>) => keeper.hear(message.data);
setInterval(() => void keeper.tick(), 1000);

const facts = readFacts(document);
const reset = resetToken(location.hash);
// No token stays in the address, where it would be copied and kept with what was visited.
if (reset) history.replaceState(null, "", location.pathname);
createRoot(document.getElementById("graphiql")!).render(
  <>
    <Bar keeper={keeper} signIns={facts.signIns} />
    <Editor fetcher={makeFetcher(keeper, post)} facts={facts} reset={reset} />
  </>,
);
