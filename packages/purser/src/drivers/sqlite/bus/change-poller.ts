import type { LocalBus } from '../../local-bus.ts'
import type { Database } from '../database.ts'
import type { Writer } from '../worker/threads.ts'

/*
 * Finds commits of other processes. Their rows are unknown, so all users of the watched namespaces count as changed. A
 * connection that only reads sees that there were commits; whether they were this process's own, only the writer can tell.
 */

export interface ChangePoller {
  /** Watches a namespace from now on: this process caches rows of it. */
  watch(namespace: string): void
  /** Looks for commits of other processes since the last poll, and notifies the local listeners. */
  poll(): Promise<void>
}

export interface ChangePollerDeps {
  /** A connection that does not write. */
  readonly main: Database
  readonly writer: Pick<Writer, 'call'>
  readonly local: LocalBus
  readonly newestPosition: (namespace: string) => number
}

export function createChangePoller({ main, writer, local, newestPosition }: ChangePollerDeps): ChangePoller {
  const positions = new Map<string, number>()
  const dataVersion = main.prepare('PRAGMA data_version')
  let lastVersion: unknown
  return {
    watch(namespace) {
      if (!positions.has(namespace)) positions.set(namespace, newestPosition(namespace))
    },
    async poll() {
      const version = dataVersion.get()?.data_version
      if (version === lastVersion) return
      const isForeign = await writer.call('hasForeignCommits')
      lastVersion = version
      if (!isForeign) return
      for (const [namespace, known] of positions) {
        const position = newestPosition(namespace)
        positions.set(namespace, position)
        local.deliver({ topic: 'user', namespace })
        if (position > known) local.deliver({ topic: 'events', namespace })
      }
    },
  }
}
