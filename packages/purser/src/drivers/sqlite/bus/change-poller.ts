import type { LocalBus } from '../../local-bus.ts'
import type { Writer } from '../main/writer.ts'

/*
 * Commits of other processes are noticed by the writer. Whose row was written is not known, so everybody in the
 * namespaces that are used here counts as changed.
 */

export interface ChangePoller {
  /** This process keeps copies of what is in this namespace. */
  uses(namespace: string): void
  /** Looks for commits of other processes since the last look, and tells of them. */
  look(): Promise<void>
}

export function createChangePoller(
  writer: Writer,
  local: LocalBus,
  newestPosition: (namespace: string) => number,
): ChangePoller {
  const positions = new Map<string, number>()
  return {
    uses(namespace) {
      if (!positions.has(namespace)) positions.set(namespace, newestPosition(namespace))
    },
    async look() {
      if (!(await writer.call('hasForeignCommits'))) return
      for (const [namespace, known] of positions) {
        const position = newestPosition(namespace)
        positions.set(namespace, position)
        local.deliver({ topic: 'user', namespace })
        if (position > known) local.deliver({ topic: 'events', namespace })
      }
    },
  }
}
