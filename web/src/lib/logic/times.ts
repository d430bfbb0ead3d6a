/** Times as people say them, by the browser's own knowledge of languages. Pure: the caller says what time it is. */
const DAY_MS = 86_400_000;

export function clock(timestamp: string, language: string): string {
  return new Intl.DateTimeFormat(language, { hour: 'numeric', minute: '2-digit' }).format(new Date(timestamp));
}

export function full(timestamp: string, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'full', timeStyle: 'medium' }).format(new Date(timestamp));
}

/** A day and a time of day, short enough for a list. */
export function moment(timestamp: string, language: string): string {
  return new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(timestamp));
}

function daysAgo(time: Date, now: Date): number {
  const start = (day: Date) => new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
  return Math.round((start(now) - start(time)) / DAY_MS);
}

/** "Today", "Yesterday", a weekday within a week, else the date. */
export function dayName(timestamp: string, now: Date, language: string): string {
  const time = new Date(timestamp);
  const ago = daysAgo(time, now);
  if (ago >= 0 && ago < 2) return capital(new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(-ago, 'day'));
  if (ago >= 2 && ago < 7) return capital(new Intl.DateTimeFormat(language, { weekday: 'long' }).format(time));
  const year = time.getFullYear() === now.getFullYear() ? undefined : 'numeric';
  return new Intl.DateTimeFormat(language, { day: 'numeric', month: 'long', year }).format(time);
}

/** For a list: the time of day today, else the day. */
export function short(timestamp: string, now: Date, language: string): string {
  const time = new Date(timestamp);
  const ago = daysAgo(time, now);
  if (ago <= 0) return clock(timestamp, language);
  if (ago < 7) return new Intl.DateTimeFormat(language, { weekday: 'short' }).format(time);
  return new Intl.DateTimeFormat(language, { day: 'numeric', month: 'numeric', year: '2-digit' }).format(time);
}

/** "5 minutes ago" and the like. */
export function ago(timestamp: string, now: Date, language: string): string {
  const seconds = Math.max(0, Math.round((now.getTime() - Date.parse(timestamp)) / 1000));
  const words = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  if (seconds < 60) return words.format(0, 'second');
  if (seconds < 3600) return words.format(-Math.floor(seconds / 60), 'minute');
  if (seconds < 86_400) return words.format(-Math.floor(seconds / 3600), 'hour');
  return words.format(-Math.floor(seconds / 86_400), 'day');
}

function capital(text: string): string {
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}
