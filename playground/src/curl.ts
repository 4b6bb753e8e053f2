/** A request as a command line of curl's. */
import type { Request } from "./post";

/** Write the command that sends a request as the page does, for a shell such as bash. */
export function curl(url: string, request: Request, headers: Headers): string {
  const all = new Headers(headers);
  all.set("content-type", "application/json");
  const lines = [...all].map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  const body = JSON.stringify(request);
  return [`curl ${quoted(url)}`, ...lines, `--data-raw ${quoted(body)}`].join(" \\\n  ");
}

/** Quote a word so that no shell of POSIX reads anything into it. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
