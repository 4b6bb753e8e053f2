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

/** Tabs that hold the same session, one a duplicate of the other, hear each other's refreshes. */
const channel = new BroadcastChannel("gql_app");
const keeper = new Keeper({
  post,
  storage: sessionStorage,
  now: Date.now,
  tell: (word) => channel.postMessage(word),
});
channel.onmessage = (message: MessageEvent<Word>) => keeper.hear(message.data);
setInterval(() => void keeper.tick(), 1000);

const facts = readFacts(document);
createRoot(document.getElementById("graphiql")!).render(
  <>
    <Bar keeper={keeper} signIns={facts.signIns} />
    <Editor fetcher={makeFetcher(keeper, post)} facts={facts} />
  </>,
);
