import { randomBytes } from 'node:crypto'
import { type Effects, type MetaStore, PurserError } from 'purser'
import { API_KEYS } from 'purser/internal'
import { type KeptReply, type RepeatableRequest, withoutExpiredReply } from '../http/repeatable-request.ts'
import { CasDocument } from './cas-document.ts'
import { type EnvironmentKeys, validateKeyFormat } from './environment-keys.ts'
import { type Identity, isRole, ROLES, type Role } from './scopes.ts'
import { createToken, hashToken } from './token.ts'

/** A key without its secret. */
export interface ApiKey {
  readonly id: string
  readonly name: string
  readonly role: Role
  /** The user that a key of the role `user` belongs to; null for every other role. */
  readonly user: string | null
  readonly createdAt: string
  readonly createdBy: string
}

/** A key with its secret. Returned once, when the key is created. */
export interface NewApiKey extends ApiKey {
  readonly key: string
}

export interface CreateKeyRequest {
  readonly role: unknown
  readonly name?: string | undefined
  readonly user?: string | undefined
  readonly createdBy: string
}

export interface ApiKeyStoreDeps {
  readonly meta: MetaStore
  readonly effects: Effects
  /** How long keys that were read stay valid while the store fails. Default: 0. */
  readonly staleOnFailureMs?: number
}

interface StoredKey extends ApiKey {
  readonly hash: string
  /** To the request that created it, if it may be repeated. */
  readonly reply?: KeptReply
}

interface GeneratedKey {
  readonly stored: StoredKey
  readonly token: string
}

/** The stored document. */
interface KeySet {
  readonly v: 1
  /** Set when the first keys are created, so that revoking the last key does not create new ones. */
  readonly started: boolean
  readonly keys: readonly StoredKey[]
  /** The keys of the environment with which a server was last started. */
  readonly environment?: Readonly<Partial<Record<Role, RecordedKey>>>
}

/** A key of the environment, and how many others there were in its role before it. */
interface RecordedKey {
  readonly id: string
  readonly generation: number
}

const MAX_KEYS = 10_000
const MAX_NAME_LENGTH = 100
/** Of the hash, in the id of a key of the environment. */
const ID_DIGITS = 12
const FIRST_ROLES = ['service', 'admin'] as const
/** Actors of the event log that are not keys. */
const RESERVED_NAMES: readonly string[] = ['anonymous', 'console', 'purser']

/**
 * The API keys. The store holds their hashes. A revoked key stops working immediately in this process and within a
 * second in other processes on the same store.
 */
export class ApiKeyStore {
  readonly #document: CasDocument<KeySet>
  readonly #effects: Effects
  #environmentKeys: readonly StoredKey[]
  /** The key set that `#keysByHash` was built from. */
  #indexed: KeySet | undefined
  #keysByHash = new Map<string, StoredKey>()

  constructor(deps: ApiKeyStoreDeps, environment: EnvironmentKeys = {}) {
    this.#document = new CasDocument<KeySet>(deps, API_KEYS, { v: 1, started: false, keys: [] })
    this.#effects = deps.effects
    validateKeyFormat(environment)
    const createdAt = this.#now()
    this.#environmentKeys = FIRST_ROLES.flatMap((role) => {
      const key = environment[role]
      if (key === undefined || key === '') return []
      const hash = hashToken(key)
      // Made of the key, so that what was opened with it ends when another key is set.
      const id = `environment-${role}-${hash.replace(/\W/g, '').slice(0, ID_DIGITS)}`
      const name = `${role} key of the environment`
      return [{ id, name, role, user: null, createdAt, createdBy: 'environment', hash }]
    })
  }

  /**
   * Records the keys of the environment, once at the start. A key that comes back after another one gets another id, so that
   * what was opened with it before stays closed.
   */
  async recordEnvironmentKeys(): Promise<void> {
    const keys = this.#environmentKeys
    if (keys.length === 0) return
    const { environment = {} } = await this.#document.change((keySet) => {
      const recorded = { ...keySet.environment }
      for (const { id, role } of keys) {
        const last = recorded[role]
        if (last?.id !== id) recorded[role] = { id, generation: last === undefined ? 0 : last.generation + 1 }
      }
      const isSame = keys.every(({ role }) => recorded[role] === keySet.environment?.[role])
      return isSame ? keySet : { ...keySet, environment: recorded }
    })
    this.#environmentKeys = keys.map((key) => {
      const { generation = 0 } = environment[key.role] ?? {}
      return generation === 0 ? key : { ...key, id: `${key.id}-${generation}` }
    })
    this.#indexed = undefined
  }

  /** The identity of a key; undefined for an unknown one. A promise only when the keys have to be read again. */
  authenticate(key: string): Identity | undefined | Promise<Identity | undefined> {
    const hash = hashToken(key)
    const keySet = this.#document.peek()
    if (keySet !== undefined) return this.#identify(keySet, hash)
    return this.#document.read().then((current) => this.#identify(current, hash))
  }

  /** Reads the keys again before the next use: an erasure has removed those of its user. */
  expire(): void {
    this.#document.expire()
  }

  async list(): Promise<readonly ApiKey[]> {
    return [...this.#environmentKeys, ...(await this.#document.read()).keys].map(withoutHash)
  }

  async isEmpty(): Promise<boolean> {
    return this.#environmentKeys.length === 0 && (await this.#document.read()).keys.length === 0
  }

  /**
   * Creates a key and returns its secret once. Throws `argument_invalid`, also for a name that another key has: the name
   * is the actor in the event log. A repeated request gets the key of the first one.
   */
  async create(request: CreateKeyRequest, repeatable?: RepeatableRequest): Promise<NewApiKey> {
    const { stored, token } = this.#generate(request)
    let created: NewApiKey = { ...withoutHash(stored), key: token }
    const reply = repeatable && { reply: repeatable.keep(created) }
    await this.#document.change((keySet) => {
      const earlier = repeatable?.replay<NewApiKey>(keySet.keys.map((key) => key.reply))
      if (earlier !== undefined) {
        created = earlier
        return keySet
      }
      if (keySet.keys.length >= MAX_KEYS) {
        throw new PurserError('argument_invalid', `The limit of ${MAX_KEYS} keys is reached.`, {
          hint: 'Revoke keys that are not used.',
        })
      }
      if (this.#isTaken(keySet, stored.name)) throw nameTaken(stored.name)
      const now = this.#effects.now()
      const keys = keySet.keys.map((key) => withoutExpiredReply(key, now))
      return { ...keySet, started: true, keys: [...keys, { ...stored, ...reply }] }
    })
    return created
  }

  /** On the first start of a store: one service key and one admin key, without those from the environment. Later: none. */
  async createFirst(): Promise<readonly NewApiKey[]> {
    let created: GeneratedKey[] = []
    await this.#document.change((keySet) => {
      created = []
      if (keySet.started) return keySet
      const missing = FIRST_ROLES.filter((role) => !this.#environmentKeys.some((key) => key.role === role))
      created = missing.map((role) => this.#generate({ role, name: `first ${role} key`, createdBy: 'first start' }))
      return { ...keySet, started: true, keys: [...keySet.keys, ...created.map(({ stored }) => stored)] }
    })
    return created.map(({ stored, token }) => ({ ...withoutHash(stored), key: token }))
  }

  /** Revokes the key with this id; undefined when there is none. Throws `argument_invalid` for a key of the environment. */
  async revoke(id: string): Promise<ApiKey | undefined> {
    if (this.#environmentKeys.some((key) => key.id === id)) {
      throw new PurserError('argument_invalid', 'This key is set in the environment, not in the store.', {
        hint: 'Remove the environment variable and restart the server.',
      })
    }
    let revoked: StoredKey | undefined
    await this.#document.change((keySet) => {
      revoked = keySet.keys.find((key) => key.id === id)
      return revoked === undefined ? keySet : { ...keySet, keys: keySet.keys.filter((key) => key.id !== id) }
    })
    return revoked === undefined ? undefined : withoutHash(revoked)
  }

  /** Whether the key with this id is valid. Sessions end with the key they were opened with. */
  async has(id: string): Promise<boolean> {
    return [...this.#environmentKeys, ...(await this.#document.read()).keys].some((key) => key.id === id)
  }

  async find(key: string): Promise<ApiKey | undefined> {
    const stored = this.#findByHash(await this.#document.read(), hashToken(key))
    return stored === undefined ? undefined : withoutHash(stored)
  }

  /** Names that differ only in case or in how a character is encoded look alike in the log. */
  #isTaken(keySet: KeySet, name: string): boolean {
    const normalized = normalizeName(name)
    if (RESERVED_NAMES.includes(normalized)) return true
    return [...this.#environmentKeys, ...keySet.keys].some((key) => normalizeName(key.name) === normalized)
  }

  #identify(keySet: KeySet, hash: string): Identity | undefined {
    const key = this.#findByHash(keySet, hash)
    if (key === undefined) return undefined
    const { id, role, name, user } = key
    const identity = { id, role, origin: 'api', name } as const
    return user === null ? identity : { ...identity, user }
  }

  #findByHash(keySet: KeySet, hash: string): StoredKey | undefined {
    if (this.#indexed !== keySet) {
      this.#keysByHash = new Map([...keySet.keys, ...this.#environmentKeys].map((key) => [key.hash, key]))
      this.#indexed = keySet
    }
    return this.#keysByHash.get(hash)
  }

  #generate({ role, name, user, createdBy }: CreateKeyRequest): GeneratedKey {
    if (!isRole(role)) {
      throw invalidKey('role', "'role' is missing or not valid.", `Valid roles: ${ROLES.join(', ')}.`)
    }
    if ((role === 'user') !== (user !== undefined)) {
      throw invalidKey('user', "'user' is required for the role 'user' and not allowed for any other role.")
    }
    if (name !== undefined && (name.length === 0 || name.length > MAX_NAME_LENGTH || /\p{Cc}/u.test(name))) {
      throw invalidKey('name', `'name' must be 1 to ${MAX_NAME_LENGTH} characters on one line.`)
    }
    const token = createToken(role)
    // Hexadecimal, so that an id never looks like a command-line flag.
    const id = randomBytes(6).toString('hex')
    const stored: StoredKey = {
      id,
      name: name ?? `${role} ${id}`,
      role,
      user: user ?? null,
      createdAt: this.#now(),
      createdBy,
      hash: hashToken(token),
    }
    return { stored, token }
  }

  #now(): string {
    return new Date(this.#effects.now()).toISOString()
  }
}

function invalidKey(param: string, message: string, hint?: string): PurserError {
  return new PurserError('argument_invalid', message, { hint, details: { param } })
}

function normalizeName(name: string): string {
  return name.normalize('NFKC').trim().toLowerCase()
}

function nameTaken(name: string): PurserError {
  return invalidKey('name', `The name '${name}' is taken.`, 'Choose another name: it is the actor in the event log.')
}

function withoutHash({ hash: _hash, reply: _reply, ...key }: StoredKey): ApiKey {
  return key
}
