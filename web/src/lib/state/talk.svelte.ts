/** One conversation that is open: the part of it that is on the page, kept in step with the node. */
import { call, sentence } from '../api/client.ts';
import type { Message, MessagesPage } from '../api/types.ts';
import { EMPTY, PAGE, aroundUnread, withLatest, withMessage, withNewer, withOlder, without, type Part } from '../logic/window.ts';

const MOST_AT_ONCE = 1000;
const SETTLE_MS = 400;

export class Talk {
  part: Part = $state.raw(EMPTY);
  /** The first message that was unread when the conversation was opened: a line stands above it. */
  unreadFrom: string | null = $state(null);
  /** Whether the latest messages, or those asked for, are here. */
  ready = $state(false);
  problem = $state('');
  #loading = false;
  #settling: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly user: string,
    readonly userId: string,
  ) {}

  /** Loads the end, far enough back to show where reading was left off. */
  async open(unread: number): Promise<void> {
    const wanted = Math.min(MOST_AT_ONCE, unread > 0 ? Math.max(PAGE, unread + 20) : PAGE);
    await this.#load(async () => {
      const page = await this.#page({ limit: wanted });
      this.part = aroundUnread(page.messages, unread, page.more);
      this.unreadFrom = firstUnread(page.messages, unread);
      this.ready = true;
    });
  }

  /** Loads what stands around a message that was found. */
  async openAt(message: Message): Promise<void> {
    await this.#load(async () => {
      const [before, after] = await Promise.all([
        this.#page({ before: message.id, limit: PAGE }),
        this.#page({ after: message.id, limit: PAGE }),
      ]);
      const messages = [...before.messages, message, ...after.messages];
      this.part = { messages, older: before.more, newer: after.more };
      this.ready = true;
    });
  }

  async older(): Promise<void> {
    const first = this.part.messages[0];
    if (first === undefined || !this.part.older) return;
    await this.#load(async () => {
      const page = await this.#page({ before: first.id, limit: PAGE });
      this.part = withOlder(this.part, page.messages, page.more);
    });
  }

  async newer(): Promise<void> {
    const last = this.part.messages.at(-1);
    if (last === undefined || !this.part.newer) return;
    await this.#load(async () => {
      const page = await this.#page({ after: last.id, limit: PAGE });
      this.part = withNewer(this.part, page.messages, page.more);
    });
  }

  /** The end as the node has it; also what came while the page was not connected. */
  async latest(): Promise<void> {
    await this.#load(async () => {
      const page = await this.#page({ limit: PAGE });
      this.part = withLatest(this.part, page.messages, page.more);
      this.ready = true;
    });
  }

  changed(message: Message): void {
    if (!this.ready) return;
    const known = this.part.messages.some(({ id }) => id === message.id);
    this.part = withMessage(this.part, message);
    if (!known) this.#settle();
  }

  stateOf(message: Message): void {
    if (this.part.messages.some(({ id }) => id === message.id)) this.part = withMessage(this.part, message);
  }

  deleted(id: string | null): void {
    this.part = without(this.part, id);
  }

  /** Messages of both that crossed have one order at both ends, which only the node knows: it is asked soon after. */
  #settle(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      if (!this.part.newer) void this.latest();
    }, SETTLE_MS);
  }

  async #load(work: () => Promise<void>): Promise<void> {
    if (this.#loading) return;
    this.#loading = true;
    try {
      await work();
      this.problem = '';
    } catch (problem) {
      this.problem = sentence(problem);
    } finally {
      this.#loading = false;
    }
  }

  #page(query: { before?: string; after?: string; limit: number }): Promise<MessagesPage> {
    return call('GET /conversations/{user}/messages', { path: { user: this.user }, query });
  }
}

/** The id of the first of the last n messages of the other that are not read. */
function firstUnread(messages: readonly Message[], unread: number): string | null {
  const waiting = messages.filter((message) => !message.mine && message.state !== 'read');
  return unread > 0 ? (waiting.at(-Math.min(unread, waiting.length))?.id ?? null) : null;
}
