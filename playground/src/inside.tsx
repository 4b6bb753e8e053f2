/** What GraphiQL has that its props don't reach: its editors and tabs, and names for them. */
import {
  formatShortcutForOS,
  KEY_MAP,
  pick,
  useGraphiQL,
  useGraphiQLActions,
  useMonaco,
} from "@graphiql/react";
import { useEffect, useImperativeHandle, type Ref } from "react";
import { defineThemes } from "./theme";

/** An editor's text. */
interface Text {
  getValue: () => string;
  setValue: (text: string) => void;
}

export interface Reached {
  /** The id of the active tab. */
  tab: string | undefined;
  variables: Text | undefined;
  /** Write into the editor of operations, if it is empty. */
  fill: (text: string) => void;
  /** Take the answers of all tabs away. */
  clear: () => void;
}

const DARK = matchMedia("(prefers-color-scheme: dark)");
const FORCED = matchMedia("(forced-colors: active)");
const RUN = formatShortcutForOS(KEY_MAP.runQuery.key, "Cmd");
const WAITING = `Answers appear here. Press ${RUN} in an operation, or the play button.`;

/** Reach into GraphiQL from a place within it, and mend what screen readers make of it. */
export function Inside({ reached }: { reached: Ref<Reached> }) {
  const {
    queryEditor,
    variableEditor,
    headerEditor,
    responseEditor,
    tabs,
    activeTabIndex,
    monacoTheme,
    theme,
  } = useGraphiQL(
    pick(
      "queryEditor",
      "variableEditor",
      "headerEditor",
      "responseEditor",
      "tabs",
      "activeTabIndex",
      "monacoTheme",
      "theme",
    ),
  );
  const { setTheme } = useGraphiQLActions();
  const monaco = useMonaco((state) => state.monaco);
  useImperativeHandle(reached, () => ({
    tab: tabs[activeTabIndex]?.id,
    variables: variableEditor,
    // GraphiQL tells of a new tab before it has emptied the editor for it.
    fill: (text) => queueMicrotask(() => queryEditor?.getValue() || queryEditor?.setValue(text)),
    clear: () => {
      responseEditor?.setValue("");
      // There is no action for the answers of tabs that are not active.
      for (const tab of tabs) tab.response = null;
    },
  }));
  useEffect(() => {
    if (!monaco || !monacoTheme) return;
    defineThemes(monaco.editor);
    const apply = () => monaco.editor.setTheme(monacoTheme);
    apply();
    // Once colours are no longer forced, Monaco goes back to a theme of its own.
    FORCED.addEventListener("change", apply);
    return () => FORCED.removeEventListener("change", apply);
  }, [monaco, monacoTheme]);
  useEffect(() => {
    const follow = () => setTheme(theme);
    DARK.addEventListener("change", follow);
    return () => DARK.removeEventListener("change", follow);
  }, [theme, setTheme]);
  useEffect(() => {
    queryEditor?.updateOptions({ ariaLabel: "Operations" });
    variableEditor?.updateOptions({ ariaLabel: "Variables" });
    headerEditor?.updateOptions({ ariaLabel: "Headers" });
    responseEditor?.updateOptions({ ariaLabel: "Answer", placeholder: WAITING });
  }, [queryEditor, variableEditor, headerEditor, responseEditor]);
  useEffect(() => {
    mendTabs(activeTabIndex);
    mendPanes();
  });
  useEffect(() => {
    const plugin = document.querySelector(".graphiql-plugin");
    const observer = new MutationObserver(mendHistory);
    if (plugin) observer.observe(plugin, { childList: true, subtree: true });
    return () => observer.disconnect();
  }, []);
  return null;
}

/**
 * Make a list of buttons of the tabs, one of which is current.
 *
 * GraphiQL has the role of a tab around a button and another that closes it; no tab may hold any.
 */
function mendTabs(active: number): void {
  const list = document.querySelector(".graphiql-tabs");
  list?.setAttribute("role", "list");
  list?.querySelectorAll(".graphiql-tab").forEach((tab, index) => {
    tab.setAttribute("role", "listitem");
    tab.removeAttribute("aria-selected");
    const button = tab.querySelector(".graphiql-tab-button");
    if (index === active) button?.setAttribute("aria-current", "true");
    else button?.removeAttribute("aria-current");
  });
  document.getElementById("graphiql-session")?.setAttribute("role", "group");
}

/** Name the frames of the editors, which have the focus; the status line tells of an answer. */
function mendPanes(): void {
  const names = ["Frame of the operations", "Frame of the variables", "Frame of the headers"];
  document.querySelectorAll(".graphiql-editor").forEach((frame, index) => {
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", `${names[index]}: Enter goes in, Escape out`);
  });
  document.querySelector(".result-window")?.setAttribute("aria-live", "off");
}

/** Let the operations of the history be named by what they show, and not all alike. */
function mendHistory(): void {
  for (const button of document.querySelectorAll(".graphiql-history-item-label[aria-label]"))
    button.removeAttribute("aria-label");
}
