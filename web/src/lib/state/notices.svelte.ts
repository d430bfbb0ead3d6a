/** Telling the user of something: aloud for screen readers, by a sound, on the desktop, in a line at the bottom. */
import type { Message } from '../api/types.ts';
import { say } from '../i18n/language.svelte.ts';
import { prefs } from './prefs.svelte.ts';

export const notices = $state({ spoken: '', toast: '' });
let gone: ReturnType<typeof setTimeout> | undefined;

export function announce(message: Message): void {
  notices.spoken = say().talk.newMessage(message.from, message.text.slice(0, 300));
}

export function toast(text: string): void {
  notices.toast = text;
  clearTimeout(gone);
  gone = setTimeout(() => (notices.toast = ''), 4000);
}

/** A message that is not on the screen: sound and desktop notification, as far as they are wanted. */
export function tell(message: Message, open: () => void): void {
  if (prefs.sound) beep();
  if (!prefs.desktop || typeof Notification === 'undefined' || Notification.permission !== 'granted') return;
  const shown = new Notification(message.from, { body: message.text.slice(0, 200), tag: message.conversation, silent: true });
  shown.onclick = () => {
    focus();
    open();
    shown.close();
  };
}

let audio: AudioContext | null = null;

/** Two short notes, dot and dash; made here, so that no file is loaded. */
function beep(): void {
  if (!navigator.userActivation.hasBeenActive) return; // browsers are silent before the first click
  audio ??= new AudioContext();
  for (const [start, length] of [[0, 0.05], [0.09, 0.13]] as const) {
    const note = audio.createOscillator();
    const volume = audio.createGain();
    note.frequency.value = 660;
    volume.gain.setValueAtTime(0.05, audio.currentTime + start);
    volume.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + start + length);
    note.connect(volume).connect(audio.destination);
    note.start(audio.currentTime + start);
    note.stop(audio.currentTime + start + length);
  }
}
