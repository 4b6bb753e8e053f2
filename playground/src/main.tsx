/** The page: a bar to sign in with, above GraphiQL. */
import "./monaco";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./style.css";
import { createRoot } from "react-dom/client";
import { Bar } from "./bar";
import { Editor } from "./editor";
import { Factors } from "./factors";
import { readFacts, type Facts } from "./facts";
import { Keeper } from "./keeper";
import { pageOf } from "./letters";
import { browsers } from "./passkeys";
import { post } from "./post";
import type { TabMessage } from "./world";

/** Tells duplicated tabs, which hold the same session, of each other's refreshes. */
const channel = new BroadcastChannel("gql_app");
const keeper = new Keeper({
  post,
  storage: sessionStorage,
  now: Date.now,
  broadcast: (message) => channel.postMessage(message),
  // Plain HTTP has no Web Locks; there the server's grace period for concurrent refreshes must do.
  withLock: async (work) =>
    navigator.locks ? await navigator.locks.request("gql_app:refresh", work) : work(),
});
const factors = new Factors(keeper, browsers());
channel.onmessage = (message: MessageEvent<TabMessage>) => keeper.receive(message.data);
setInterval(() => void keeper.tick(), 1000);

function Page({ facts }: { facts: Facts }) {
  return (
    <>
      <Bar keeper={keeper} factors={factors} facts={facts} />
      <Editor keeper={keeper} post={post} facts={facts} />
    </>
  );
}

/** Redirect a link from an older letter to its account page. */
function forward(): void {
  const page = pageOf(location.hash);
  if (page) location.replace(page);
}

addEventListener("hashchange", forward);
forward();
createRoot(document.getElementById("graphiql")!).render(<Page facts={readFacts(document)} />);
