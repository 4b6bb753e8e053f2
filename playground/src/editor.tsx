/** GraphiQL, which keeps what is typed for this tab only, and no header at all. */
import { useGraphiQL } from "@graphiql/react";
import type { Fetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { useMemo, useRef, type KeyboardEvent } from "react";
import type { Answer } from "./answer";
import { turned } from "./cursor";
import { drawer } from "./drawer";
import type { Facts } from "./facts";
import { resetting } from "./reset";
import { tour, VARIABLES } from "./tour";

/** What Escape closes before it leads out of an editor. */
const WIDGETS = ":is(.suggest-widget, .find-widget, .parameter-hints-widget).visible";
const KEPT = drawer(sessionStorage);
/** What a further tab opens with. */
const NEW_TAB = "{\n  token { valid reason message }\n}\n";

type Variables = { getValue: () => string; setValue: (text: string) => void };

/** Choose what to open with: after the first time, what was typed since is in the storage. */
function openingWith(facts: Facts, reset: string | null) {
  if (reset) return { initialQuery: resetting(reset), initialVariables: "" };
  if (sessionStorage.getItem("graphiql:tabState") !== null) return {};
  return { initialQuery: tour(facts), initialVariables: VARIABLES };
}

interface EditorProps {
  fetcher: Fetcher;
  facts: Facts;
  /** The token of a letter's link, if the page was opened by one. */
  reset: string | null;
}

export function Editor({ fetcher, facts, reset }: EditorProps) {
  const variables = useRef<Variables>(undefined);
  const paging = useMemo<Fetcher>(
    () => async (request, options) => {
      const answer = await fetcher(request, options);
      const next = turned(variables.current?.getValue() ?? "", answer as Answer);
      if (next) variables.current?.setValue(next);
      return answer;
    },
    [fetcher],
  );
  const opening = useMemo(() => openingWith(facts, reset), [facts, reset]);
  const narrow = matchMedia("(max-width: 700px)").matches;
  return (
    <main onKeyDownCapture={leave}>
      <GraphiQL
        fetcher={paging}
        storage={KEPT}
        defaultQuery={NEW_TAB}
        {...opening}
        defaultEditorToolsVisibility={narrow ? false : "variables"}
        shouldPersistHeaders={false}
      >
        <GraphiQL.Logo>
          <Reach variables={variables} />
        </GraphiQL.Logo>
      </GraphiQL>
    </main>
  );
}

/** Let Escape out of an editor, in which Tab only indents: to its frame, which Enter goes into. */
function leave(event: KeyboardEvent<HTMLElement>): void {
  if (event.key !== "Escape" || !(event.target instanceof HTMLTextAreaElement)) return;
  const frame = event.target.closest<HTMLElement>("[tabindex='0']");
  if (!frame?.querySelector(WIDGETS)) frame?.focus();
}

/** Get hold of the editor of variables, from within GraphiQL. */
function Reach({ variables }: { variables: { current: Variables | undefined } }) {
  variables.current = useGraphiQL((state) => state.variableEditor);
  return null;
}
