import type { Connection } from './connection.ts'
import type { Keys } from './keys.ts'

/**
 * The namespaces that were ever written. They are in a slot of their own, so each process adds them with its first write to
 * them, which succeeds only if they were added.
 */
export class Namespaces {
  readonly #connection: Connection
  readonly #key: string
  readonly #added = new Map<string, Promise<void>>()

  constructor(connection: Connection, keys: Keys) {
    this.#connection = connection
    this.#key = keys.namespaces
  }

  add(namespace: string): Promise<void> {
    const known = this.#added.get(namespace)
    if (known !== undefined) return known
    const adding = this.#connection.run(this.#key, ['SADD', this.#key, namespace]).then(() => undefined)
    this.#added.set(namespace, adding)
    adding.catch(() => this.#added.delete(namespace))
    return adding
  }

  /** Those that this process has added. */
  added(): Iterable<string> {
    return this.#added.keys()
  }

  /** All of them, sorted. */
  async list(): Promise<readonly string[]> {
    return (await this.#connection.run<readonly string[]>(this.#key, ['SMEMBERS', this.#key])).toSorted()
  }
}
