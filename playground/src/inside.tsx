/** Access to the parts of GraphiQL that its props don't reach: editors, tabs and ARIA labels. */
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
  /** Set the text of the operations editor, if it is empty. */
  fill: (text: string) => void;
  /** Remove the answers of all tabs. */
  clear: () => void;
}

const DARK = matchMedia("(prefers-color-scheme: dark)");
const FORCED = matchMedia("(forced-colors: active)");
const RUN = formatShortcutForOS(KEY_MAP.runQuery.key, "Cmd");
const WAITING = `Answers appear here. Press ${RUN} in an operation, or the play button.`;

/** Render nothing inside GraphiQL, to use its context; set its theme, and fix its accessibility. */
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
    // GraphiQL reports a new tab before it has emptied the editor for it.
    fill: (text) => queueMicrotask(() => queryEditor?.getValue() || queryEditor?.setValue(text)),
    clear: () => {
      responseEditor?.setValue("");
      // GraphiQL has no action that clears the answers of inactive tabs.
      for (const tab of tabs) tab.response = null;
    },
  }));
  useEffect(() => {
    if (!monaco || !monacoTheme) return;
    defineThemes(monaco.editor);
    const apply = () => monaco.editor.setTheme(monacoTheme);
    apply();
    // Once colours are no longer forced, Monaco goes back to its default theme.
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
 * Turn the ARIA tabs into a list of buttons, one of which is current.
 *
 * GraphiQL wraps two buttons, to select and to close, in role=tab, which may not contain buttons.
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

/** Label the editors' focusable frames; the status line announces answers, not their pane. */
function mendPanes(): void {
  const names = ["Frame of the operations", "Frame of the variables", "Frame of the headers"];
  document.querySelectorAll(".graphiql-editor").forEach((frame, index) => {
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", `${names[index]}: Enter goes in, Escape out`);
  });
  document.querySelector(".result-window")?.setAttribute("aria-live", "off");
}

/** Remove the labels of the history's items, which are all the same, in favour of their text. */
function mendHistory(): void {
  for (const button of document.querySelectorAll(".graphiql-history-item-label[aria-label]"))
    button.removeAttribute("aria-label");
}
