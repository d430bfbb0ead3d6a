/** The part of the address behind the #: which conversation or panel is open. The browser's back and forward work. */
export interface Route {
  chat: string | null;
  panel: 'settings' | 'network' | 'trust' | 'why' | null;
}

const PANELS = ['settings', 'network', 'trust', 'why'] as const;

export function parse(hash: string): Route {
  const parts = hash.replace(/^#\/?/, '').split('/').map(decode);
  const chat = parts[0] === 'chat' && parts[1] ? parts[1] : null;
  return { chat, panel: PANELS.find((name) => name === parts[chat === null ? 0 : 2]) ?? null };
}

export function hashOf(route: Route): string {
  const chat = route.chat === null ? '' : `chat/${encodeURIComponent(route.chat)}/`;
  return `#/${chat}${route.panel ?? ''}`;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return '';
  }
}

class Place {
  now: Route = $state(parse(typeof location === 'undefined' ? '' : location.hash));

  constructor() {
    if (typeof addEventListener !== 'undefined') addEventListener('hashchange', () => (this.now = parse(location.hash)));
  }

  go(change: Partial<Route>): void {
    location.hash = hashOf({ ...this.now, panel: null, ...change });
  }
}

export const place = new Place();
