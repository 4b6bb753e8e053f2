/** GraphiQL, which stores what is typed for this tab only, and never stores headers. */
import { formatResult } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import type { Answer } from "./answer";
import { nextVariables } from "./cursor";
import { CurlButton } from "./curlbutton";
import { safeStorage } from "./drawer";
import type { Facts } from "./facts";
import { makeFetcher } from "./fetcher";
import { Inside, type Reached } from "./inside";
import type { Keeper } from "./keeper";
import type { Post } from "./post";
import { StatusLine, type Answered } from "./statusline";
import { stoppable, type Show } from "./stoppable";
import { THEMES } from "./theme";
import { NEW_TAB, passwords, tour, VARIABLES } from "./tour";

/** Widgets that Escape closes before it leaves an editor. */
const WIDGETS = ":is(.suggest-widget, .find-widget, .parameter-hints-widget).visible";

interface EditorProps {
  keeper: Keeper;
  post: Post;
  facts: Facts;
}

export function Editor({ keeper, post, facts }: EditorProps) {
  const inside = useRef<Reached>(null);
  const [answered, setAnswered] = useState<Record<string, Answered>>({});
  const [said, say] = useState("");
  const fetcher = useMemo(() => {
    const show: Show = (answer, exchange) => {
      turnPage(inside.current?.variables, answer);
      if (!exchange) return;
      const tab = inside.current?.tab ?? "";
      setAnswered((before) => ({ ...before, [tab]: { exchange, text: formatResult(answer) } }));
      say("");
    };
    return stoppable((note) => makeFetcher(keeper, post, note), show);
  }, [keeper, post]);
  useEffect(
    () =>
      keeper.onEnd(() => {
        inside.current?.clear();
        setAnswered({});
      }),
    [keeper],
  );
  const kept = useMemo(() => safeStorage(sessionStorage, localStorage, passwords(facts)), [facts]);
  const opening = useMemo(() => openingWith(facts), [facts]);
  const narrow = matchMedia("(max-width: 700px)").matches;
  return (
    <main onKeyDownCapture={leave}>
      <GraphiQL
        fetcher={fetcher}
        storage={kept}
        editorTheme={THEMES}
        {...opening}
        defaultEditorToolsVisibility={narrow ? false : "variables"}
        shouldPersistHeaders={false}
        onTabChange={({ tabs, activeTabIndex }) => {
          // A new tab's query is null; one whose text was deleted is "". GraphiQL notes typed text
          // with a delay.
          if (tabs[activeTabIndex]?.query === null) inside.current?.fill(NEW_TAB);
        }}
      >
        <GraphiQL.Logo>
          <Inside reached={inside} />
        </GraphiQL.Logo>
        <GraphiQL.Toolbar>
          {({ prettify, merge, copy }) => (
            <>
              {prettify}
              {merge}
              {copy}
              <CurlButton keeper={keeper} say={say} />
            </>
          )}
        </GraphiQL.Toolbar>
        <GraphiQL.Footer>
          <StatusLine answered={answered} said={said} />
        </GraphiQL.Footer>
      </GraphiQL>
    </main>
  );
}

/** Return the initial text: the tour at first, then nothing, since GraphiQL restores its tabs. */
function openingWith(facts: Facts) {
  if (sessionStorage.getItem("graphiql:tabState") !== null) return {};
  return { initialQuery: tour(facts), initialVariables: VARIABLES };
}

/** Put the answer's endCursor into the variables. */
function turnPage(variables: Reached["variables"], answer: Answer): void {
  const next = nextVariables(variables?.getValue() ?? "", answer);
  if (next) variables?.setValue(next);
}

/** Let Escape leave an editor, in which Tab only indents, for its frame; Enter goes back in. */
function leave(event: KeyboardEvent<HTMLElement>): void {
  if (event.key !== "Escape" || !(event.target instanceof HTMLTextAreaElement)) return;
  const frame = event.target.closest<HTMLElement>("[tabindex='0']");
  if (!frame?.querySelector(WIDGETS)) frame?.focus();
}
