import { randomBytes } from 'node:crypto'
import { type Effects, PurserError } from 'purser'
import { CasDocument, type Shelf } from './cas-document.ts'
import { type Identity, isRole, ROLES, type Role } from './roles.ts'
import { hashOf, newToken, sameHash } from './token.ts'

/** A key as everybody but its holder may see it. */
export interface Key {
  readonly id: string
  readonly name: string
  readonly role: Role
  /** The user a `user` key is; null for every other role. */
  readonly user: string | null
  readonly createdAt: string
  readonly createdBy: string
}

/** The only time a key is shown. */
export interface NewKey extends Key {
  readonly key: string
}

export interface KeyOrder {
  readonly role: unknown
  readonly name?: string | undefined
  readonly user?: string | undefined
  readonly createdBy: string
}

/** Keys that stand in the environment of the process rather than in the store. */
export interface GivenKeys {
  readonly service?: string | undefined
  readonly admin?: string | undefined
}

interface StoredKey extends Key {
  readonly hash: string
}

interface KeyRing {
  readonly v: 1
  /** Set once the first keys were made, so that revoking the last one does not bring new ones. */
  readonly started: boolean
  readonly keys: readonly StoredKey[]
}

export const MAX_KEYS = 10_000
const MAX_NAME_LENGTH = 100

/**
 * Who may call. Keys are kept as hashes in the store; a revoked one stops working at once here and within a second in
 * other processes on the same store.
 */
export class ApiKeyStore {
  readonly #ring: CasDocument<KeyRing>
  readonly #effects: Effects
  readonly #given: readonly StoredKey[]
  #indexed: KeyRing | undefined
  #index = new Map<string, StoredKey>()

  constructor(shelf: Shelf, effects: Effects, given: GivenKeys = {}) {
    this.#ring = new CasDocument<KeyRing>(shelf, 'server-keys', { v: 1, started: false, keys: [] }, effects)
    this.#effects = effects
    if (given.service && given.service === given.admin) throw oneKeyForTwo()
    const now = this.#now()
    this.#given = (['service', 'admin'] as const).flatMap((role) => {
      const key = given[role]
      if (key === undefined || key === '') return []
      const name = `${role} key of the environment`
      return [
        {
          id: `environment-${role}`,
          name,
          role,
          user: null,
          createdAt: now,
          createdBy: 'environment',
          hash: hashOf(key),
        },
      ]
    })
  }

  /** The holder of `token`; a promise only when the keys have to be read again. */
  find(token: string): Identity | undefined | Promise<Identity | undefined> {
    const hash = hashOf(token)
    const ring = this.#ring.peek()
    return ring === undefined ? this.#ring.read().then((read) => this.#lookUp(read, hash)) : this.#lookUp(ring, hash)
  }

  async list(): Promise<readonly Key[]> {
    return [...this.#given, ...(await this.#ring.read()).keys].map(shown)
  }

  /** True when somebody could be let in at all. */
  async any(): Promise<boolean> {
    return this.#given.length > 0 || (await this.#ring.read()).keys.length > 0
  }

  /** Makes a key and gives it once. Throws `argument_invalid`. */
  async create(order: KeyOrder): Promise<NewKey> {
    const made = this.#make(order)
    await this.#ring.change((ring) => {
      if (ring.keys.length >= MAX_KEYS) {
        throw new PurserError('argument_invalid', `There are ${MAX_KEYS} keys already.`, { hint: 'Revoke some first.' })
      }
      return { ...ring, started: true, keys: [...ring.keys, made.stored] }
    })
    return { ...shown(made.stored), key: made.token }
  }

  /** On the first start of a store: one key of each kind that the environment does not give. Later: none. */
  async createFirst(): Promise<readonly NewKey[]> {
    let made: { stored: StoredKey; token: string }[] = []
    await this.#ring.change((ring) => {
      made = []
      if (ring.started) return ring
      const missing = (['service', 'admin'] as const).filter((role) => !this.#given.some((key) => key.role === role))
      made = missing.map((role) => this.#make({ role, name: `first ${role} key`, createdBy: 'first start' }))
      return { ...ring, started: true, keys: [...ring.keys, ...made.map((one) => one.stored)] }
    })
    return made.map(({ stored, token }) => ({ ...shown(stored), key: token }))
  }

  /** Revokes by id. Tells whether there was such a key. */
  async revoke(id: string): Promise<boolean> {
    if (this.#given.some((key) => key.id === id)) {
      throw new PurserError('argument_invalid', 'That key stands in the environment, not in the store.', {
        hint: 'Take the variable out of the environment and start again.',
      })
    }
    let found = false
    await this.#ring.change((ring) => {
      found = ring.keys.some((key) => key.id === id)
      return found ? { ...ring, keys: ring.keys.filter((key) => key.id !== id) } : ring
    })
    return found
  }

  /** Is there still such a key? Sessions end with the key they were opened with. */
  async holds(id: string): Promise<boolean> {
    return [...this.#given, ...(await this.#ring.read()).keys].some((key) => key.id === id)
  }

  /** The key itself, for opening a session with it. */
  async identify(token: string): Promise<Key | undefined> {
    const hash = hashOf(token)
    const found = this.#entry(await this.#ring.read(), hash)
    return found === undefined ? undefined : shown(found)
  }

  #lookUp(ring: KeyRing, hash: string): Identity | undefined {
    const key = this.#entry(ring, hash)
    if (key === undefined) return undefined
    return key.user === null ? { role: key.role, name: key.name } : { role: key.role, name: key.name, user: key.user }
  }

  #entry(ring: KeyRing, hash: string): StoredKey | undefined {
    if (this.#indexed !== ring) {
      this.#index = new Map([...ring.keys, ...this.#given].map((key) => [key.hash, key]))
      this.#indexed = ring
    }
    const found = this.#index.get(hash)
    return found !== undefined && sameHash(found.hash, hash) ? found : undefined
  }

  #make({ role, name, user, createdBy }: KeyOrder): { stored: StoredKey; token: string } {
    if (!isRole(role)) {
      throw new PurserError('argument_invalid', 'A key needs a role.', {
        hint: `One of ${ROLES.join(', ')}.`,
        details: { param: 'role' },
      })
    }
    if ((role === 'user') !== (user !== undefined)) {
      throw new PurserError('argument_invalid', 'A user key names its user, and no other key does.', {
        details: { param: 'user' },
      })
    }
    if (name !== undefined && (name.length === 0 || name.length > MAX_NAME_LENGTH || /\p{Cc}/u.test(name))) {
      throw new PurserError('argument_invalid', `A key's name is 1 to ${MAX_NAME_LENGTH} characters on one line.`, {
        details: { param: 'name' },
      })
    }
    const token = newToken(role)
    // Hex, so that no id looks like a flag to a command.
    const id = randomBytes(6).toString('hex')
    const stored: StoredKey = {
      id,
      name: name ?? `${role} ${id}`,
      role,
      user: user ?? null,
      createdAt: this.#now(),
      createdBy,
      hash: hashOf(token),
    }
    return { stored, token }
  }

  #now(): string {
    return new Date(this.#effects.now()).toISOString()
  }
}

/** Either it would let an application do what only an admin may, or an admin nothing. */
function oneKeyForTwo(): PurserError {
  return new PurserError('option_invalid', 'The service key and the admin key of the environment are the same.', {
    hint: 'Give PURSER_SERVICE_KEY and PURSER_ADMIN_KEY a key each, for instance from `openssl rand -base64 32`.',
  })
}

function shown({ hash: _, ...key }: StoredKey): Key {
  return key
}
