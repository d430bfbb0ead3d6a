/** Where the user stands: before the door, locked out, or among their chats. */
import { ApiError, call } from '../api/client.ts';
import type { Account, Door, NodeStatus } from '../api/types.ts';

type View = 'starting' | 'away' | 'link' | 'welcome' | 'login' | 'recovery' | 'chats';

const NAME_KEY = 'telegraph-name';
const AGAIN = 1000;

class Session {
  view: View = $state('starting');
  door: Door = $state({ account: 'none', open: false, elsewhere: false });
  status: NodeStatus | null = $state(null);
  /** Whether the stream is open, null before the first time: without it the page shows what was. */
  connected: boolean | null = $state(null);
  recoveryCode = $state('');
  notice = $state('');
  /** The name of before, after another site's user got it at a heal, until the user has seen that. */
  renamedFrom = $state('');

  /** What works right now, in one word. */
  get works(): 'online' | 'offline' | 'ended' | 'away' | 'cut' {
    if (this.connected === false) return 'away';
    const account = this.status?.account;
    if (account === 'ended' || account === 'offline') return account;
    return this.status?.sites.some(({ up }) => !up) ? 'cut' : 'online';
  }

  get lastName(): string {
    return localStorage.getItem(NAME_KEY) ?? '';
  }

  /** Looks where we are, and goes there. Repeats itself until the node answers. */
  async begin(): Promise<void> {
    try {
      await this.#useLink();
      this.door = await call('GET /door');
      this.view = await this.#next(this.door);
    } catch (problem) {
      if (!(problem instanceof ApiError)) throw problem;
      if (this.view !== 'chats') this.view = 'away';
      setTimeout(() => void this.begin(), AGAIN);
    }
  }

  /** A link that the terminal printed carries a code behind the #, which is worth a cookie once. */
  async #useLink(): Promise<void> {
    const code = /^#\/open\/([\w-]+)$/.exec(location.hash)?.[1];
    if (code === undefined) return;
    await call('POST /browser', { body: { token: code } }).catch((problem: unknown) => {
      if (problem instanceof ApiError && problem.away) throw problem;
    });
    history.replaceState(null, '', '#/');
  }

  async #next(door: Door): Promise<View> {
    if (door.account === 'none') return door.open ? 'welcome' : 'link';
    if (!door.open || door.account === 'locked') return 'login';
    if (this.status !== null) await this.refresh(); // else the chats, which begin at once, ask for it
    return 'chats';
  }

  async refresh(): Promise<void> {
    this.status = await call('GET /status');
    if (this.status.username) localStorage.setItem(NAME_KEY, this.status.username);
  }

  async register(username: string, password: string, invite: string): Promise<void> {
    this.#entered(await call('POST /account', { body: { username, password, invite: invite || null } }));
  }

  async logIn(username: string, password: string, unlock: string, setAside: boolean): Promise<void> {
    const body = { username, password, unlock: unlock || null, set_aside: setAside };
    this.#entered(await call('POST /session', { body }));
  }

  #entered(account: Account): void {
    localStorage.setItem(NAME_KEY, account.username);
    this.recoveryCode = account.recovery_code ?? '';
    this.notice = account.provisional ? 'provisional' : account.moved ? 'moved' : '';
    if (this.recoveryCode) this.view = 'recovery';
    else void this.begin();
  }

  recoveryKept(): void {
    this.recoveryCode = '';
    void this.begin();
  }
}

export const session = new Session();
