/** Answers that GraphiQL can stop waiting for, as it does when another tab is opened. */
import type { Fetcher } from "@graphiql/toolkit";
import type { Answer } from "./answer";
import type { Exchange } from "./exchange";
import type { Note } from "./fetcher";

interface Observer {
  next: (answer: Answer) => void;
  complete: () => void;
}

const UNSENT: Exchange = { reply: null, duration: 0 };

/** Shows what else there is to an answer; an introspection has no exchange. */
export type Show = (answer: Answer, exchange: Exchange | null) => void;

/**
 * Make a fetcher that gives and shows nothing once it is stopped.
 *
 * What a promise gives, GraphiQL would show in whichever tab is open by then.
 */
export function stoppable(make: (note: Note) => Fetcher, show: Show): Fetcher {
  return (request, options) => {
    const subscribe = (observer: Observer) => {
      let isStopped = false;
      let noted: Exchange | null = null;
      const fetcher = make((exchange) => (noted = exchange));
      const give = (answer: Answer, exchange = noted) => {
        if (isStopped) return;
        show(answer, exchange);
        observer.next(answer);
        observer.complete();
      };
      Promise.resolve(fetcher(request, options)).then(
        (answer) => give(answer as Answer),
        // A header that can't be sent: GraphiQL would show the stack as well.
        (error: unknown) => give({ errors: [{ message: `Not sent. ${error}` }] }, UNSENT),
      );
      return { unsubscribe: () => void (isStopped = true) };
    };
    return { subscribe } as ReturnType<Fetcher>;
  };
}
