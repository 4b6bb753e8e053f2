import { expect, test, vi } from "vitest";
import type { Answer } from "./answer";
import type { Exchange } from "./exchange";
import { stoppable } from "./stoppable";

const DONE = { data: { me: null } };
const EXCHANGE: Exchange = { reply: null, duration: 1 };

interface Answering {
  subscribe: (observer: object) => { unsubscribe: () => void };
}

/** Start a request; return the mocks that its answer reaches, and a function that stops it. */
function started(answer: () => Promise<Answer>) {
  const seen = { show: vi.fn(), next: vi.fn(), complete: vi.fn() };
  const fetcher = stoppable(
    (note) => async () => {
      const answered = await answer();
      note(EXCHANGE);
      return answered as never;
    },
    seen.show,
  );
  const answering = fetcher({ query: "{ me { name } }" }) as unknown as Answering;
  return { seen, stop: answering.subscribe(seen).unsubscribe };
}

test("an answer is returned and shown once", async () => {
  const { seen } = started(async () => DONE);
  await vi.waitFor(() => expect(seen.complete).toHaveBeenCalledOnce());
  expect(seen.next.mock.calls).toEqual([[DONE]]);
  expect(seen.show.mock.calls).toEqual([[DONE, EXCHANGE]]);
});

test("once it is stopped nothing is returned or shown", async () => {
  let answer: (answer: Answer) => void = () => {};
  const answered = new Promise<Answer>((resolve) => (answer = resolve));
  const { seen, stop } = started(() => answered);
  stop();
  answer(DONE);
  await answered;
  await new Promise((done) => setTimeout(done));
  for (const each of Object.values(seen)) expect(each).not.toHaveBeenCalled();
});

test("a request that can't be sent is reported in a sentence", async () => {
  const { seen } = started(async () => {
    throw new TypeError("no header at all");
  });
  await vi.waitFor(() => expect(seen.complete).toHaveBeenCalledOnce());
  const message = "Not sent. TypeError: no header at all";
  expect(seen.next.mock.calls).toEqual([[{ errors: [{ message }] }]]);
  expect(seen.show.mock.calls).toEqual([[expect.anything(), { reply: null, duration: 0 }]]);
});
