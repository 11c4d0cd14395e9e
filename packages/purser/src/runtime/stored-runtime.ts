import type { Subject } from '../core/subject.ts'
import type { JournalPort } from '../journal/api.ts'
import type { UserStore } from '../storage/store.ts'
import { GRANT_KIND, readGrant } from './oauth/grant.ts'
import { readSecret, SECRET_KIND, type SealedSecret } from './secrets.ts'
import type { UserSettings } from './settings/layers.ts'
import { readUserSettings, SETTINGS_RECORD } from './settings/user-settings.ts'

/** What the store knows of a user's runtime. Secrets stay sealed. */
export interface StoredRuntime {
  readonly incarnation: number
  readonly own: UserSettings
  readonly secrets: ReadonlyMap<string, SealedSecret>
  /** Which authorization there is for an MCP server that wants OAuth; renewing its tokens changes nothing here. */
  readonly grants: ReadonlyMap<string, string>
}

/** What a connection to an MCP server is made with: when this changes, it has to be made anew. null: nothing. */
export function toolCredential(facts: StoredRuntime | undefined, server: string): string | null {
  const secret = facts?.secrets.get(server)?.sealed ?? null
  const grant = facts?.grants.get(server)
  return grant === undefined ? secret : JSON.stringify([secret, grant])
}

/** Read of one user; there are only as many names as providers and MCP servers are configured, or once were. */
const SECRETS_MAX = 1_000

/** One for all who have nothing: ten thousand may be in memory. */
const NONE: ReadonlyMap<string, never> = new Map<string, never>()

export interface StoredRuntimeDeps {
  readonly journal: JournalPort
  readonly users: UserStore
  /** Whether there are servers that want OAuth. */
  readonly readsGrants: boolean
}

/**
 * Reads the rows one after the other. What belongs to another life than the user row says is left out, so an
 * erasure in between never mixes two lives.
 */
export async function readStoredRuntime(
  { journal, users, readsGrants }: StoredRuntimeDeps,
  user: Subject,
): Promise<StoredRuntime> {
  const row = await users.load(user)
  const incarnation = row?.incarnation ?? (await journal.read(user)).incarnation
  if (row === undefined)
    return { incarnation, own: readUserSettings(undefined, incarnation), secrets: NONE, grants: NONE }
  const own = readUserSettings(await users.record(user, SETTINGS_RECORD.kind, SETTINGS_RECORD.name), incarnation)
  const secrets = new Map<string, SealedSecret>()
  for (const { name, value } of await users.records(user, SECRET_KIND, { limit: SECRETS_MAX, order: 'ascending' })) {
    const secret = readSecret(name, value, incarnation)
    if (secret !== undefined) secrets.set(name, secret)
  }
  const grants = new Map<string, string>()
  if (readsGrants) {
    for (const { name, value } of await users.records(user, GRANT_KIND, { limit: SECRETS_MAX, order: 'ascending' })) {
      const grant = readGrant(value, incarnation)
      if (grant !== undefined) grants.set(name, grant.id)
    }
  }
  return { incarnation, own, secrets: secrets.size > 0 ? secrets : NONE, grants: grants.size > 0 ? grants : NONE }
}
