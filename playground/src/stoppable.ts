/** A fetcher that GraphiQL can unsubscribe from, as it does when another tab is opened. */
import type { Fetcher } from "@graphiql/toolkit";
import type { Answer } from "./answer";
import type { Exchange } from "./exchange";
import type { Note } from "./fetcher";

interface Observer {
  next: (answer: Answer) => void;
  complete: () => void;
}

const UNSENT: Exchange = { reply: null, duration: 0 };

/** Called with an answer and its outcome; an introspection has no outcome. */
export type Show = (answer: Answer, exchange: Exchange | null) => void;

/**
 * Make a fetcher that returns and shows nothing once it is unsubscribed.
 *
 * GraphiQL would show a promise's result in whichever tab is open by then.
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
        // An invalid header: GraphiQL by itself would show the stack as well.
        (error: unknown) => give({ errors: [{ message: `Not sent. ${error}` }] }, UNSENT),
      );
      return { unsubscribe: () => void (isStopped = true) };
    };
    return { subscribe } as ReturnType<Fetcher>;
  };
}
