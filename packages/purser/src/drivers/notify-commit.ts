import type { Subject } from '../core/subject.ts'
import type { LocalBus } from './local-bus.ts'

/**
 * What a driver says of its own accord: that a user has changed, and that there are new events to read.
 * `detail` names the kinds of records that were written, so that whoever keeps another kind need not read again.
 * It is said before the commit is acknowledged, so whoever keeps a copy and writes can put the new one in its place.
 */
export function notifyCommit(
  bus: LocalBus,
  { namespace, id }: Subject,
  commit: { readonly events: readonly unknown[]; readonly records?: readonly { readonly kind: string }[] },
): void {
  if (bus.size === 0) return
  const { records } = commit
  const detail = records && (records.length === 0 ? '' : [...new Set(records.map(({ kind }) => kind))].join(' '))
  bus.deliver({ topic: 'user', namespace, user: id, detail })
  if (commit.events.length > 0) bus.deliver({ topic: 'events', namespace, user: id })
}
