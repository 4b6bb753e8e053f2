/** The outcome of a request, for the status line: its status, its duration and its size. */
import type { Reply } from "./post";

export interface Exchange {
  /** Null if nothing came back. */
  reply: Pick<Reply, "status" | "size" | "requestId"> | null;
  /** Milliseconds from sending to the end of the answer. */
  duration: number;
}

/** Reason phrases of the statuses that GraphQL over HTTP uses (RFC 9110 section 15). */
const PHRASES: Record<number, string> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
};
const KILO = 1000;

/** Return the status with its reason phrase. */
export function status({ reply }: Exchange): string {
  return reply ? `${reply.status} ${PHRASES[reply.status] ?? ""}`.trim() : "No answer";
}

/** Return the duration in ms or s. */
export function duration(exchange: Exchange): string {
  const milliseconds = Math.round(exchange.duration);
  return milliseconds < KILO ? `${milliseconds} ms` : `${(milliseconds / KILO).toFixed(1)} s`;
}

/** Return the uncompressed size in bytes or kB. */
export function size(bytes: number): string {
  return bytes < KILO ? `${bytes} bytes` : `${(bytes / KILO).toFixed(1)} kB`;
}

/** Return whether the status is below 400. */
export function isOk({ reply }: Exchange): boolean {
  return reply !== null && reply.status < 400;
}
