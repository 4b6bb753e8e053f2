/** A request as a curl command. */
import { parse, print, separateOperations } from "graphql";
import { operationNames } from "./answer";
import type { Request } from "./post";

/** Return a command for a POSIX shell that sends a request as the page does. */
export function curl(url: string, request: Request, headers: Headers): string {
  const all = new Headers(headers);
  all.set("content-type", "application/json");
  const lines = [...all].map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  const body = JSON.stringify({ ...request, query: selected(request) });
  return [`curl ${quoted(url)}`, ...lines, `--data-raw ${quoted(body)}`].join(" \\\n  ");
}

/** Return the requested operation of several, with the fragments that it needs. */
function selected({ query, operationName }: Request): string {
  if (operationNames(query).length < 2) return query;
  const operation = separateOperations(parse(query))[operationName ?? ""];
  return operation ? print(operation) : query;
}

/** Quote a word for a POSIX shell. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
