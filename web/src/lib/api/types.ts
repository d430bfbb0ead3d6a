// Made from the node's API and src/telegraph/protocol/node_api.py by scripts/generate_web_types.py; do not edit.

export interface Account {
  user_id: string;
  username: string;
  account: 'ended' | 'locked' | 'none' | 'offline' | 'online';
  provisional: boolean;
  moved: boolean;
  recovery_code: string | null;
}

export interface AccountDeletion {
  password: string;
  erase?: boolean;
}

export interface AccountEvent {
  type: 'account';
  cursor: number;
  account: 'ended' | 'locked' | 'none' | 'offline' | 'online';
  username: string | null;
  reason: string;
  at: string;
}

export interface AccountRequest {
  username: string;
  password: string;
  invite?: string | null;
}

export interface BlockedPeople {
  people: (Trust)[];
}

export interface BrowserLink {
  url: string;
}

export interface BrowserRequest {
  token: string;
}

export interface ContactEvent {
  type: 'contact';
  cursor: number;
  contact: Trust;
}

export interface Conversation {
  user: string;
  user_id: string;
  status: 'offline' | 'online';
  last_seen: string | null;
  unread: number;
  pending: number;
  last_message: Message | null;
  key_changed: boolean;
  waits: 'blocked' | 'key_changed' | null;
  verified: boolean;
  blocked: boolean;
  deleted: boolean;
}

export interface Conversations {
  conversations: (Conversation)[];
}

export interface Deleted {
  deleted: number;
}

export interface DeletedEvent {
  type: 'deleted';
  cursor: number;
  user: string;
  user_id: string;
  id: string | null;
}

export interface Doctor {
  well: boolean;
  findings: (Finding)[];
}

export interface Door {
  account: 'ended' | 'locked' | 'none' | 'offline' | 'online';
  open: boolean;
  elsewhere: boolean;
}

export interface Draft {
  user: string;
  user_id: string;
  text: string;
}

export interface DraftChange {
  text: string;
}

export interface Drafts {
  drafts: (Draft)[];
}

export interface ErrorAnswer {
  message: string;
  status: number;
  error: string;
}

export interface Finding {
  area: 'certificate' | 'clock' | 'disk' | 'managers' | 'port' | 'session' | 'store' | 'waiting';
  cause: 'certificate_early' | 'certificate_expired' | 'certificate_old' | 'certificate_valid' | 'clock_off' | 'clock_right' | 'disk_full' | 'disk_low' | 'disk_roomy' | 'linked' | 'locked' | 'manager_away' | 'manager_dates' | 'manager_foreign' | 'manager_not_ready' | 'managers_work' | 'name_provisional' | 'no_account' | 'no_manager' | 'no_manager_known' | 'no_quorum' | 'no_stream' | 'node_away' | 'nothing_waits' | 'port_blocked' | 'port_reached' | 'port_unchecked' | 'session_ended' | 'session_open' | 'site_cut' | 'store_damaged' | 'store_whole' | 'account_deleted' | 'blocked' | 'certificate' | 'key_changed' | 'logged_out' | 'no_address' | 'no_answer' | 'no_route' | 'not_tried' | 'offline' | 'refused' | 'revoked' | 'unknown';
  level: 'good' | 'notice' | 'problem';
  says: string;
  advice: string;
  subject: string | null;
  count: number | null;
  at: string | null;
}

export interface Found {
  messages: (Message)[];
}

export interface Inbox {
  messages: (Message)[];
}

export interface KeyDecision {
  accept: boolean;
  number?: string | null;
}

export interface ManagerState {
  url: string;
  current: boolean;
}

export interface Message {
  id: string;
  from: string;
  to: string;
  text: string;
  timestamp: string;
  read: boolean;
  status: 'ok' | 'pending';
  state: 'cancelled' | 'delivered' | 'failed' | 'pending' | 'read';
  mine: boolean;
  kind: string;
  reply_to: string | null;
  late: boolean;
  reason: 'account_deleted' | 'expired' | 'refused' | null;
  conversation: string;
  sender_device: string | null;
  needs_newer: boolean;
  waits: 'blocked' | 'key_changed' | null;
}

export interface MessageEvent {
  type: 'message';
  cursor: number;
  message: Message;
}

export interface MessagesPage {
  messages: (Message)[];
  more: boolean;
}

export interface NodeStatus {
  account: 'ended' | 'locked' | 'none' | 'offline' | 'online';
  username: string | null;
  user_id: string | null;
  managers: (ManagerState)[];
  peer_address: string | null;
  api_url: string;
  pending: number;
  unread: number;
  version: string;
  reason: string;
  since: string;
  damage: (string)[];
  provisional: boolean;
  site: string;
  home: string;
  sites: (OtherSite)[];
}

export interface Ok {
  message: string;
  status: number;
}

export interface Organisation {
  managers: (string)[];
  fingerprint: string | null;
  invite: string | null;
  settled: boolean;
}

export interface OrganisationChoice {
  managers: (string)[];
  fingerprint?: string | null;
}

export interface OrganisationRequest {
  address?: string;
}

export interface OtherSite {
  name: string;
  up: boolean;
  heard: string;
}

export interface PasswordChange {
  old: string;
  new: string;
}

export interface People {
  people: (Person)[];
}

export interface Person {
  username: string;
  user_id: string;
  status: 'offline' | 'online';
  last_seen: string | null;
}

export interface PresenceEvent {
  type: 'presence';
  cursor: number;
  user: string;
  user_id: string;
  status: 'offline' | 'online';
  last_seen: string | null;
  deleted: boolean;
}

export interface Reach {
  user: string;
  user_id: string;
  linked: boolean;
  managers: boolean;
  pending: number;
  says: string;
  advice: string;
  address: string | null;
  cause: 'account_deleted' | 'blocked' | 'certificate' | 'key_changed' | 'logged_out' | 'no_address' | 'no_answer' | 'no_route' | 'not_tried' | 'offline' | 'refused' | 'revoked' | 'unknown' | null;
  tried_ago: number | null;
}

export interface ReadMarked {
  marked: number;
}

export interface RecoveryCode {
  recovery_code: string;
}

export interface RecoveryRequest {
  password: string;
}

export interface ResetEvent {
  type: 'reset';
  cursor: number;
}

export interface SafetyNumber {
  user: string;
  number: string;
  scan: string;
  verified: boolean;
  offered: string | null;
  qr: (string)[];
}

export interface SendRequest {
  to: string;
  text: string;
  reply_to?: string | null;
  expires_in?: number | null;
  request_id?: string | null;
}

export interface SessionInfo {
  id: string;
  kind: 'device' | 'plain';
  created: string;
  last_used: string;
  current: boolean;
  key: string | null;
}

export interface SessionRequest {
  username: string;
  password: string;
  unlock?: string | null;
  set_aside?: boolean;
}

export interface Sessions {
  sessions: (SessionInfo)[];
}

export interface Settings {
  read_receipts: boolean;
  last_seen: boolean | null;
}

export interface SettingsChange {
  read_receipts?: boolean | null;
  last_seen?: boolean | null;
}

export interface StateEvent {
  type: 'state';
  cursor: number;
  message: Message;
}

export interface Trust {
  user: string;
  user_id: string;
  verified: boolean;
  key_changed: boolean;
  blocked: boolean;
  waits: 'blocked' | 'key_changed' | null;
}

export interface VerifyRequest {
  number?: string | null;
  without_number?: boolean;
}

export type Event = MessageEvent | StateEvent | DeletedEvent | PresenceEvent | ContactEvent | AccountEvent | ResetEvent;

export const API_PREFIX = '/api/v1';

/** Every call: its method and path below the prefix, what it takes and what it answers. */
export interface Calls {
  'DELETE /account': { body: AccountDeletion; query: undefined; answer: Ok };
  'DELETE /conversations/{user}': { body: undefined; query: undefined; answer: Deleted };
  'DELETE /messages/{message}': { body: undefined; query: undefined; answer: Ok };
  'DELETE /people/{user}/blocked': { body: undefined; query: undefined; answer: Trust };
  'DELETE /people/{user}/verified': { body: undefined; query: undefined; answer: Trust };
  'DELETE /session': { body: undefined; query: undefined; answer: Ok };
  'DELETE /sessions/{session}': { body: undefined; query: undefined; answer: Ok };
  'GET /backup': { body: undefined; query: undefined; answer: unknown };
  'GET /blocked': { body: undefined; query: undefined; answer: BlockedPeople };
  'GET /conversations': { body: undefined; query: undefined; answer: Conversations };
  'GET /conversations/{user}/messages': { body: undefined; query: { before?: string | null; after?: string | null; limit?: number }; answer: MessagesPage };
  'GET /doctor': { body: undefined; query: undefined; answer: Doctor };
  'GET /door': { body: undefined; query: undefined; answer: Door };
  'GET /drafts': { body: undefined; query: undefined; answer: Drafts };
  'GET /inbox': { body: undefined; query: undefined; answer: Inbox };
  'GET /organisation': { body: undefined; query: undefined; answer: Organisation };
  'GET /people': { body: undefined; query: { query?: string }; answer: People };
  'GET /people/{user}/reach': { body: undefined; query: undefined; answer: Reach };
  'GET /people/{user}/safety-number': { body: undefined; query: undefined; answer: SafetyNumber };
  'GET /people/{user}/trust': { body: undefined; query: undefined; answer: Trust };
  'GET /search': { body: undefined; query: { query?: string; user?: string | null }; answer: Found };
  'GET /sessions': { body: undefined; query: undefined; answer: Sessions };
  'GET /settings': { body: undefined; query: undefined; answer: Settings };
  'GET /status': { body: undefined; query: undefined; answer: NodeStatus };
  'POST /account': { body: AccountRequest; query: undefined; answer: Account };
  'POST /browser': { body: BrowserRequest; query: undefined; answer: Ok };
  'POST /browser-link': { body: undefined; query: undefined; answer: BrowserLink };
  'POST /conversations/{user}/read': { body: undefined; query: undefined; answer: ReadMarked };
  'POST /messages': { body: SendRequest; query: undefined; answer: Message };
  'POST /messages/{message}/cancel': { body: undefined; query: undefined; answer: Message };
  'POST /messages/{message}/retry': { body: undefined; query: undefined; answer: Message };
  'POST /organisation/look': { body: OrganisationRequest; query: undefined; answer: Organisation };
  'POST /password': { body: PasswordChange; query: undefined; answer: Ok };
  'POST /recovery-code': { body: RecoveryRequest; query: undefined; answer: RecoveryCode };
  'POST /session': { body: SessionRequest; query: undefined; answer: Account };
  'PUT /conversations/{user}/draft': { body: DraftChange; query: undefined; answer: Ok };
  'PUT /organisation': { body: OrganisationChoice; query: undefined; answer: Organisation };
  'PUT /people/{user}/blocked': { body: undefined; query: undefined; answer: Trust };
  'PUT /people/{user}/key': { body: KeyDecision; query: undefined; answer: Trust };
  'PUT /people/{user}/verified': { body: VerifyRequest; query: undefined; answer: Trust };
  'PUT /settings': { body: SettingsChange; query: undefined; answer: Settings };
}
