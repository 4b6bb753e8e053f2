/** The button that copies what the play button would send, as a curl command. */
import { pick, ToolbarButton, tryParseJSONC, useGraphiQL } from "@graphiql/react";
import { curl } from "./curl";
import { withToken, withoutStaleName } from "./fetcher";
import type { Keeper } from "./keeper";

interface CurlButtonProps {
  keeper: Keeper;
  say: (words: string) => void;
}

export function CurlButton({ keeper, say }: CurlButtonProps) {
  const { queryEditor, variableEditor, headerEditor, operationName } = useGraphiQL(
    pick("queryEditor", "variableEditor", "headerEditor", "operationName"),
  );

  async function command(): Promise<string> {
    const request = withoutStaleName({
      query: queryEditor?.getValue() ?? "",
      variables: tryParseJSONC(variableEditor?.getValue() ?? ""),
      operationName,
    });
    const written = tryParseJSONC(headerEditor?.getValue() ?? "") ?? {};
    const typed = new Headers(written as Record<string, string>);
    const token = typed.has("authorization") ? null : await keeper.bearer();
    return curl(location.origin + location.pathname, request, withToken(token, typed));
  }

  async function copy() {
    if (!isSecureContext) {
      say("Not copied: browsers allow it only over HTTPS or on localhost.");
      return;
    }
    try {
      await navigator.clipboard.writeText(await command());
      say(keeper.state().held ? "Copied, with the token." : "Copied.");
    } catch (error) {
      say(`Not copied: the variables or headers ${error instanceof Error ? error.message : error}`);
    }
  }

  return (
    <ToolbarButton label="Copy as cURL" onClick={() => void copy()}>
      <svg className="graphiql-toolbar-icon" viewBox="0 0 24 24" aria-hidden="true">
        <path
          d="M4 6l6 6-6 6M13 18h7"
          fill="none"
          stroke="currentColor"
          strokeWidth="2"
          strokeLinecap="round"
          strokeLinejoin="round"
        />
      </svg>
    </ToolbarButton>
  );
}
