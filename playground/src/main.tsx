/** The page: a bar that signs in, above GraphiQL. */
import "./workers";
import "@graphiql/react/style.css";
import "@graphiql/plugin-doc-explorer/style.css";
import "@graphiql/plugin-history/style.css";
import "graphiql/graphiql.css";
import "./style.css";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createRoot } from "react-dom/client";

createRoot(document.getElementById("graphiql")!).render(
  <>
    <header className="bar">bar</header>
    <GraphiQL fetcher={createGraphiQLFetcher({ url: location.pathname })} storage={sessionStorage} shouldPersistHeaders={false} defaultEditorToolsVisibility="variables" />
  </>,
);
