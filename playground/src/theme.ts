/** The editors' colours: those of the page, with enough contrast (WCAG 1.4.3). */
import type { editor } from "monaco-editor";

type Scheme = "light" | "dark";

export const THEMES: Record<Scheme, string> = { light: "gql-app-light", dark: "gql-app-dark" };

/** Colours of style.css: background, accent, accent as a background, and faint text. */
const COLOURS: Record<Scheme, [ground: string, accent: string, marked: string, faint: string]> = {
  light: ["#ffffff", "#b0067a", "#b0067a19", "#59667d"],
  dark: ["#212a3b", "#ff8ab5", "#ff8ab526", "#aab4c8"],
};
const TOKENS: Record<Scheme, [comment: string, argument: string]> = {
  light: ["#006b00", "#5a57c0"],
  dark: ["#93c47d", "#a6a1ff"],
};

/** Define both themes in Monaco. */
export function defineThemes({ defineTheme }: Pick<typeof editor, "defineTheme">): void {
  for (const scheme of ["light", "dark"] as const) defineTheme(THEMES[scheme], theme(scheme));
}

function theme(scheme: Scheme): editor.IStandaloneThemeData {
  const [ground, accent, marked, faint] = COLOURS[scheme];
  const [comment, argument] = TOKENS[scheme];
  const grounds = [
    "editorWidget",
    "editorSuggestWidget",
    "editorHoverWidget",
    "quickInput",
    "menu",
  ];
  return {
    base: scheme === "light" ? "vs" : "vs-dark",
    inherit: true,
    rules: [
      { token: "comment", foreground: comment },
      { token: "argument.identifier.gql", foreground: argument },
    ],
    colors: {
      ...Object.fromEntries(grounds.map((name) => [`${name}.background`, ground])),
      "editor.background": "#ffffff00",
      "scrollbar.shadow": "#ffffff00",
      "editorLineNumber.foreground": faint,
      "editorLineNumber.activeForeground": faint,
      "editorLineNumber.dimmedForeground": faint,
      "editorSuggestWidget.selectedBackground": marked,
      "editorSuggestWidget.selectedForeground": accent,
      "editorSuggestWidget.highlightForeground": accent,
      "editorSuggestWidget.focusHighlightForeground": accent,
      "list.hoverBackground": marked,
      "quickInputList.focusBackground": marked,
      "quickInputList.focusForeground": accent,
      "menu.selectionBackground": marked,
      "menu.selectionForeground": accent,
      "textLink.foreground": accent,
      "editorLink.activeForeground": accent,
      focusBorder: accent,
    },
  };
}
