import type { LocalBus } from '../local-bus.ts'
import type { Database } from './database.ts'

/*
 * Commits of other processes are noticed by a number that SQLite keeps for every connection (`data_version`): cheap to
 * ask, and our own commits do not change it. Whose row was written is not known, so everybody in the namespaces that
 * are used here counts as changed.
 */

export interface ForeignCommits {
  /** This process keeps copies of what is in this namespace. */
  uses(namespace: string): void
  /** Looks for commits of other processes since the last look, and tells of them. */
  look(): void
}

export function createForeignCommits(
  main: Database,
  local: LocalBus,
  newestPosition: (namespace: string) => number,
): ForeignCommits {
  const dataVersion = main.prepare('PRAGMA data_version')
  const positions = new Map<string, number>()
  let last = dataVersion.get()?.data_version
  return {
    uses(namespace) {
      if (!positions.has(namespace)) positions.set(namespace, newestPosition(namespace))
    },
    look() {
      const version = dataVersion.get()?.data_version
      if (version === last) return
      last = version
      for (const [namespace, known] of positions) {
        const position = newestPosition(namespace)
        positions.set(namespace, position)
        local.deliver({ topic: 'user', namespace })
        if (position > known) local.deliver({ topic: 'events', namespace })
      }
    },
  }
}
