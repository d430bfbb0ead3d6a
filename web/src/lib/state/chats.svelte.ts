/** Everybody whom this user talks with, as the node tells it: by calls at first, then by its events. */
import { ApiError, call } from '../api/client.ts';
import { Stream } from '../api/stream.ts';
import type { Conversation, Event, Message, Trust } from '../api/types.ts';
import { isNews } from '../logic/news.ts';
import { drafts } from './drafts.svelte.ts';
import { announce, tell } from './notices.svelte.ts';
import { place } from './route.svelte.ts';
import { sending } from './sending.svelte.ts';
import { prefs } from './prefs.svelte.ts';
import { session } from './session.svelte.ts';
import { Talk } from './talk.svelte.ts';

const RECOUNT_MS = 600;

class Chats {
  known: Record<string, Conversation> = $state({});
  /** User ids, the latest conversation first. */
  order: string[] = $state([]);
  loaded = $state(false);
  talk: Talk | null = $state.raw(null);
  #stream: Stream | null = null;
  #recounting: ReturnType<typeof setTimeout> | undefined;

  get list(): Conversation[] {
    const all = this.order.flatMap((id) => this.known[id] ?? []);
    const pinned = (one: Conversation) => prefs.pinned.includes(one.user_id);
    return [...all.filter(pinned), ...all.filter((one) => !pinned(one))];
  }

  get unread(): number {
    return this.list.reduce((sum, one) => sum + (prefs.muted.includes(one.user_id) ? 0 : one.unread), 0);
  }

  named(user: string | null): Conversation | null {
    return Object.values(this.known).find((one) => one.user === user) ?? null;
  }

  start(): void {
    sending.onSent = (message) => this.#message(message);
    this.#stream ??= new Stream({
      opened: () => void this.#opened(),
      closed: () => this.#closed(),
      happened: (event) => this.#happened(event),
    });
  }

  stop(): void {
    this.#stream?.close();
    this.#stream = null;
    this.talk = null;
    drafts.forget();
    this.known = {};
    this.order = [];
    this.loaded = false;
  }

  /** Opens the conversation with somebody, who may be new here. */
  async open(user: string): Promise<Conversation | null> {
    const found = this.named(user) ?? (await this.#meet(user));
    if (found === null) return null;
    if (this.talk?.userId !== found.user_id) {
      this.talk = new Talk(found.user, found.user_id);
      await this.talk.open(found.unread);
    }
    return found;
  }

  async #meet(user: string): Promise<Conversation | null> {
    const trust = await call('GET /people/{user}/trust', { path: { user } });
    const person = await call('GET /people', { query: { query: user } }).catch(() => ({ people: [] }));
    const seen = person.people.find(({ user_id }) => user_id === trust.user_id);
    const now = this.known[trust.user_id];
    this.known[trust.user_id] = now ?? empty(trust, seen?.status ?? 'offline', seen?.last_seen ?? null);
    return this.known[trust.user_id] ?? null;
  }

  async markRead(one: Conversation): Promise<void> {
    if (one.unread === 0) return;
    one.unread = 0;
    await call('POST /conversations/{user}/read', { path: { user: one.user } }).catch(() => this.#recount());
  }

  async load(): Promise<void> {
    const { conversations } = await call('GET /conversations');
    const fresh = Object.fromEntries(conversations.map((one) => [one.user_id, one]));
    const open = this.talk === null ? undefined : this.known[this.talk.userId];
    this.known = open === undefined || fresh[open.user_id] ? fresh : { ...fresh, [open.user_id]: open };
    this.order = conversations.map((one) => one.user_id);
    this.loaded = true;
  }

  decided(trust: Trust): void {
    const one = this.known[trust.user_id];
    if (one === undefined) return;
    one.user = trust.user;
    one.verified = trust.verified;
    one.key_changed = trust.key_changed;
    one.blocked = trust.blocked;
    one.waits = trust.waits;
  }

  async #opened(): Promise<void> {
    session.connected = true;
    try {
      await Promise.all([this.load(), session.refresh(), drafts.load()]);
      if (this.talk?.ready && !this.talk.part.newer) await this.talk.latest();
      await sending.flush();
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      if (!problem.away) void session.begin();
    }
  }

  #closed(): void {
    session.connected = false;
    void call('GET /door')
      .then((door) => (door.open ? undefined : session.begin()))
      .catch(() => undefined); // the node is away; the stream tries again
  }

  #happened(event: Event): void {
    switch (event.type) {
      case 'message':
        return this.#message(event.message);
      case 'state':
        return this.#state(event.message);
      case 'deleted':
        if (this.talk?.userId === event.user_id) this.talk.deleted(event.id);
        return this.#recount();
      case 'presence':
        return this.#presence(event.user_id, event.status, event.last_seen, event.deleted);
      case 'contact':
        return this.decided(event.contact);
      case 'account':
        if (event.reason === 'renamed') session.renamedFrom = session.status?.username ?? '';
        return void session.begin();
      case 'reset':
        return void this.#opened();
    }
  }

  #message(message: Message): void {
    const one = this.known[message.conversation];
    const isNew = one?.last_message?.id !== message.id;
    if (this.talk?.userId === message.conversation) this.talk.changed(message);
    if (one !== undefined) {
      one.last_message = message;
      if (isNew && isNews(message, { open: this.#isSeen(message), muted: false })) one.unread += 1;
      this.order = [one.user_id, ...this.order.filter((id) => id !== one.user_id)];
    }
    if (isNew) this.#tell(message);
    this.#recount();
  }

  #tell(message: Message): void {
    if (message.mine || message.kind !== 'text') return;
    announce(message);
    const muted = prefs.muted.includes(message.conversation);
    if (isNews(message, { open: this.#isSeen(message), muted })) tell(message, () => place.go({ chat: message.from }));
  }

  #isSeen(message: Message): boolean {
    return this.talk?.userId === message.conversation && !this.talk.part.newer && document.hasFocus();
  }

  #state(message: Message): void {
    const one = this.known[message.conversation];
    if (one?.last_message?.id === message.id) one.last_message = message;
    if (this.talk?.userId === message.conversation) this.talk.stateOf(message);
    this.#recount();
  }

  #presence(id: string, status: Conversation['status'], seen: string | null, deleted: boolean): void {
    const one = this.known[id];
    if (one !== undefined) Object.assign(one, { status, last_seen: seen, deleted });
  }

  /** Counts that other tabs and devices may have changed: asked for once things are quiet. */
  #recount(): void {
    clearTimeout(this.#recounting);
    this.#recounting = setTimeout(() => void Promise.all([this.load(), session.refresh()]).catch(() => undefined), RECOUNT_MS);
  }
}

function empty(trust: Trust, status: Conversation['status'], seen: string | null): Conversation {
  const { user, user_id, verified, key_changed, blocked, waits } = trust;
  const about = { user, user_id, verified, key_changed, blocked, waits };
  return { ...about, status, last_seen: seen, unread: 0, pending: 0, last_message: null, deleted: false };
}

export const chats = new Chats();
