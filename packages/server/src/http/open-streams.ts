import { HttpError } from '../app/errors.ts'
import type { ServerOptions } from '../config/server-options.ts'
import { StreamCounter } from './stream-counter.ts'

/** Open streams by user and by key, of all endpoints: a client that opens many holds only its own slots. */
export class OpenStreams {
  readonly #byUser: StreamCounter
  readonly #byKey: StreamCounter

  constructor({ maxStreamsPerUser, maxStreamsPerKey }: Pick<ServerOptions, 'maxStreamsPerUser' | 'maxStreamsPerKey'>) {
    this.#byUser = new StreamCounter(maxStreamsPerUser)
    this.#byKey = new StreamCounter(maxStreamsPerKey)
  }

  /** Returns the function that gives the slots of a stream back. Throws 429 when a limit is reached. */
  acquire(user: string, key: string): () => void {
    const releaseUser = this.#byUser.acquire(user)
    const releaseKey = releaseUser && this.#byKey.acquire(key)
    if (releaseUser !== undefined && releaseKey !== undefined) {
      return () => {
        releaseUser()
        releaseKey()
      }
    }
    releaseUser?.()
    const whose = releaseUser === undefined ? 'user' : 'key'
    throw new HttpError(429, 'rate_limit_exceeded', `This ${whose} has too many open streams.`, {
      hint: 'Read the open streams to their end, or close them.',
      headers: { 'retry-after': '1' },
    })
  }
}
